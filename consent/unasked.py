"""Requests that an app lays on a citizen's list itself, for the pod it names (Linked Web Storage: access requests).

It is a pushed request like any other, and she decides on the same page. An app that was not reviewed, that laid one
there in the last 30 days, or that she refused, still gets its answer, for it must not learn which; its request is then
on no list, and waits for whoever the app itself leads to it, under the same rules.
"""

import hmac
from datetime import datetime
from typing import Any, Final

from consent import again, asks, columns, events, waiting
from consent.asks import Asked, Shown
from consent.lines import told
from consent.oauth.clients import Client
from consent.oauth.par import Pushed
from consent.tables import Pushed as PushedRow
from keys.text import unb64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict
from vault.log.entry import Intent
from vault.vault import PodFacts, Vault

MOST: Final = 20
"""Apps that may lay a request on one citizen's list within the window of consent.again."""
RECENT: Final = "SELECT grant, at, sealed FROM grantevent WHERE pod = :pod AND state = 'requested' AND at > :since"


async def put(vault: Vault, said: Pushed, shown: Shown, client: Client, now: datetime) -> Asked:
    """Keep a request for a day, on her list if it may be there, behind a line of her log.

    Raises OAuthError if its proof or assertion was used before. A crash in between leaves it on no list.
    """
    asked = await asks.push(vault, said, shown, now, waits=waiting.DEFERRED_MS)
    pod = vault.pod(said.terms.pod)
    if pod is not None and client.trust == "city" and waiting.refusal(vault, pod, said.terms, now) is None:
        await _lay(vault, pod, asked, now)
    return asked


async def _lay(vault: Vault, pod: PodFacts, asked: Asked, now: datetime) -> None:
    since, client = gates.ms(now - again.WINDOW), asked.said.client_id

    def crowded(tx: Tx) -> bool:
        rows = tx.run(RECENT, pod=pod.id, since=since)
        laid = [step for row in rows if (step := _opened(pod, *row)).get("unasked")]
        return len(laid) >= MOST or any(step["terms"]["client"] == client for step in laid)

    def write(tx: Tx) -> None:
        if crowded(tx):  # of two at once, one
            raise Conflict("asked_too_soon")
        tx.change(PushedRow, {"handle": asked.handle, "done": False}, pod=pod.id)
        events.note(tx, pod, asked.handle, asked.at, "requested", asks.requested(asked))

    if not crowded(vault.db.read):
        facts = told(asked.terms, b"", "consent", "ask", "client")
        await vault.log.append(Intent(pod.id, facts, now, write=write))


def _opened(pod: PodFacts, grant: bytes, at: int, sealed: bytes) -> dict[str, Any]:
    said: dict[str, Any] = columns.take(pod.control, "grantevent", grant + at.to_bytes(8, "big"), sealed, "requested")
    return said


def held(vault: Vault, handle: str, jkt: str, now: datetime) -> Asked | None:
    """The undecided request of this id, for who holds the key that it was pushed with."""
    try:
        row = vault.db.read.get(PushedRow, unb64(handle))
    except ValueError:
        return None
    if row is None or row.done or gates.ms(now) >= row.expires:
        return None
    asked = asks.read(vault, row)
    return asked if asked.unasked and hmac.compare_digest(asked.said.jkt, jkt) else None


async def cancel(vault: Vault, asked: Asked) -> bool:
    """The app takes its request back, unless it was decided at this moment."""
    mine = {"handle": asked.handle, "done": False}
    return await vault.db.write(lambda tx: tx.change(PushedRow, mine, done=True)) == 1
