"""The check on the citizen's own device: verify.js against a log that this file makes by itself, from the standards.

Nothing of Kluis is imported: RFC 6962 in its recursive form, C2SP signed notes, SHA-256 commitments. Node runs the
shipped module as it is.
"""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed: verify.js cannot be run here")
MODULE = Path(__file__).parents[2] / "web" / "pages" / "static" / "verify.js"
ORIGIN = "kluis.test/log/2026h2"
DOMAIN = "kluis-test/pod/1"
SIGNER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)

RUN = """
import { check, consistent, included } from "./verify.mjs";
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const jobs = JSON.parse(await new Response(process.stdin).text()), answers = [];
for (const { kind, args } of jobs) {
  if (kind === "check") answers.push(await check(args[0], args[1], async () => args[2]));
  const [a, b, c, d, e] = args;
  if (kind === "included") answers.push(await included(bytes(a), b, c, d.map(bytes), bytes(e)));
  if (kind === "consistent") answers.push(await consistent(a, bytes(b), c, bytes(d), e.map(bytes)));
}
console.log(JSON.stringify(answers));
"""


def in_node(tmp: Path, jobs: list[tuple[str, list[Any]]]) -> list[Any]:
    """What the shipped module answers to each job, in one process."""
    (tmp / "verify.mjs").write_bytes(MODULE.read_bytes())
    (tmp / "run.mjs").write_text(RUN)
    told = json.dumps([{"kind": kind, "args": args} for kind, args in jobs])
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


class Made:
    """A log of everybody with `size` entries; every third is a line of one pod."""

    def __init__(self, size: int = 20, changed: int | None = None, begins: str = "create pod") -> None:
        self.leaves: list[bytes] = []
        self.lines: list[dict[str, Any]] = []
        self.head: dict[str, Any] = {"seq": 0, "head": "", "kept": size}
        commitment: bytes | None = None
        for index in range(size):
            commit, dpo, nonce = sha(b"c%d" % index), sha(b"d%d" % index), sha(b"n%d" % index)
            if index % 3 == 0:
                seq = len(self.lines) + 1
                record = {
                    "action": begins if seq == 1 else "write" if seq == changed else "read",
                    "prev": commitment and b64(sha(commitment)),
                    "seq": seq,
                    "what": "é",
                }
                text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
                commit = sha(DOMAIN.encode() + nonce + text.encode())
                if seq != changed:
                    commitment = commit  # the chain of an honest writer; a rewritten line leaves it as it was
                else:
                    commitment = sha(DOMAIN.encode() + nonce + text.replace("write", "read").encode())
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

    def answer(self, sealed: int | None = None) -> dict[str, Any]:
        """What /api/log?proofs=1 answers under a checkpoint of `sealed` entries."""
        leaves = self.leaves[:sealed]
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
            "pod_domain": DOMAIN,
        }


def edit_record(log: dict[str, Any]) -> None:
    """Line 4 says something else."""
    log["entries"][3]["record"] = log["entries"][3]["record"].replace("read", "held")


def edit_leaf_too(log: dict[str, Any]) -> None:
    """Line 4 and its commitment say something else, in step."""
    line = log["entries"][3]
    edit_record(log)
    commit = sha(DOMAIN.encode() + base64.urlsafe_b64decode(line["nonce"] + "=") + line["record"].encode())
    line["leaf"] = b64(b"\x01\x00" + commit + base64.urlsafe_b64decode(line["dpo_commitment"] + "="))


def damage_record(log: dict[str, Any]) -> None:
    """Line 2 is no JSON any more."""
    log["entries"][1]["record"] = "{"


def unreadable_record(log: dict[str, Any]) -> None:
    """Line 3 did not open on the server."""
    log["entries"][2] |= {"record": None, "nonce": None}


def drop_line(log: dict[str, Any]) -> None:
    """Line 3 is gone."""
    del log["entries"][2]


def drop_first(log: dict[str, Any]) -> None:
    """Line 1 is gone."""
    del log["entries"][0]


def drop_last(log: dict[str, Any]) -> None:
    """Line 7 is gone."""
    log["entries"].pop()


def drop_all(log: dict[str, Any]) -> None:
    """Every line is gone."""
    log["entries"] = []


def drop_all_and_head(log: dict[str, Any]) -> None:
    """Every line is gone, and the head says that there were none."""
    log["entries"] = []
    log["head"] |= {"seq": 0, "head": ""}


