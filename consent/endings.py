"""How a grant ends: one transaction (gate, wraps, event, receipt, entry), then the shares, then the answer.

No key is needed to end a grant. Its decision, events and receipts stay; token rows stay without their wrap, so that a
late use is recognised, refused and logged.
"""

from datetime import datetime
from typing import Final

from consent import copies, events, outbox, receipts
from consent.accounts.sessions import SessionFacts
from consent.errors import OAuthError
from consent.grants import GrantFacts, load, put_receipt, readable, state_at
from consent.lines import told
from consent.tables import GrantKeyRow, Token
from keys.text import b64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict
from vault.log.entry import Appended, Guard, Intent
from vault.shares import Drop
from vault.vault import Vault

ENDED: Final = frozenset({"withdrawn", "expired", "ended", "used_up"})
OVER: Final = """
SELECT g.id FROM gate g JOIN grant t ON t.id = g.id
WHERE g.state IN ('live', 'paused') AND (g.not_after <= :now OR g.uses_left = 0)
"""
FORGET: Final = ("DELETE FROM pushed WHERE expires < :then", "DELETE FROM token WHERE kind = 'kat' AND expires < :then")


async def withdraw(vault: Vault, session: SessionFacts, grant: bytes, now: datetime) -> bool:
    """The citizen takes her grant back; false if she has none with this id.

    Twice is fine: the second makes sure that no share is left. When this returns no share of the grant exists, so no
    copy of a token opens anything. Raises OAuthError access_denied if the session ended.
    """
    found = load(vault, grant)
    if found is None or found.pod.id != session.pod.id:
        return False
    if found.state in ENDED:
        await vault.log.drop((Drop("grant", grant),))
        return True
    done = await _end(vault, found, "withdrawn", ("withdraw", "session"), (session.guard,), now)
    if not done and (again := load(vault, grant)) and again.state not in ENDED:
        raise OAuthError("access_denied", "The session has ended.")
    return True


async def revoke(vault: Vault, grant: GrantFacts, now: datetime) -> None:
    """The app gives its grant back (RFC 7009, grant management)."""
    if grant.state not in ENDED:
        await _end(vault, grant, "ended", ("revoke", "client"), (), now)


async def reused(vault: Vault, grant: GrantFacts, now: datetime) -> None:
    """A code was shown twice: somebody else may hold what it gave, so all of it ends."""
    if grant.state not in ENDED:
        await _end(vault, grant, "ended", ("revoke", "code_reused"), (), now)


async def sweep(vault: Vault, now: datetime) -> int:
    """End every grant that is past its end or its last use, and return how many there were.

    The gates refused them already; this deletes what was left of their keys. Requests and access tokens that were over
    a day ago are forgotten.
    """
    at = gates.ms(now)
    over = [found for (gate,) in vault.db.read.run(OVER, now=at) if (found := readable(vault, gate))]
    for grant in over:
        state = state_at(grant, now)
        await _end(vault, grant, state, ("end", state), (), now)
    await vault.db.write(lambda tx: [tx.run(sql, then=at - gates.DAY_MS) for sql in FORGET])
    return len(over)


async def _end(
    vault: Vault, grant: GrantFacts, state: str, why: tuple[str, str], guards: tuple[Guard, ...], now: datetime
) -> bool:
    at, pod = gates.ms(now), grant.pod
    receipt = receipts.issue(vault.issuer, grant.terms, b64(grant.id), state, now)
    facts, due = told(grant.terms, grant.id, "consent", *why, digest=receipt.digest), copies.due(grant.terms, at)

    def write(tx: Tx) -> None:
        gate = gates.read(tx, grant.id)
        if gate is None or gate.state in ENDED:
            raise Conflict("ended")
        gates.end(tx, grant.id, state)
        tx.change(Token, {"grant": grant.id}, wrap=None)
        tx.remove(GrantKeyRow, grant=grant.id)
        events.note(tx, pod, grant.id, at, state, {"rule": why[1]})
        put_receipt(tx, pod, grant.id, receipt.jws, at)
        outbox.put(tx, pod, grant.id, state, {} if due is None else {"deadline": due}, now)

    drops = (Drop("grant", grant.id),)
    intent = Intent(pod.id, facts, now, guards=guards, write=write, drops=drops, receipt=True)
    return isinstance(await vault.log.append(intent), Appended)
