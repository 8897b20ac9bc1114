"""A log made by itself, from the standards, and node to run the shipped check on it.

Nothing of Kluis is imported: RFC 6962 in its recursive form, C2SP signed notes, SHA-256 commitments.
"""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NODE = shutil.which("node")
STATIC = Path(__file__).parents[2] / "web" / "pages" / "static"
ORIGIN = "kluis.test/log/2026h2"
SLOT, SLOTS, EPOCH = 5, 8, 29_900_000
NOW = (EPOCH + 3) * 60_000  # milliseconds
SIGNER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)

RUN = """
import { check } from "./verify.js";
import { consistent, included, together } from "./tree.js";
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const jobs = JSON.parse(await new Response(process.stdin).text()), answers = [];
for (const { kind, args } of jobs) {
  if (kind === "check") answers.push(await check(args[0], args[1], async () => args[2], args[3]));
  const [a, b, c, d, e] = args;
  if (kind === "included") answers.push(await included(bytes(a), b, c, d.map(bytes), bytes(e)));
  if (kind === "together") {
    const leaves = a.map(([index, hash]) => ({ index, hash: bytes(hash) }));
    answers.push(Buffer.from(await together(leaves, b, bytes(c))).toString("hex"));
  }
  if (kind === "consistent") answers.push(await consistent(a, bytes(b), c, bytes(d), e.map(bytes)));
}
console.log(JSON.stringify(answers));
"""