def begin_anew(log: dict[str, Any]) -> None:
    """The chain begins with a line that does not begin a pod."""
    made = Made(20, begins="read").answer()
    log.clear()
    log.update(made)


def other_head(log: dict[str, Any]) -> None:
    """The head is the one of line 6, with the number of line 7."""
    log["head"]["head"] = json.loads(log["entries"][6]["record"])["prev"]


def older_head(log: dict[str, Any]) -> None:
    """The head does not know line 7."""
    log["head"]["seq"] = 6


def double_line(log: dict[str, Any]) -> None:
    """Line 2 comes twice."""
    log["entries"].insert(2, log["entries"][1])


def reorder(log: dict[str, Any]) -> None:
    """Lines 2 and 5 changed places."""
    lines = log["entries"]
    lines[1], lines[4] = lines[4], lines[1]


def renumber(log: dict[str, Any]) -> None:
    """Line 6 calls itself 60 outside its record."""
    log["entries"][5]["seq"] = 60


def other_place(log: dict[str, Any]) -> None:
    """Line 5 claims another place in the tree."""
    log["entries"][4]["index"] = 11


def swap_dpo(log: dict[str, Any]) -> None:
    """Line 7 hides another DPO record than the one in its leaf."""
    log["entries"][6]["dpo_commitment"] = b64(sha(b"other"))


def break_signature(log: dict[str, Any]) -> None:
    """The seal is signed by somebody else."""
    head, line = log["shards"][0]["checkpoint"].rsplit(" ", 1)
    blob = base64.b64decode(line)
    log["shards"][0]["checkpoint"] = f"{head} {base64.b64encode(blob[:4] + bytes(64)).decode()}\n"


def bigger_seal(log: dict[str, Any]) -> None:
    """The seal counts one entry more than was signed."""
    log["shards"][0]["checkpoint"] = log["shards"][0]["checkpoint"].replace("\n20\n", "\n21\n")


def other_origin(log: dict[str, Any]) -> None:
    """The seal of another log."""
    log["shards"][0]["origin"] = "kluis.test/log/2026h1"


ATTACKS: list[tuple[Callable[[dict[str, Any]], None], str, int | None]] = [
    (edit_record, "edited", 4),
    (edit_leaf_too, "edited", 4),
    (damage_record, "edited", 2),
    (unreadable_record, "edited", 3),
    (drop_line, "missing", 3),
    (drop_first, "missing", 1),
    (drop_last, "missing", 7),
    (drop_all, "missing", 1),
    (drop_all_and_head, "missing", 1),
    (begin_anew, "missing", 1),
    (other_head, "chain", 7),
    (older_head, "chain", 7),
    (double_line, "moved", 3),
    (reorder, "moved", 2),
    (renumber, "edited", 60),
    (other_place, "outside", 5),
    (swap_dpo, "edited", 7),
    (break_signature, "seal", None),
    (bigger_seal, "seal", None),
    (other_origin, "seal", None),
]


def test_an_honest_log_is_green_and_remembered(tmp_path: Path) -> None:
    first, same, grown = Made(20), Made(20), Made(33)
    (seen,) = in_node(tmp_path, [("check", [first.answer(), None, []])])
    assert (seen["ok"], seen["checked"], seen["waiting"]) == (True, 7, 0)
    steps = [b64(step) for step in proof(20, grown.leaves)]
    again, later = in_node(
        tmp_path,
        [("check", [same.answer(), seen["memory"], []]), ("check", [grown.answer(), seen["memory"], steps])],
    )
    assert again["ok"] and again["memory"] == seen["memory"]
    assert later["ok"] and later["checked"] == 11 and later["memory"]["seals"][0]["size"] == 33


@pytest.mark.parametrize(("attack", "reason", "line"), ATTACKS, ids=[attack[0].__name__ for attack in ATTACKS])
def test_every_tampering_is_red_at_its_line(
    tmp_path: Path, attack: Callable[[dict[str, Any]], None], reason: str, line: int | None
) -> None:
    log = Made(20).answer()
    attack(log)
    assert in_node(tmp_path, [("check", [log, None, []])]) == [{"ok": False, "reason": reason, "line": line}]


def test_a_line_rewritten_in_a_rebuilt_and_signed_log_is_named(tmp_path: Path) -> None:
    (verdict,) = in_node(tmp_path, [("check", [Made(20, changed=4).answer(), None, []])])
    assert not verdict["ok"] and verdict["line"] in (4, 5)


