"""What waits to be told to apps: written in the unit of what happened, struck off once the app has taken it.

So nothing is told that did not happen, and nothing that happened is forgotten: a crash between delivery and strike-off
sends the same token again, with the same `jti`. A message is sealed under its pod's control key and goes with the pod;
what an erasure itself has to tell is sealed under the state key and names no pod.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from consent import columns, events, signals
from consent.errors import BadTerms
from consent.signals import Signal
from consent.tables import Grant, Waiting
from consent.terms import Datum, Terms
from keys.errors import KeysError
from keys.secret import ControlKey, StateKey, fresh_bytes
from keys.text import b64, unb64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict, VaultError
from vault.log.entry import Appended, Facts, Intent
from vault.vault import PodFacts, Vault

KEPT: Final = timedelta(days=7)
"""How long it is tried; then it is given up, which the citizen can read."""
NOBODY: Final = b""
SIZE: Final = "SELECT coalesce(max(idx), -1) + 1 FROM entry"
SINCE: Final = "SELECT id FROM outbox WHERE after >= :after ORDER BY after, id"
LIVE: Final = (
    "SELECT g.id FROM grant g JOIN gate t ON t.id = g.id WHERE g.pod = :pod AND t.state IN ('live', 'restricted')"
)
DELETED: Final = "SELECT 1 FROM grantevent WHERE grant = :grant AND state = 'attested'"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing an app has to be told: its id, the pod it is about (b"" for one that was erased), the signal, and what
    the line in the log says of the grant. `after`: how long the log was when it was written.
    """

    id: bytes
    pod: bytes
    after: int
    signal: Signal
    about: Mapping[str, Any]

    def outdated(self, now: datetime) -> bool:
        """Whether it was tried for long enough."""
        return gates.ms(now) - self.signal.at >= KEPT // timedelta(milliseconds=1)


def put(tx: Tx, pod: PodFacts, grant: bytes, event: str, detail: Mapping[str, Any], now: datetime) -> None:
    """Have the app of a grant told of `event` (consent.signals), inside the unit of the writer that makes it true.

    A person's own programs are told nothing. Raises BadChoice for an event or a detail that there is not, Conflict
    ("gone") for a grant that there is not.
    """
    signals.check(event, detail)
    terms = _terms(tx, pod, grant)
    if terms.kind == "rar":
        _add(tx, pod.control, pod.id, _plain(grant, terms, event, detail, now))


def corrected(tx: Tx, pod: PodFacts, path: str, category: str, by: str, now: datetime) -> None:
    """Have the apps that may read the resource at `path` told that it was changed or removed (art. 16), in that unit.

    Once, as long as an app has not been told; not the app whose own grant it was, `by` (its shown id, or "").
    """
    known = {(one.signal.grant, one.signal.detail.get("category")) for one in _waiting(tx, pod)}
    for grant, terms in _readable(tx, pod, [grant for (grant,) in tx.run(LIVE, pod=pod.id)]):
        told = {datum.category for datum in terms.data if _covers(datum, path, category)}
        for one in sorted(told) if "read" in terms.actions and b64(grant) != by else ():
            if (b64(grant), one) not in known:
                put(tx, pod, grant, "corrected", {"category": one}, now)


def last(tx: Tx, state: StateKey, pod: PodFacts, now: datetime, deadline: int) -> None:
    """What the apps of a pod have to be told when it is erased, inside that unit, before its rows go: that access
    ended, and that what they kept must be gone by `deadline` (ms). Whatever waited for the pod is told no more.
    """
    live, detail = {grant for (grant,) in tx.run(LIVE, pod=pod.id)}, {"deadline": deadline}
    for grant, terms in _readable(tx, pod, [row.id for row in tx.find(Grant, pod=pod.id)]):
        if grant in live:
            _add(tx, state, NOBODY, _plain(grant, terms, "withdrawn", detail, now))
        if not tx.run(DELETED, grant=grant):
            _add(tx, state, NOBODY, _plain(grant, terms, "delete", detail, now))


def since(vault: Vault, after: int) -> list[Message]:
    """What was put there when the log had `after` entries or more, oldest first; what does not open is left out."""
    rows = (vault.db.read.get(Waiting, ident) for (ident,) in vault.db.read.run(SINCE, after=after))
    return [found for row in rows if row is not None and (found := _opened(vault, row)) is not None]


def of_pod(vault: Vault, pod: PodFacts) -> list[Message]:
    """What apps still have to be told of a pod, oldest first."""
    return _waiting(vault.db.read, pod)


