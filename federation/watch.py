"""Our log and its witnesses: who was asked, what each said last, and whether that is cause for alarm.

An alarm for want of a quorum goes when the quorum is back. One because a witness has seen another tree never goes by
itself: somebody must find out which of the two trees is the true one.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from federation.errors import Diverged
from federation.fetch import Fetcher
from federation.policy import Policy, Witness
from federation.submit import Agreed, Objects, Prove, Published, Silent, submit
from keys.cosign import Cosigned
from keys.errors import Damaged
from keys.note import open_note, read_checkpoint

PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Alarm:
    """What is wrong with the log's witnesses: `quorum`, `rollback` or `fork`; since when; one line for people."""

    kind: str
    since: datetime
    detail: str

    @property
    def lasts(self) -> bool:
        """Whether it stays until somebody settles it."""
        return self.kind != "quorum"


@dataclass(frozen=True)
class Standing:
    """What a witness said last: `cosigned`, `away` or `objects`, the size it has seen, when, and why it is away."""

    word: str
    seen: int
    at: datetime
    why: str = ""


@dataclass(frozen=True)
class Asked:
    """One of our trees as witnesses are asked about it: its newest checkpoint, its consistency proofs, its roots."""

    ours: Published
    prove: Prove
    root: Callable[[int], bytes]


class Watch:
    """Asks all witnesses of a policy; for one event loop at a time."""

    def __init__(self, policy: Policy, fetcher: Fetcher, began: datetime) -> None:
        """Begin with patience: until `began` plus a minute nobody need have cosigned."""
        self.policy, self._fetcher = policy, fetcher
        self.standing: dict[str, Standing] = {}
        self._met = began
        self._lost: datetime | None = None
        self._objection: Alarm | None = None
        self._seen: dict[tuple[str, str], int] = {}

    async def ask(self, asked: Asked, now: datetime) -> list[Cosigned]:
        """Ask every witness about one checkpoint, all at once; the cosignatures that came."""
        told = await asyncio.gather(*(self._one(witness, asked, now) for witness in self.policy.witnesses))
        return [answer.cosigned for answer in told if isinstance(answer, Agreed)]

    async def _one(self, witness: Witness, asked: Asked, now: datetime) -> Agreed | Silent | Objects:
        place = (asked.ours.head.origin, witness.vkey)
        answer = await submit(self._fetcher, witness, asked.ours, asked.prove, self._seen.get(place, 0), now)
        if isinstance(answer, Agreed):
            self._seen[place] = asked.ours.head.size
            self.standing[witness.name] = Standing("cosigned", asked.ours.head.size, now)
        elif isinstance(answer, Silent):
            self.standing[witness.name] = Standing("away", self._seen.get(place, 0), now, answer.why)
        else:
            self.standing[witness.name] = Standing("objects", answer.seen, now, answer.kind)
            self.object(Alarm(answer.kind, now, _objection(witness, asked.ours, answer)))
        return answer

    def object(self, alarm: Alarm) -> None:
        """A witness has seen another tree; the first such alarm stays."""
        self._objection = self._objection or alarm

    def count(self, signed: Sequence[Cosigned], now: datetime) -> bool:
        """Take the cosignatures of the newest checkpoint of all into account; whether they are a quorum."""
        met = self.policy.met([one.vkey for one in signed])
        if met:
            self._met, self._lost = now, None
        return met

    def impatient(self, now: datetime) -> None:
        """Do not wait a minute: as at a start at which no quorum could be asked."""
        self._met = now - PATIENCE - timedelta(seconds=1)

    def alarm(self, now: datetime) -> Alarm | None:
        """What is wrong at this moment, the worst first."""
        if self._objection is not None:
            return self._objection
        if now - self._met <= PATIENCE:
            return None
        self._lost = self._lost or now
        away = ", ".join(f"{name} {one.why}" for name, one in self.standing.items() if one.word != "cosigned")
        told = f"fewer than {self.policy.needed} of {len(self.policy.witnesses)} witnesses cosign the log"
        return Alarm("quorum", self._lost, told + (f" ({away})" if away else ""))

    @property
    def cosigning(self) -> int:
        """How many witnesses cosigned when they were last asked."""
        return sum(one.word == "cosigned" for one in self.standing.values())


def compare(remembered: str, asked: Sequence[Asked]) -> None:
    """Hold our trees against a checkpoint of ours that was cosigned earlier. Raises Diverged."""
    told = read_checkpoint(remembered.rpartition("\n\n")[0] + "\n")
    tree = next((one for one in asked if one.ours.head.origin == told.origin), None)
    if tree is None:
        raise Diverged(f"the log of {told.origin} is gone; {told.size} entries of it were cosigned")
    try:
        open_note(remembered, [tree.ours.vkey, *tree.ours.earlier])
    except Damaged:
        raise Diverged(f"{told.origin} was cosigned under another key than this log's") from None
    if told.size > tree.ours.head.size:
        raise Diverged(f"{told.origin} has {tree.ours.head.size} published entries, {told.size} were cosigned")
    if tree.root(told.size) != told.root:
        raise Diverged(f"{told.origin} differs from what was cosigned at {told.size} entries")


def _objection(witness: Witness, ours: Published, answer: Objects) -> str:
    basis = "it shows our own signature" if answer.proof else "it shows no signature of ours"
    if answer.kind == "rollback":
        return (
            f"{witness.name} has seen {answer.seen} entries of {ours.head.origin}, we have {ours.head.size} ({basis})"
        )
    return f"{witness.name} has seen another {ours.head.origin} than ours of {ours.head.size} entries ({basis})"
