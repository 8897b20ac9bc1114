"""Webhooks as stored: each belongs to one gate and ends in the very unit that changes that gate.

What a receiver has to be told is written in the unit that stores the change, so that nothing is told that did not
happen and nothing that happened is forgotten by a crash.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from keys.secret import ControlKey, fresh_bytes
from keys.state import seal_column
from keys.text import b64, unb64
from vault.database import Tx
from vault.news import News
from vault.tables import Hook, Knock

if TYPE_CHECKING:
    from vault.vault import PodFacts, Vault

MOST: Final = 1000
"""Messages that wait for one receiver; a channel that falls further behind is over."""
FOLLOWED: Final = "SELECT id, topic FROM hook WHERE pod = :pod AND topic IN (:id, :parent)"
WAITING: Final = "SELECT count(*) FROM knock WHERE hook = :hook"
NEXT: Final = "SELECT number, id, sealed FROM knock WHERE hook = :hook ORDER BY number LIMIT 1"
FORGET: Final = (
    "DELETE FROM knock WHERE hook IN (SELECT id FROM hook WHERE gate = :gate)",
    "DELETE FROM hook WHERE gate = :gate",
)
_BYTES: Final = frozenset({"pod", "id", "parent"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message on its way to a webhook: its row, its own id, which stays the same at every try, and the change."""

    number: int
    id: bytes
    news: News


def queue(tx: Tx, control_of: Callable[[Tx, bytes], ControlKey], news: Sequence[News]) -> None:
    """Have the webhooks that follow these changes told of them, in the unit of the writer that makes them true."""
    for one in news:
        for hook, topic in tx.run(FOLLOWED, pod=one.pod, id=one.id, parent=one.parent):
            if topic == one.id or one.kind != "Update":
                _add(tx, control_of(tx, one.pod), hook, one)


def _add(tx: Tx, control: ControlKey, hook: bytes, news: News) -> None:
    if tx.run(WAITING, hook=hook)[0][0] >= MOST:
        remove(tx, hook)
        return
    ident = fresh_bytes(16)
    plain = {name: b64(value) if name in _BYTES else value for name, value in asdict(news).items()}
    sealed = seal_column(control, "knock", ident, "sealed", json.dumps(plain).encode())
    tx.add(Knock(id=ident, hook=hook, pod=news.pod, sealed=sealed))


def begin(tx: Tx, pod: "PodFacts", ident: bytes, gate: bytes, topic: bytes, said: Mapping[str, Any]) -> None:
    """Make a webhook that belongs to a gate; `said` is what is kept of it, as JSON."""
    sealed = pod.seal("hook", ident, "sealed", json.dumps(said).encode())
    tx.add(Hook(id=ident, pod=pod.id, gate=gate, topic=topic, sealed=sealed))


@dataclass(frozen=True, slots=True)
class Stored:
    """A webhook as stored."""

    pod: "PodFacts"
    gate: bytes
    topic: bytes
    said: Mapping[str, Any]


def load(vault: "Vault", ident: bytes) -> Stored | None:
    """A webhook, None if it ended. Raises KeysError or ValueError for a damaged row."""
    row = vault.db.read.get(Hook, ident)
    pod = vault.pod_by_id(row.pod) if row else None
    if row is None or pod is None:
        return None
    return Stored(pod, row.gate, row.topic, json.loads(pod.open("hook", row.id, "sealed", row.sealed)))


def there(tx: Tx, ident: bytes) -> bool:
    """Whether a webhook has not ended."""
    return bool(tx.run("SELECT 1 FROM hook WHERE id = :id", id=ident))


def busy(tx: Tx) -> list[bytes]:
    """The webhooks that have something to tell."""
    return [hook for (hook,) in tx.run("SELECT DISTINCT hook FROM knock")]


def count(tx: Tx, *, gate: bytes = b"", pod: bytes = b"") -> int:
    """How many webhooks a gate has, or how many there are in a pod."""
    return int(tx.run("SELECT count(*) FROM hook WHERE gate = :gate OR pod = :pod", gate=gate, pod=pod)[0][0])


def first(tx: Tx, pod: "PodFacts", hook: bytes) -> Waiting | None:
    """What a receiver has to get next. Raises KeysError for a damaged row."""
    rows = tx.run(NEXT, hook=hook)
    return Waiting(rows[0][0], rows[0][1], _news(pod, *rows[0][1:])) if rows else None


def _news(pod: "PodFacts", ident: bytes, sealed: bytes) -> News:
    plain: dict[str, Any] = json.loads(pod.open("knock", ident, "sealed", sealed))
    return News(**plain | {name: unb64(plain[name]) for name in _BYTES})


def took(tx: Tx, number: int) -> None:
    """Strike off what a receiver has got."""
    tx.remove(Knock, number=number)


def remove(tx: Tx, hook: bytes) -> bool:
    """End one webhook, with all that waited for it; False if it had ended."""
    tx.remove(Knock, hook=hook)
    return bool(tx.remove(Hook, id=hook))


def close(tx: Tx, gate: bytes) -> None:
    """End every webhook of a gate that is about to change, in that unit; whoever listens otherwise is looked at too."""
    for statement in FORGET:
        tx.run(statement, gate=gate)
    tx.shut.add(gate)
