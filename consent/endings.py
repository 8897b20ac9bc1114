"""How a grant ends: one transaction (gate, wraps, event, receipt, entry), then the shares, then the answer.

No key is needed to end a grant. Its decision, events and receipts stay; token rows stay without their wrap, so that a
late use is recognised, refused and logged. Where the law or a public task is the ground, the citizen does not withdraw
but objects (GDPR 21): the same stop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from consent import again, copies, events, outbox, receipts
from consent.accounts.roles import may
from consent.accounts.sessions import SessionFacts
from consent.errors import BadChoice, OAuthError
from consent.grants import GrantFacts, listing, load, put_receipt, readable, state_at
from consent.lines import told
from consent.oauth.registration import clean_text
from consent.purposes import withdrawable
from consent.tables import GrantKeyRow, Token
from consent.terms import Terms
from keys.text import b64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict, Denied
from vault.log.entry import Appended, Guard, Intent
from vault.shares import Drop
from vault.vault import Vault

ENDED: Final = frozenset({"withdrawn", "objected", "invalidated", "expired", "ended", "used_up"})
LONGEST_REASON: Final = 300
OVER: Final = """
SELECT g.id FROM gate g JOIN grant t ON t.id = g.id
WHERE g.state IN ('live', 'restricted') AND (g.not_after <= :now OR g.uses_left = 0)
"""
FORGET: Final = (
    "DELETE FROM pushed WHERE expires < :then",
    "DELETE FROM token WHERE kind IN ('kat', 'kac') AND expires < :then",
)


@dataclass(frozen=True, slots=True)
class End:
    """How a grant ends: the state after it, the action and rule of its line, what the event keeps, and what it says."""

    state: str
    action: str
    rule: str
    more: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


async def withdraw(
    vault: Vault, session: SessionFacts, grant: bytes, now: datetime, *, erase: bool = False, objects: bool = False
) -> bool:
    """The citizen takes her grant back, or objects to it; false if she has none with this id.

    What rests on no consent of hers cannot be withdrawn: there it is an objection, and stops as much. She may object to
    anything. `erase`: she wants the app to delete its copy.

    Twice is fine: the second makes sure that no share is left. When this returns no share of the grant exists, so no
    copy of a token opens anything. Raises OAuthError access_denied if the session ended.
    """
    found = load(vault, grant)
    if found is None or found.pod.id != session.pod.id:
        return False
    if found.state in ENDED:
        await vault.log.drop((Drop("grant", grant),))
        return True
    objects = objects or not withdrawable(found.terms.legal_basis)
    why = End("objected", "object", "session") if objects else End("withdrawn", "withdraw", "session")
    more = again.kept(found.terms) if objects else {}
    done = await _end(vault, found, replace(why, more=more | ({"erase": True} if erase else {})), (session.guard,), now)
    if not done and (left := load(vault, grant)) and left.state not in ENDED:
        raise OAuthError("access_denied", "The session has ended.")
    if objects and again.is_marketing(found.terms.purpose_code):
        await _no_marketing(vault, session, found.terms, now)
    return True


async def _no_marketing(vault: Vault, session: SessionFacts, terms: Terms, now: datetime) -> None:
    """Who objects to marketing objects to all of it, by whoever stands behind the app (GDPR 21(2) and (3))."""
    for other in listing(vault, session.pod):
        theirs = terms.client == other.terms.client or terms.controller == other.terms.controller
        if other.state not in ENDED and theirs and again.is_marketing(other.terms.purpose_code):
            why = End("objected", "object", "session", again.kept(other.terms))
            await _end(vault, other, why, (session.guard,), now)


async def invalidate(vault: Vault, officer: SessionFacts, grant: bytes, reason: str, now: datetime) -> bool:
    """The DPO finds that a consent was never valid and ends it, with a reason that the citizen reads; false if there is
    no such grant. Nobody's key is needed.

    Raises Denied for any other role and when the session ended, BadChoice without a reason of 1 to 300 characters.
    """
    if not may(officer.role, "invalidate grants"):
        raise Denied("role")
    said = clean_text(reason)
    if not 0 < len(said) <= LONGEST_REASON:
        raise BadChoice("a reason has 1 to 300 characters")
    found = load(vault, grant)
    if found is None:
        return False
    if found.state not in ENDED:
        why = End("invalidated", "invalidate", "dpo", {"reason": said}, said)
        guard = replace(officer.guard, pod=officer.pod.id)
        if not await _end(vault, found, why, (guard,), now):
            raise Denied("ended")
    return True


async def revoke(vault: Vault, grant: GrantFacts, now: datetime) -> None:
    """The app gives its grant back (RFC 7009, grant management)."""
    if grant.state not in ENDED:
        await _end(vault, grant, End("ended", "revoke", "client"), (), now)


async def reused(vault: Vault, grant: GrantFacts, now: datetime) -> None:
    """A code was shown twice: somebody else may hold what it gave, so all of it ends."""
    if grant.state not in ENDED:
        await _end(vault, grant, End("ended", "revoke", "code_reused"), (), now)


async def sweep(vault: Vault, now: datetime) -> int:
    """End every grant that is past its end or its last use, and return how many there were.

    The gates refused them already; this deletes what was left of their keys. Requests, codes and access tokens that
    were over a day ago are forgotten: an old code in somebody's history ends nothing any more.
    """
    at = gates.ms(now)
    over = [found for (gate,) in vault.db.read.run(OVER, now=at) if (found := readable(vault, gate))]
    for grant in over:
        state = state_at(grant, now)
        await _end(vault, grant, End(state, "end", state), (), now)
    await vault.db.write(lambda tx: [tx.run(sql, then=at - gates.DAY_MS) for sql in FORGET])
    return len(over)


async def _end(vault: Vault, grant: GrantFacts, why: End, guards: tuple[Guard, ...], now: datetime) -> bool:
    at, pod = gates.ms(now), grant.pod
    receipt = receipts.issue(vault.issuer, grant.terms, b64(grant.id), why.state, now)
    facts = told(grant.terms, grant.id, "consent", why.action, why.rule, digest=receipt.digest, note=why.note)
    facts, wish = replace(facts, grant_version=grant.version), at if why.more.get("erase") else None
    copy = copies.standing(grant.terms, at, wish, None, now)

    def write(tx: Tx) -> None:
        gate = gates.read(tx, grant.id)
        if gate is None or gate.state in ENDED:
            raise Conflict("ended")
        gates.end(tx, grant.id, why.state)
        tx.change(Token, {"grant": grant.id}, wrap=None)
        tx.remove(GrantKeyRow, grant=grant.id)
        events.note(tx, pod, grant.id, at, why.state, {"rule": why.rule, **why.more})
        put_receipt(tx, pod, grant.id, receipt.jws, at)
        due = {} if copy is None else {"deadline": copy.deadline}
        outbox.put(tx, pod, grant.id, why.state, due, now)
        if wish is not None:
            events.note(tx, pod, grant.id, at, "delete_asked", {"rule": why.rule})
            outbox.put(tx, pod, grant.id, "delete", due, now)

    drops = (Drop("grant", grant.id),)
    intent = Intent(pod.id, facts, now, guards=guards, write=write, drops=drops, receipt=True)
    return isinstance(await vault.log.append(intent), Appended)
