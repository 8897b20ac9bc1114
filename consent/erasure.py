"""The end of a pod: by the citizen, who opens it once more to say so, or by the operator for somebody who asked.

What an app holds already is not reached by this; it is told to delete it (`consent.outbox`), and its receipts let it
prove the consent it had.
"""

from dataclasses import replace
from datetime import datetime

from consent import copies, outbox
from consent.accounts.sessions import SessionFacts
from consent.oauth.clients import CREDENTIALS
from consent.tables import Account, ClientRow, Grant, Link, Pushed, Session
from keys.text import b64
from vault import erasure, gates
from vault.database import Tx
from vault.shares import Want
from vault.unlockers import Also
from vault.vault import PodFacts, Vault


async def by_citizen(vault: Vault, session: SessionFacts, now: datetime) -> int:
    """Erase the pod of a session whose owner has just shown a way in again. Returns the line's index. Raises Denied."""
    guard = replace(session.guard, pod=session.pod.id)
    return await erasure.erase(vault, session.pod, "citizen", now, (guard,), _also(vault, session.pod, now))


async def by_operator(vault: Vault, pod: PodFacts, now: datetime) -> int:
    """Erase a pod for somebody who asked for it at the desk. Raises Conflict("office") for a pod without a citizen."""
    return await erasure.erase(vault, pod, "operator", now, also=_also(vault, pod, now))


def erased(vault: Vault, pod: bytes) -> bool:
    """Whether the pod with this id was erased here."""
    return vault.shares.deleted(Want("custody", pod))


def _also(vault: Vault, pod: PodFacts, now: datetime) -> Also:
    """What this floor keeps of a person outside rows that name the pod: her own credentials, links, open requests; and
    what her apps still have to be told.
    """
    deadline = gates.ms(now + copies.MONTH)

    def write(tx: Tx) -> None:
        outbox.last(tx, vault.state, pod, now, deadline)
        for grant in tx.find(Grant, pod=pod.id):
            tx.remove(ClientRow, id=CREDENTIALS + b64(grant.id))
        for account in tx.find(Account, pod=pod.id):
            tx.remove(Link, account=account.id)
        for session in tx.find(Session, pod=pod.id):
            tx.remove(Pushed, session=session.handle)

    return write