def test_what_this_device_remembers_catches_a_server_that_signs_another_history(tmp_path: Path) -> None:
    honest, longer, shorter = Made(20), Made(33), Made(12)
    (seen,) = in_node(tmp_path, [("check", [honest.answer(), None, []])])
    memory = seen["memory"]
    steps = [b64(step) for step in proof(20, longer.leaves)]
    truncated, other_key = honest.answer(), honest.answer()
    truncated["entries"].pop()
    truncated["head"] |= {"seq": 6, "head": json.loads(honest.lines[6]["record"])["prev"]}
    rewritten = Made(33, changed=7)
    other_key["shards"][0]["vkey"] += "="
    told = in_node(
        tmp_path,
        [
            ("check", [shorter.answer(), memory, []]),
            ("check", [longer.answer(), memory, steps[:-1]]),
            ("check", [longer.answer(), memory, [*steps[:-1], b64(bytes(32))]]),
            ("check", [truncated, memory, []]),
            ("check", [other_key, memory, []]),
            ("check", [rewritten.answer(), memory, [b64(step) for step in proof(20, rewritten.leaves)]]),
        ],
    )
    assert [(t["ok"], t.get("reason"), t.get("line")) for t in told[:5]] == [
        (False, "shrunk", None),
        (False, "rewritten", None),
        (False, "rewritten", None),
        (False, "lost", 7),
        (False, "key", None),
    ]
    assert not told[5]["ok"]


def test_lines_newer_than_the_seal_wait_but_only_at_the_end_and_where_the_log_has_a_place(tmp_path: Path) -> None:
    fresh = Made(20).answer(sealed=14)
    wrong = [(2, 19), (6, 15), (6, 20), (6, 900)]  # not at the end, no further than the line before, no such place
    jobs = [fresh]
    for line, index in wrong:
        jobs.append(Made(20).answer(sealed=14))
        jobs[-1]["entries"][line]["index"] = index
    waiting, *told = in_node(tmp_path, [("check", [job, None, []]) for job in jobs])
    assert (waiting["ok"], waiting["waiting"]) == (True, 2)
    assert [(t["ok"], t.get("reason"), t.get("line")) for t in told] == [
        (False, "outside", line + 1) for line, _ in wrong
    ]


def test_the_log_of_a_new_citizen_holds_the_line_that_made_her_pod_and_no_less(tmp_path: Path) -> None:
    new = Made(1)
    (seen,) = in_node(tmp_path, [("check", [new.answer(), None, []])])
    assert seen["ok"] and seen["checked"] == 1 and seen["memory"]["seq"] == 1


def test_proofs_agree_with_rfc_6962_for_every_small_tree_and_no_changed_one_passes(tmp_path: Path) -> None:
    good: list[tuple[str, list[Any]]] = []
    bad: list[tuple[str, list[Any]]] = []
    for size in range(1, 18):
        leaves = [sha(b"leaf %d" % i) for i in range(size)]
        top = root(leaves).hex()
        for m in range(size):
            steps = [step.hex() for step in path(m, leaves)]
            good.append(("included", [leaves[m].hex(), m, size, steps, top]))
            bad.append(("included", [leaves[m].hex(), m, size, [*steps, top], top]))
            bad.append(("included", [sha(b"x").hex(), m, size, steps, top]))
            bad += [("included", [leaves[m].hex(), m, size, steps[:-1], top])] if steps else []
            bad.append(("included", [leaves[m].hex(), size, size, steps, top]))
        for m in range(1, size + 1):
            old, steps = root(leaves[:m]).hex(), [step.hex() for step in proof(m, leaves)]
            good.append(("consistent", [m, old, size, top, steps]))
            bad.append(("consistent", [m, sha(b"x").hex(), size, top, steps]))
            bad += [("consistent", [m, old, size, top, steps[:-1]])] if steps else []
            bad += [("consistent", [m, old, size, top, [*steps, top]])] if steps else []
    assert in_node(tmp_path, good) == [True] * len(good)
    assert in_node(tmp_path, bad) == [False] * len(bad)


def test_an_edited_copy_leaves_the_original_green(tmp_path: Path) -> None:
    log = Made(20).answer()
    copy = deepcopy(log)
    edit_record(copy)
    good, bad = in_node(tmp_path, [("check", [log, None, []]), ("check", [copy, None, []])])
    assert good["ok"] and not bad["ok"]
