"""Requests that wait for a citizen: those she opened or put off, and those that are not shown to her again for a while.

Whether an app asks too often is decided when she has opened its request: before that nobody knows whose it is, and an
app never learns who refused it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from consent import again, events
from consent.accounts.sessions import SessionFacts
from consent.again import Refused
from consent.asks import Asked, read
from consent.errors import OAuthError
from consent.lines import told
from consent.tables import Pushed as PushedRow
from consent.terms import Terms
from vault import gates
from vault.database import Tx
from vault.errors import Conflict
from vault.log.entry import Appended, Facts, Intent
from vault.vault import PodFacts, Vault

DEFERRED_MS: Final = gates.DAY_MS
"""How long a request waits for a citizen who decides later."""
MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request on the citizen's list. `deferred`: she put it off; `here`: this session may answer it; `fresh`: its app
    laid it there and she never opened it.
    """

    asked: Asked
    deferred: bool
    here: bool
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Barred:
    """What an app may not ask her again, and until when (ms), None for as long as she does not say otherwise."""

    id: bytes
    client: str
    client_name: str
    purpose: str
    until: int | None


def of_citizen(vault: Vault, session: SessionFacts, now: datetime) -> list[Waiting]:
    """Every undecided request that this citizen opened or that an app laid here, newest first: none she refused."""
    at = gates.ms(now)
    rows = vault.db.read.find(PushedRow, pod=session.pod.id, done=False)
    asked = [read(vault, row) for row in rows if at < row.expires]
    put_off = {one.grant for one in events.of_kind(vault, session.pod, "deferred")}
    refused = _refused(vault, session.pod) if any(one.unasked for one in asked) else []
    shown = [one for one in asked if not one.unasked or again.barred(refused, one.terms, now) is None]
    waits = [_waits(one, session, put_off=one.handle in put_off) for one in shown]
    return sorted(waits, key=lambda one: -one.asked.at)


def _waits(one: Asked, session: SessionFacts, *, put_off: bool) -> Waiting:
    free = one.session is None
    return Waiting(one, free and put_off, free or one.session == session.handle, free and not put_off)


async def defer(vault: Vault, session: SessionFacts, asked: Asked, now: datetime) -> None:
    """She decides later: the request stays on her list for a day, whichever session she opens it in.

    Raises OAuthError invalid_request_uri if it was decided or is open in another session.
    """
    pod, at = session.pod, gates.ms(now)

    def write(tx: Tx) -> None:
        mine = {"handle": asked.handle, "session": session.handle, "done": False}
        if tx.change(PushedRow, mine, session=None, pod=pod.id, expires=asked.at + DEFERRED_MS) != 1:
            raise Conflict("decided")
        events.note(tx, pod, asked.handle, at, "deferred", {})

    facts = told(asked.terms, b"", "consent", "defer", "session")
    done = await vault.log.append(Intent(pod.id, facts, now, (session.guard,), write=write))
    if not isinstance(done, Appended):
        raise OAuthError("invalid_request_uri", "The request is decided, or open in another session.")


async def barred(vault: Vault, session: SessionFacts, asked: Asked, now: datetime) -> bool:
    """Whether the citizen refused this too recently, or for good: then it is over, and her log says why.

    A request that she put off, or that is open already, is hers to answer.
    """
    if asked.session is not None or (asked.pod is not None and not asked.unasked):
        return False
    why = refusal(vault, session.pod, asked.terms, now)
    if why is None:
        return False

    def write(tx: Tx) -> None:
        if tx.change(PushedRow, {"handle": asked.handle, "done": False}, done=True) != 1:
            raise Conflict("decided")

    facts = replace(told(asked.terms, b"", "denial", "ask", why), decision="denied")
    await vault.log.append(Intent(session.pod.id, facts, now, (session.guard,), write=write))
    return True


def refusal(vault: Vault, pod: PodFacts, asked: Terms, now: datetime) -> again.Why | None:
    """Why the citizen of a pod is not asked this now, None if she may be."""
    return again.barred(_refused(vault, pod), asked, now)


def closed(vault: Vault, session: SessionFacts, now: datetime) -> list[Barred]:
    """What apps may not ask her again right now, newest first. A login that she began herself is not among it."""
    since = gates.ms(now - again.WINDOW)
    found = [
        Barred(one.grant, said["client"], said["client_name"], said["purpose"], _until(one))
        for one in _standing(vault, session.pod)
        if (said := one.step.detail) and (one.step.state == "objected" or one.step.at > since)
        if said.get("kind") != "solid"
    ]
    return found[::-1]


async def reopen(vault: Vault, session: SessionFacts, request: bytes, now: datetime) -> bool:
    """She lets an app ask again what she refused or objected to; false if there is no such thing of hers."""
    pod, at = session.pod, gates.ms(now)
    said = next((one.step.detail for one in _standing(vault, pod) if one.grant == request), None)
    if said is None:
        return False

    def write(tx: Tx) -> None:
        events.note(tx, pod, request, at, "reopened", {})

    facts = _about(said)
    done = await vault.log.append(Intent(pod.id, facts, now, (session.guard,), write=write))
    return isinstance(done, Appended)


async def invited(vault: Vault, session: SessionFacts, client: str, now: datetime) -> None:
    """She herself lets an app ask, on a page of ours: what she refused it before no longer stands in the way."""
    for one in _standing(vault, session.pod):
        if one.step.state == "refused" and one.step.detail["client"] == client:
            await reopen(vault, session, one.grant, now)


def _standing(vault: Vault, pod: PodFacts) -> list[events.Said]:
    """Refusals and objections that she did not take back, oldest first."""
    back = {one.grant for one in events.of_kind(vault, pod, "reopened")}
    return [one for one in events.of_kind(vault, pod, "refused", "objected") if one.grant not in back]


def _refused(vault: Vault, pod: PodFacts) -> list[Refused]:
    found = _standing(vault, pod)
    return [again.read(one.step.at, one.step.detail, objected=one.step.state == "objected") for one in found]


def _until(said: events.Said) -> int | None:
    if said.step.state == "objected":
        return None
    return said.step.at + again.WINDOW // MS


def _about(said: dict[str, str]) -> Facts:
    """The line of letting an app ask again."""
    return Facts(
        "consent",
        "reopen",
        rule="session",
        client=said["client"],
        client_name=said["client_name"],
        app=said["client"],
        purpose=said["purpose"],
        legal_basis=said["basis"],
    )
