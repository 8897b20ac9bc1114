"""The DPO's totals: every DPO record of the log, opened, checked against its public commitment, and counted.

A total is complete because the records are counted against the log itself, and holds no person because no DPO record
does (access-log.md, DPO record). Looking at a part of the table changes neither: every record is opened first.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any, Final

from consent import anomalies, dormant, locks
from consent.accounts.roles import may
from consent.accounts.sessions import SessionFacts
from keys.secret import Private
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


NOBODY: Final = "-"
"""Asks for what has no app, no purpose or no category: what people and the vault did themselves."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which part of the table is asked for; "" is all, NOBODY what has none. Days in UTC, both included."""

    client: str = ""
    purpose: str = ""
    category: str = ""
    decision: str = ""
    since: date | None = None
    until: date | None = None

    def takes(self, record: dict[str, Any]) -> bool:
        """Whether a DPO record belongs to the part."""
        named = (("client", self.client), ("purpose", self.purpose), ("category", self.category))
        if any(asked and record[name] != ("" if asked == NOBODY else asked) for name, asked in named):
            return False
        if self.decision and record["decision"] != self.decision:
            return False
        on = _moment(record["hour"]).date()
        return (self.since is None or self.since <= on) and (self.until is None or on <= self.until)


ALL: Final = Filter()


@dataclass(frozen=True, slots=True)
class Totals:
    """The table, over all entries since the DPO's office exists, or the part of it that was asked for.

    `opened` of `entries` records open and match the leaf in the public tree; complete means that both are equal and
    `damaged` (log indexes) is empty: that is about the whole log, whatever was asked. `matched`: how many entries the
    rows stand for. `since` and `until`: first and last hour.
    """

    rows: tuple[Row, ...]
    opened: int
    entries: int
    damaged: tuple[int, ...]
    since: datetime
    until: datetime
    matched: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What the DPO's page shows: the part that was asked for, the whole table, and what stands out."""

    part: Totals
    whole: Totals
    anomalies: tuple[anomalies.Anomaly, ...]


_CELL: Final = tuple(f.name for f in fields(Row))[:-2]


async def totals(vault: Vault, session: SessionFacts, now: datetime, asked: Filter = ALL) -> Totals:
    """Count the whole log, in an unlocked session of an officer; leaves an entry `read totals` in the office's log.

    Once a year the DPO's key gets a new generation first.

    Raises Denied for any other role, and when the session ended meanwhile.
    """
    told = await opened(vault, session, now)
    return await asyncio.to_thread(summed, told, now, asked)


async def overview(vault: Vault, session: SessionFacts, now: datetime, asked: Filter = ALL) -> Overview:
    """The same with what stands out, behind one entry."""
    told = await opened(vault, session, now)
    return await asyncio.to_thread(_overview, vault, told, now, asked)


def _overview(vault: Vault, told: office.Opened, now: datetime, asked: Filter) -> Overview:
    hour = int(now.timestamp() * 1000) // HOUR_MS
    standing_out = anomalies.found(anomalies.cells(told.records), dormant.woken(vault, now), hour)
    return Overview(summed(told, now, asked), summed(told, now), standing_out)


async def opened(vault: Vault, session: SessionFacts, now: datetime) -> office.Opened:
    """Every DPO record, as `totals` opens them."""
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
        told = await asyncio.to_thread(_read, vault, session.pod.id, office.letters(vault), privates)
    vault.log.served(done.index)
    return told


def _read(vault: Vault, pod: bytes, keys: office.Letters, privates: Mapping[bytes, Private]) -> office.Opened:
    """In a thread, also what is read of the database: a long log must not hold up the others' requests."""
    return office.read(office.sheets(vault, pod), keys, privates)


def summed(told: office.Opened, now: datetime, asked: Filter = ALL) -> Totals:
    """The rows of the part that was asked for. Values in, values out: fit for a thread."""
    kept = [record for record in told.records if asked.takes(record)]
    sums: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for record in kept:
        cell = sums[tuple(record[name] for name in _CELL)]
        cell[0] += record["count"]
        cell[1] += 1
    rows = tuple(Row(*key, *counted) for key, counted in sorted(sums.items()))
    hours = [record["hour"] for record in kept] or [int(now.timestamp() * 1000) // HOUR_MS]
    since, until = _moment(min(hours)), _moment(max(hours))
    return Totals(rows, len(told.records), told.entries, told.damaged, since, until, len(kept))


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC)
