"""The officers of an office: who they are, and taking one out who left.

What the leaver kept is the office's root, so taking her ways in away is not enough: all locks are changed as well, and
from then on every entry is sealed to a key that she never had. What she read before she has read.
"""

from datetime import datetime

from consent import locks
from consent.accounts import people, sessions
from consent.accounts.people import AccountFacts
from consent.accounts.sessions import SessionFacts
from consent.tables import Account, Session
from vault import unlockers
from vault.database import Tx
from vault.errors import Conflict, Denied
from vault.log.entry import Facts, Intent, Refused
from vault.vault import Vault


def others(vault: Vault, session: SessionFacts) -> list[AccountFacts]:
    """The other people of an office; nobody for a session that is no officer's."""
    if session.pod.kind != "office":
        return []
    rows = vault.db.read.find(Account, order_by="id", pod=session.pod.id)
    found = (people.by_id(vault, row.id) for row in rows if row.id != session.account)
    return [account for account in found if account is not None]


async def remove(vault: Vault, session: SessionFacts, user: str, now: datetime) -> None:
    """Take another officer out: her ways in, her sessions, new locks for the office, and last her account.

    In this order: broken off at any moment it can be done again, and then is finished. The caller asked for a fresh
    proof. Raises Denied, "gone" if there is no such officer and "changed" if she added a way in meanwhile (then it is
    to be done again), TooFewUnlockers if too few ways in would be left.
    """
    leaver = next((one for one in others(vault, session) if one.user == user), None)
    if leaver is None:
        raise Denied("gone")
    for way in _stored(vault, leaver):
        await unlockers.remove(vault, session, way, now)
    for row in vault.db.read.find(Session, account=leaver.id):
        await sessions.end_of(vault, row.pod, row.handle, now, session.agent)
    await locks.change_all(vault, session, now)

    def write(tx: Tx) -> None:
        if _stored(vault, people.by_id(vault, leaver.id, tx), tx):
            raise Conflict("changed")  # she added one before her session ended, and the new locks know it
        tx.remove(Account, id=leaver.id)

    facts = Facts("admin", "remove officer", rule="session", agent=session.agent, note=user)
    done = await vault.log.append(Intent(session.pod.id, facts, now, (session.guard,), write=write))
    if isinstance(done, Refused):
        raise Denied(done.reason)


def _stored(vault: Vault, leaver: AccountFacts | None, tx: Tx | None = None) -> list[bytes]:
    """Which of her ways in still open the office."""
    if leaver is None:
        return []
    stored = {row.id for row in unlockers.unlockers(vault, leaver.pod, tx)}
    return [way.id for way in leaver.ways if way.id in stored]
