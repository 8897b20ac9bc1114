"""The DPO's totals: every DPO record of the log, opened, checked against its public commitment, and counted.

A total is complete because the records are counted against the log itself, and holds no person because no DPO record
does (access-log.md, DPO record).
"""

import asyncio
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

from consent import locks
from consent.accounts.roles import may
from consent.accounts.sessions import SessionFacts
from vault import office
from vault.errors import Denied
from vault.log.entry import HOUR_MS, Appended, Facts, Intent
from vault.pod import compartment_privates
from vault.unlocked import reach
from vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Row:
    """One cell: how many log entries said this, and how many things (`count`) they were about."""

    client: str
    purpose: str
    legal_basis: str
    category: str
    action: str
    decision: str
    count: int
    entries: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The table, over all entries since the DPO's office exists.

    `opened` of `entries` records open and match the leaf in the public tree; complete means that both are equal and
    `damaged` (log indexes) is empty. `since` and `until`: first and last hour.
    """

    rows: tuple[Row, ...]
    opened: int
    entries: int
    damaged: tuple[int, ...]
    since: datetime
    until: datetime


_CELL: Final = tuple(f.name for f in fields(Row))[:-2]


async def totals(vault: Vault, session: SessionFacts, now: datetime) -> Totals:
    """Count the whole log, in an unlocked session of an officer; leaves an entry `read totals` in the office's log.

    Once a year the DPO's key gets a new generation first.

    Raises Denied for any other role, and when the session ended meanwhile.
    """
    if not may(session.role, "read totals"):
        raise Denied("role")
    await locks.yearly(vault, session, now)
    want = session.keys.want(b"")
    facts = Facts("admin", "read totals", rule="session", category=office.CATEGORY, agent=session.agent)
    done = await vault.log.append(Intent(session.pod.id, facts, now, guards=(session.guard,), wants=(want,)))
    if not isinstance(done, Appended) or want in done.missing:
        raise Denied("gone" if isinstance(done, Appended) else done.reason)
    cell = session.pod.compartment(office.CONTAINER)
    with done.shares[want] as share, reach(session.keys, share) as root:
        privates = compartment_privates(vault, session.pod, root, cell)
    with ExitStack() as held:
        for private in privates.values():
            held.enter_context(private)
        lines, keys = office.sheets(vault, session.pod.id), office.letters(vault)
        opened = await asyncio.to_thread(office.read, lines, keys, privates)
    vault.log.served(done.index)
    return _summed(opened, now)


def _summed(opened: office.Opened, now: datetime) -> Totals:
    sums: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for record in opened.records:
        cell = sums[tuple(record[name] for name in _CELL)]
        cell[0] += record["count"]
        cell[1] += 1
    rows = tuple(Row(*key, *counted) for key, counted in sorted(sums.items()))
    hours = [record["hour"] for record in opened.records] or [int(now.timestamp() * 1000) // HOUR_MS]
    since, until = (datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC) for hour in (min(hours), max(hours)))
    return Totals(rows, len(opened.records), opened.entries, opened.damaged, since, until)
