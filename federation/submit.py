"""Asking one witness to cosign one checkpoint: the log's side of C2SP tlog-witness.

A witness that says it has seen a larger tree (409), or one that differs (422), is asked for what it has: a checkpoint
that our own log key signed and that is not the beginning of our tree is a proof, anything else remains a claim.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.errors import BadAnswer, FederationError
from federation.fetch import Fetcher, Reply
from federation.heads import place
from federation.policy import Witness
from keys.cosign import Cosigned, read_answer
from keys.errors import Damaged
from keys.note import Checkpoint, open_note, read_checkpoint

Prove = Callable[[int, int], Sequence[bytes]]
"""The consistency proof between two sizes of our tree."""
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Published:
    """A checkpoint that our log published: its note, what it says, the log's vkey, and those of its earlier keys.

    hands: proofs under this very checkpoint (C2SP tlog-proof) of the statements by which a key handed over.
    """

    note: str
    head: Checkpoint
    vkey: str
    earlier: tuple[str, ...] = ()
    hands: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The part that is signed."""
        return self.note.rpartition("\n\n")[0] + "\n"


@dataclass(frozen=True)
class Agreed:
    """The witness cosigned; it has now seen this size."""

    cosigned: Cosigned


@dataclass(frozen=True)
class Silent:
    """No cosignature and nothing said against the log: away, or it does not know the log; `why` is a stable word."""

    why: str


@dataclass(frozen=True)
class Objects:
    """The witness has seen another tree: `rollback` (a larger one) or `fork`; `seen` is the size it told.

    `proof` is the checkpoint that it showed, signed by our own log key; "" if it showed none.
    """

    kind: str
    seen: int
    proof: str = ""


async def submit(
    fetcher: Fetcher, witness: Witness, ours: Published, prove: Prove, known: int, now: datetime
) -> Agreed | Silent | Objects:
    """Ask a witness that was last known to have seen `known` entries; twice at most, as it may know another size."""
    try:
        seen = min(known, ours.head.size)
        for _ in range(2):
            reply = await _ask(fetcher, witness, ours, prove, seen)
            if reply.status != 409:
                return await _read(fetcher, witness, ours, reply, seen, now)
            seen = _told(reply)
            if seen > ours.head.size:
                return Objects("rollback", seen, await _shown(fetcher, witness, ours, now))
        return Silent("busy")
    except FederationError as error:
        return Silent(error.reason)


async def _ask(fetcher: Fetcher, witness: Witness, ours: Published, prove: Prove, seen: int) -> Reply:
    proof = prove(seen, ours.head.size) if 0 < seen < ours.head.size else []
    lines = [f"old {seen}", *(b64encode(step).decode() for step in proof), "", ours.note]
    body = "\n".join(lines)
    reply = await fetcher.post(f"{witness.url}/add-checkpoint", body.encode(), _TEXT)
    if reply.status != 403 or not ours.hands:
        return reply
    # It knows the log under another key: a witness of ours (federation.witness) follows, others have no such page.
    told = json.dumps({"hands": ours.hands, "submission": body})
    followed = await fetcher.post(f"{witness.url}/add-handover", told.encode(), "application/json")
    return reply if followed.status in (404, 405) else followed


async def _read(
    fetcher: Fetcher, witness: Witness, ours: Published, reply: Reply, seen: int, now: datetime
) -> Agreed | Silent | Objects:
    if reply.status == 422:
        return Objects("fork", seen, await _shown(fetcher, witness, ours, now))
    if reply.status != 200:
        return Silent(f"status {reply.status}")
    try:
        signed = read_answer(ours.text, reply.body.decode(), [witness.vkey])
    except (Damaged, UnicodeDecodeError):
        raise BadAnswer("form") from None
    return Agreed(signed[0]) if signed else Silent("key")


async def _shown(fetcher: Fetcher, witness: Witness, ours: Published, now: datetime) -> str:
    """The checkpoint that the witness has of our log, if our own key signed it (Monitor Retrieval Mechanism)."""
    url = f"{witness.url}/{place(ours.head.origin)}/checkpoint"
    try:
        note = (await fetcher.get(url, "text/plain", now)).body.decode()
        text, _ = open_note(note, [ours.vkey, *ours.earlier])
        return note if read_checkpoint(text).origin == ours.head.origin else ""
    except (FederationError, Damaged, UnicodeDecodeError):
        return ""


def _told(reply: Reply) -> int:
    """The size in an answer 409. Raises BadAnswer."""
    found = _SIZE.fullmatch(reply.body)
    if found is None or reply.media != "text/x.tlog.size":
        raise BadAnswer("form")
    return int(found[1])
