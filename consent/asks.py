"""Pushed authorisation requests (RFC 9126): kept, bound to the first session that opens them, decided once.

The handle of a request becomes the id of its grant, so that the steps before and after the decision are one history.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consent import again, columns, events
from consent.accounts.sessions import SessionFacts
from consent.errors import OAuthError
from consent.lines import told
from consent.oauth.clients import Assertion
from consent.oauth.dpop import Proof
from consent.oauth.par import REQUEST_URI, Pushed
from consent.tables import Pushed as PushedRow
from consent.terms import Terms
from keys.secret import fresh_bytes
from keys.text import b64, unb64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict
from vault.log.append import see
from vault.log.entry import Appended, Facts, Intent
from vault.vault import PodFacts, Vault

LIFETIME_S: Final = 90
"""How long a pushed request waits for somebody to open it."""
OPEN_MS: Final = 600_000
"""How long a request lives on from the moment somebody opened it: long enough to log in and to read."""
TAKE = """
UPDATE pushed SET session = :session, pod = :pod, expires = max(expires, :until)
WHERE handle = :handle AND done = 0 AND :now < expires AND (session IS NULL OR session = :session)
  AND (pod IS NULL OR pod = :pod)
RETURNING handle
"""
UNSEEN = "SELECT 1 FROM grantevent WHERE grant = :g AND state = 'requested'"


@dataclass(frozen=True, slots=True)
class Shown:
    """How a client proved itself in one request; both parts are good for one use."""

    proof: Proof
    assertion: Assertion | None

    def remember(self, tx: Tx) -> None:
        """Keep both for their window inside a unit, or raise Conflict `replay` or `assertion_replay`."""
        see(tx, self.proof.jti_hash, self.proof.until)
        if self.assertion is not None:
            try:
                see(tx, self.assertion.jti_hash, self.assertion.until)
            except Conflict:
                raise Conflict("assertion_replay") from None


async def spend(vault: Vault, once: Assertion | Proof | None) -> None:
    """Use up an assertion or proof that came alone. Raises OAuthError if it was used before."""
    if once is None:
        return
    try:
        await vault.db.write(lambda tx: see(tx, once.jti_hash, once.until))
    except Conflict as used:
        raise replayed("replay" if isinstance(once, Proof) else "assertion_replay") or used from used


def replayed(reason: str) -> OAuthError | None:
    """The OAuth error of a refused unit, if the reason was a replay."""
    if reason == "replay":
        return OAuthError("invalid_dpop_proof", "The proof was used before.")
    return OAuthError("invalid_client", "The assertion was used before.") if reason == "assertion_replay" else None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits for a citizen: what was said (consent.oauth.par), when (ms), until when, by which session it
    is held, and whose it is since she first opened it. `unasked`: its app named her pod and led nobody to it
    (consent.unasked).
    """

    handle: bytes
    said: Pushed
    at: int
    expires: int
    session: bytes | None = None
    pod: bytes | None = None
    unasked: bool = False

    @property
    def terms(self) -> Terms:
        """What the app asks."""
        return self.said.terms

    @property
    def request_uri(self) -> str:
        """The reference that the app shows at the front."""
        return REQUEST_URI + b64(self.handle)


async def push(vault: Vault, said: Pushed, shown: Shown, now: datetime, *, waits: int = 0) -> Asked:
    """Keep a request; one to which its app leads nobody, for `waits` ms. Raises OAuthError if its proof or assertion
    was used before.
    """
    at = gates.ms(now)
    asked = Asked(fresh_bytes(16), said, at, at + (waits or LIFETIME_S * 1000), unasked=bool(waits))
    kept = {"said": said.to_json(), "at": at} | ({"unasked": True} if waits else {})
    sealed = columns.put(vault.state, "pushed", asked.handle, kept)

    def write(tx: Tx) -> None:
        shown.remember(tx)
        tx.add(PushedRow(handle=asked.handle, expires=asked.expires, sealed=sealed))

    try:
        await vault.db.write(write)
    except Conflict as used:
        raise replayed(used.reason) or used from used
    return asked