def count(vault: Vault) -> int:
    """How much waits to be told, of all pods."""
    return int(vault.db.read.run("SELECT count(*) FROM outbox")[0][0])


def stands(vault: Vault, message: Message) -> bool:
    """Whether it still has to be told: not if the pod was erased meanwhile."""
    return vault.db.read.get(Waiting, message.id) is not None


async def told(vault: Vault, message: Message, how: str, now: datetime) -> bool:
    """Strike off what the app has taken, with the line that says so; `how` is `push` or `poll`. False if it was."""
    return await _close(vault, message, "tell app", "told", how, now)


async def give_up(vault: Vault, message: Message, now: datetime) -> bool:
    """Strike off what no app took in time, with the line that says so."""
    return await _close(vault, message, "give up telling app", "untold", "", now)


async def _close(vault: Vault, message: Message, action: str, state: str, how: str, now: datetime) -> bool:
    signal, pod = message.signal, vault.pod_by_id(message.pod) if message.pod else None
    detail = {"event": signal.event, "jti": signal.jti, "how": how}

    def write(tx: Tx) -> None:
        if not tx.remove(Waiting, id=message.id):
            raise Conflict("gone")
        if pod is not None:
            events.note(tx, pod, unb64(signal.grant), gates.ms(now), state, detail)

    if not stands(vault, message):
        return False
    whose = vault.office if pod is None else pod.id
    facts = Facts("consent", action, rule=signal.event, note=how, grant_version=1, **message.about)
    return isinstance(await vault.log.append(Intent(whose, facts, now, write=write)), Appended)


def _terms(tx: Tx, pod: PodFacts, grant: bytes) -> Terms:
    row = tx.get(Grant, grant)
    if row is None or row.pod != pod.id:
        raise Conflict("gone")
    plain = columns.take(pod.control, "grant", grant, row.sealed)
    plain.pop("nonce", None)
    return Terms.from_json(plain)


def _readable(tx: Tx, pod: PodFacts, grants: Iterable[bytes]) -> Iterator[tuple[bytes, Terms]]:
    """Those of the grants that an app has. A damaged decision names no app, and keeps its citizen from nothing."""
    for grant in grants:
        try:
            terms = _terms(tx, pod, grant)
        except (BadTerms, KeysError, ValueError):
            continue
        if terms.kind == "rar":
            yield grant, terms


def _covers(datum: Datum, path: str, category: str) -> bool:
    """Whether a row of a grant shows what lies at this path."""
    if datum.derived:
        return datum.answer_path == path
    return datum.category == category and (datum.resources is None or path in datum.resources)


def _plain(
    grant: bytes, terms: Terms, event: str, detail: Mapping[str, Any], now: datetime
) -> dict[str, dict[str, Any]]:
    about = {
        "client": terms.client,
        "client_name": terms.client_name,
        "app": terms.client,
        "purpose": terms.purpose_code,
        "legal_basis": terms.legal_basis,
        "grant": b64(grant),
    }
    said = {"grant": b64(grant), "client": terms.client, "event": event, "detail": dict(detail), "at": gates.ms(now)}
    return {"signal": said, "about": about}


def _add(tx: Tx, key: StateKey | ControlKey, pod: bytes, plain: Mapping[str, Any]) -> None:
    ident = fresh_bytes(16)
    sealed = columns.put(key, "outbox", ident, plain)
    tx.add(Waiting(id=ident, pod=pod, after=tx.run(SIZE)[0][0], sealed=sealed))
    tx.wake = True


def _waiting(tx: Tx, pod: PodFacts) -> list[Message]:
    found = (_message(pod.control, row) for row in tx.find(Waiting, order_by="after, id", pod=pod.id))
    return [one for one in found if one is not None]


def _opened(vault: Vault, row: Waiting) -> Message | None:
    if row.pod == NOBODY:
        return _message(vault.state, row)
    try:
        pod = vault.pod_by_id(row.pod)
    except (KeysError, VaultError):
        return None
    return None if pod is None else _message(pod.control, row)


def _message(key: StateKey | ControlKey, row: Waiting) -> Message | None:
    """What a row says; None for a damaged one, which is told to nobody and holds up no other."""
    try:
        plain = columns.take(key, "outbox", row.id, row.sealed)
    except (KeysError, ValueError):
        return None
    return Message(row.id, row.pod, row.after, Signal(jti=b64(row.id), **plain["signal"]), plain["about"])