def in_node(tmp: Path, jobs: list[tuple[str, list[Any]]]) -> list[Any]:
    """What the shipped module answers to each job, in one process."""
    for name in ("verify.js", "lines.js", "readers.js", "tree.js", "slots.js", "shown.js"):
        (tmp / name).write_bytes((STATIC / name).read_bytes())
    (tmp / "package.json").write_text('{"type": "module"}')
    (tmp / "run.mjs").write_text(RUN)
    timed = [(kind, [*args, NOW] if kind == "check" and len(args) == 3 else args) for kind, args in jobs]
    told = json.dumps([{"kind": kind, "args": args} for kind, args in timed])
    done = subprocess.run(
        [NODE or "", "run.mjs"], cwd=tmp, input=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sha(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def committed(nonces: bytes, record: str) -> bytes:
    """What a leaf says of a record: a hash over the salted hashes of its two parts."""
    app, own = (
        json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode() for part in json.loads(record).values()
    )
    told = sha(b"kluis/pod-record-app/v1" + nonces[:32] + app)
    return sha(b"kluis/pod-record/v2" + told + sha(b"kluis/pod-record-own/v1" + nonces[32:] + own))


def half(n: int) -> int:
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1 over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha(b"")
    k = half(len(leaves))
    return sha(b"\x01" + root(leaves[:k]) + root(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    k = half(len(leaves))
    return [*path(m, leaves[:k]), root(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), root(leaves[:k])]


def proof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 2.1.2."""
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = half(len(leaves))
    if m <= k:
        return [*proof(m, leaves[:k], whole), root(leaves[k:])]
    return [*proof(m - k, leaves[k:], False), root(leaves[:k])]


def between(wanted: list[int], leaves: list[bytes], begin: int = 0) -> list[bytes]:
    """The largest subtrees with no leaf at the `wanted` indexes, from the left; `leaves` are those from `begin` on."""
    if not any(begin <= index < begin + len(leaves) for index in wanted):
        return [root(leaves)]
    if len(leaves) == 1:
        return []
    k = half(len(leaves))
    return [*between(wanted, leaves[:k], begin), *between(wanted, leaves[k:], begin + k)]


class Made:
    """A log of everybody with `size` entries; every third is a line of one pod, every ninth (7, 16, ...) a summary."""

    def __init__(self, size: int = 20, changed: int | None = None, begins: str = "create pod") -> None:
        self.leaves: list[bytes] = []
        self.lines: list[dict[str, Any]] = []
        self.head: dict[str, Any] = {"seq": 0, "head": "", "kept": size}
        self.slots: list[dict[str, Any]] = []
        commitment: bytes | None = None
        for index in range(size):
            if index % 9 == 7:
                self.leaves.append(sha(b"\x00" + self.summary(index)))
                continue
            commit, dpo, nonce = sha(b"c%d" % index), sha(b"d%d" % index), sha(b"n%d" % index) + sha(b"m%d" % index)
            if index % 3 == 0:
                seq = len(self.lines) + 1
                app = {"action": begins if seq == 1 else "write" if seq == changed else "read", "what": "é"}
                own = {"prev": commitment and b64(sha(commitment)), "seq": seq, "time": EPOCH * 60_000 - 90_000}
                own |= {"slot": SLOT} if seq == 1 else {}
                text = json.dumps({"app": app, "own": own}, ensure_ascii=False, separators=(",", ":"))
                commit = committed(nonce, text)
                # The chain of an honest writer; a rewritten line leaves it as it was.
                commitment = commit if seq != changed else committed(nonce, text.replace("write", "read"))
                self.head = {"seq": seq, "head": b64(sha(commitment)), "kept": size}
                self.lines.append(
                    {
                        "shard": 0,
                        "index": index,
                        "seq": seq,
                        "entry": b64(sha(b"e%d" % index)[:16]),
                        "record": text,
                        "kind": 0,
                    }
                    | {"nonce": b64(nonce), "dpo_commitment": b64(dpo), "leaf": b64(b"\x01\x00" + commit + dpo)}
                )
            self.leaves.append(sha(b"\x00" + b"\x01\x00" + commit + dpo))

    def summary(self, index: int) -> bytes:
        """The statement at `index` over everything before it; what leads to it is kept in `slots`."""
        count, held = len(self.lines), base64.urlsafe_b64decode(self.lines[-1]["leaf"] + "==")[2:34]
        salt, epoch = sha(b"salt %d" % index), EPOCH + index // 9
        others = [sha(b"slot %d %d" % (index, slot)) for slot in range(SLOTS)]
        own = sha(b"kluis/slot/v1" + salt + count.to_bytes(8, "big") + sha(held))
        leaves = [*others[:SLOT], own, *others[SLOT + 1 :]]
        before = epoch - 1 if self.slots else 0
        told = {
            "before": before,
            "entries": index,
            "epoch": epoch,
            "every": 1,
            "root": b64(root(leaves)),
            "slots": SLOTS,
        }
        body = json.dumps(told | {"type": "kluis/slots/v1"}, separators=(",", ":"))
        steps = [b64(step) for step in path(SLOT, leaves)]
        one = {"shard": 0, "index": index, "body": body, "slot": SLOT, "salt": b64(salt), "path": steps}
        self.slots.insert(0, one | {"count": count, "head": b64(sha(held))})
        return b"\x01\x02" + body.encode()

    def bare(self, sealed: int | None = None) -> dict[str, Any]:
        """The same as /api/log/check and /api/log/lines answer it: all lines led to the root together."""
        log, leaves = self.answer(sealed), self.leaves[:sealed]
        places = [line["index"] for line in log["entries"] if line["index"] < len(leaves)]
        for line in log["entries"]:
            del line["leaf"], line["proof"]
        log["shards"][0]["steps"] = b64(b"".join(between(places, leaves)))
        return log

    def answer(self, sealed: int | None = None) -> dict[str, Any]:
        """What /api/log?proofs=1 answers under a checkpoint of `sealed` entries."""
        leaves = self.leaves[:sealed]
        stated = [
            one | {"proof": [b64(step) for step in path(one["index"], leaves)]}
            for one in self.slots
            if one["index"] < len(leaves)
        ]
        lines = [
            line | {"proof": [b64(h) for h in path(line["index"], leaves)] if line["index"] < len(leaves) else None}
            for line in self.lines
        ]
        key = b"\x01" + SIGNER.public_key().public_bytes_raw()
        key_hash = sha(f"{ORIGIN}\n".encode() + key)[:4]
        text = f"{ORIGIN}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
        signature = base64.b64encode(key_hash + SIGNER.sign(text.encode())).decode()
        shard = {
            "origin": ORIGIN,
            "vkey": f"{ORIGIN}+{key_hash.hex()}+{base64.b64encode(key).decode()}",
            "checkpoint": f"{text}\n— other.test AAAAAAAA\n— {ORIGIN} {signature}\n",
            "size": len(leaves),
            "first": 0,
        }
        return {
            "shards": [shard],
            "entries": lines,
            "head": dict(self.head),
            "slots": stated,
        }