def find(vault: Vault, handle: str, client: str, now: datetime) -> Asked:
    """The undecided, unexpired request of this client; else OAuthError invalid_request_uri, whatever the reason."""
    try:
        row = vault.db.read.get(PushedRow, unb64(handle))
    except ValueError:
        row = None
    if row is None or row.done or gates.ms(now) >= row.expires:
        raise _unknown()
    asked = read(vault, row)
    if asked.said.client_id != client:
        raise _unknown()
    return asked


def read(vault: Vault, row: PushedRow) -> Asked:
    """A stored request."""
    plain = columns.take(vault.state, "pushed", row.handle, row.sealed)
    said, unasked = Pushed.from_json(plain["said"]), plain.get("unasked", False)
    return Asked(row.handle, said, plain["at"], row.expires, row.session, row.pod, unasked)


async def keep(vault: Vault, asked: Asked, now: datetime) -> None:
    """Somebody without a session opened the request and is sent to the login: give her time, once."""
    if asked.expires == asked.at + LIFETIME_S * 1000:
        until = gates.ms(now) + OPEN_MS
        await vault.db.write(lambda tx: tx.change(PushedRow, {"handle": asked.handle, "done": False}, expires=until))


async def show(vault: Vault, session: SessionFacts, asked: Asked, notice: dict[str, Any], now: datetime) -> None:
    """Bind the request to this session before its page is shown; the first time, it enters the citizen's log.

    `notice` says what is about to be shown: hash, language, UI version, and what it can be rebuilt from. Another
    session's request: OAuthError invalid_request_uri.
    """
    pod, at = session.pod, gates.ms(now)

    def write(tx: Tx) -> None:
        if not tx.run(TAKE, session=session.handle, pod=pod.id, handle=asked.handle, now=at, until=at + OPEN_MS):
            raise Conflict("taken")
        if not tx.run(UNSEEN, g=asked.handle):
            events.note(tx, pod, asked.handle, asked.at, "requested", requested(asked))
        events.note(tx, pod, asked.handle, at, "shown", notice)

    facts = told(asked.terms, b"", "consent", "ask", "session", digest=notice["hash"])
    await _step(vault, session, pod, facts, now, write)


def claim(session: SessionFacts, asked: Asked) -> Callable[[Tx], None]:
    """The part of a unit that decides the request: of two answers to one request the second is a Conflict."""

    def write(tx: Tx) -> None:
        if tx.change(PushedRow, {"handle": asked.handle, "session": session.handle, "done": False}, done=True) != 1:
            raise Conflict("decided")

    return write


async def refuse(vault: Vault, session: SessionFacts, asked: Asked, now: datetime) -> None:
    """The citizen says no: the request is over, and her log says so."""
    pod, at, claimed = session.pod, gates.ms(now), claim(session, asked)

    def write(tx: Tx) -> None:
        claimed(tx)
        events.note(tx, pod, asked.handle, at, "refused", again.kept(asked.terms))

    await _step(vault, session, pod, told(asked.terms, b"", "consent", "refuse", "session"), now, write)


async def _step(vault: Vault, session: SessionFacts, pod: PodFacts, facts: Facts, now: datetime, write: Any) -> None:
    done = await vault.log.append(Intent(pod.id, facts, now, guards=(session.guard,), write=write))
    if not isinstance(done, Appended):
        raise _unknown()


def requested(asked: Asked) -> dict[str, Any]:
    """What the step `requested` keeps of a request."""
    said = {"terms": asked.terms.to_json(), "redirect_uri": asked.said.redirect_uri, "action": asked.said.action}
    return said | ({"unasked": True} if asked.unasked else {})


def _unknown() -> OAuthError:
    return OAuthError("invalid_request_uri", "The request is unknown, expired, decided, or open in another session.")
