"""What an app still holds after its grant ended: a deadline, the citizen's question, and the app's signed answer.

GDPR art. 5(1)(e), 17 and 19. Keys reach no copy: this is on paper. The rule is a value in and a value out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from consent import events, outbox, period
from consent.accounts.sessions import SessionFacts
from consent.errors import BadPeriod, OAuthError
from consent.events import Step
from consent.grants import GrantFacts, load, state_at
from consent.jws import BadJws, Jws, read
from consent.lines import told
from consent.locks import LIVE
from consent.oauth.clients import ALGS, SKEW, Client
from consent.terms import Terms
from keys.text import b64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict
from vault.log.entry import Appended, Facts, Intent
from vault.vault import Vault

TYP: Final = "kluis-attestation+jwt"
GRACE: Final = timedelta(days=3)
"""The least an app gets to clean up and sign, also one that may keep nothing."""
MONTH: Final = timedelta(days=30)
"""The most it gets once the citizen has asked (art. 12(3))."""
ENDINGS: Final = frozenset({"withdrawn", "expired", "used_up", "ended", "invalidated", "objected"})


@dataclass(frozen=True, slots=True)
class Copy:
    """How it stands with an app's copy. Times in ms: `deadline` when it must be gone, `asked` by the citizen,
    `deleted` as the app signed; None for not.
    """

    state: Literal["kept", "overdue", "deleted"]
    deadline: int
    asked: int | None = None
    deleted: int | None = None


def due(terms: Terms, ended: int) -> int | None:
    """When what an app keeps must be gone (ms), by the terms it asked under; None if it said that it keeps nothing."""
    if terms.kind != "rar" or (terms.storage or {}).get("copy") == "none":
        return None
    end = datetime.fromtimestamp(ended / 1000, UTC)
    try:
        allowed = period.read(terms.retention).after(end)
    except BadPeriod:  # off the calendar
        allowed = end
    return gates.ms(max(allowed, end + GRACE))


def standing(terms: Terms, ended: int, asked: int | None, deleted: int | None, now: datetime) -> Copy | None:
    """How it stands, from terms, end, question and answer (ms); None if there is no copy that anybody spoke of."""
    own = due(terms, ended)
    wish = None if asked is None else asked + int(MONTH.total_seconds() * 1000)
    limits = [one for one in (own, wish) if one is not None]
    if not limits:
        return None
    deadline = min(limits)
    if deleted is not None:
        return Copy("deleted", deadline, asked, deleted)
    return Copy("overdue" if gates.ms(now) >= deadline else "kept", deadline, asked)


def of_grant(vault: Vault, grant: GrantFacts, now: datetime) -> Copy | None:
    """How it stands with the copy of the app of this grant; None while it lives, or if there is none."""
    if state_at(grant, now) in LIVE:
        return None
    steps = events.history(vault, grant.pod, grant.id)
    return standing(grant.terms, ended_at(grant, steps), _last(steps, "delete_asked"), _deleted(steps), now)


def ended_at(grant: GrantFacts, steps: Sequence[Step]) -> int:
    """When a grant ended (ms); one that is over and not yet swept ended when it said it would."""
    found = [step.at for step in steps if step.state in ENDINGS]
    return found[-1] if found else grant.terms.expires


async def ask(vault: Vault, session: SessionFacts, grant: bytes, now: datetime) -> bool:
    """The citizen asks the app to delete its copy; False if she has no grant with this id that ended.

    Asking twice, or for what was deleted, tells the app nothing new. Raises OAuthError access_denied if the session
    ended.
    """
    found = load(vault, grant)
    if found is None or found.pod.id != session.pod.id or found.terms.kind != "rar" or state_at(found, now) in LIVE:
        return False
    before, at = of_grant(vault, found, now), gates.ms(now)
    if before is not None and (before.asked is not None or before.deleted is not None):
        return True
    steps = events.history(vault, found.pod, grant)
    wanted = standing(found.terms, ended_at(found, steps), at, None, now)
    detail = {"deadline": wanted.deadline} if wanted else {}

    def write(tx: Tx) -> None:
        events.note(tx, found.pod, grant, at, "delete_asked", {"rule": "session"})
        outbox.put(tx, found.pod, grant, "delete", detail, now)

    facts = told(found.terms, grant, "consent", "ask deletion", "session")
    done = await vault.log.append(Intent(found.pod.id, facts, now, (session.guard,), write=write))
    if not isinstance(done, Appended):
        raise OAuthError("access_denied", "The session has ended.")
    return True


async def attest(vault: Vault, client: Client, grant: GrantFacts, statement: str, now: datetime) -> int:
    """The app says, signed, that its copy is gone; return the moment it names (ms). What it signed is the evidence.

    Raises OAuthError invalid_request for a statement that is not its own, or not about a grant that ended before.
    """
    if state_at(grant, now) in LIVE:
        raise OAuthError("invalid_request", "The grant has not ended.")
    steps = events.history(vault, grant.pod, grant.id)
    deleted = _checked(statement, client, b64(grant.id), vault.base, now)
    if not ended_at(grant, steps) // 1000 <= deleted:
        raise OAuthError("invalid_request", "deleted_at lies before the end of the grant.")
    if (known := _deleted(steps)) is not None:
        return known
    at = gates.ms(now)
    detail = {"deleted": deleted * 1000, "jws": statement}

    def write(tx: Tx) -> None:
        if tx.run("SELECT 1 FROM grantevent WHERE grant = :g AND state = 'attested'", g=grant.id):
            raise Conflict("exists")
        events.note(tx, grant.pod, grant.id, at, "attested", detail)

    facts: Facts = told(grant.terms, grant.id, "consent", "attest deletion", "client", signature=statement)
    await vault.log.append(Intent(grant.pod.id, facts, now, write=write))
    return deleted * 1000


def evidence(steps: Sequence[Step]) -> str:
    """What the app signed (compact JWS); "" for nothing yet."""
    return next((str(step.detail["jws"]) for step in reversed(steps) if step.state == "attested"), "")


def _checked(statement: str, client: Client, grant: str, base: str, now: datetime) -> int:
    """The second at which the app says that everything was gone. Raises OAuthError."""
    try:
        jws = read(statement)
        _signed(jws, client)
    except BadJws as bad:
        raise OAuthError("invalid_request", f"The attestation is not acceptable: {bad}.") from bad
    said, deleted = jws.claims, jws.claims.get("deleted_at")
    if jws.header.get("typ") != TYP or said.get("iss") != client.client_id or said.get("aud") != base:
        raise OAuthError("invalid_request", f"An attestation is of type {TYP}, from the app, to this issuer.")
    if said.get("sub") != grant:
        raise OAuthError("invalid_request", "sub is not the grant.")
    if not isinstance(deleted, int) or isinstance(deleted, bool) or not 0 < deleted <= now.timestamp() + SKEW:
        raise OAuthError("invalid_request", "deleted_at is no moment that has passed, in seconds.")
    return deleted


def _signed(jws: Jws, client: Client) -> None:
    """Raises BadJws unless one of the app's keys signed it."""
    kid, why = jws.header.get("kid"), BadJws("no key of this app fits")
    for key in client.jwks:
        if kid in (None, key.get("kid", kid)):
            try:
                jws.verify(key, ALGS)
            except BadJws as bad:
                why = bad
            else:
                return
    raise why


def _last(steps: Sequence[Step], state: str) -> int | None:
    return next((step.at for step in reversed(steps) if step.state == state), None)


def _deleted(steps: Sequence[Step]) -> int | None:
    found: list[Any] = [step.detail["deleted"] for step in steps if step.state == "attested"]
    return int(found[-1]) if found else None
