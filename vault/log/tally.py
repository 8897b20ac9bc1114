"""Denials that nobody's token stands behind, summed so that a flood cannot fill the log (house.md, section 4).

The sum is durable at once, in a small table; each closed minute becomes one entry with a count.
"""

from contextlib import suppress
from datetime import datetime

from vault.database import Tx
from vault.errors import Stale
from vault.gates import ms
from vault.log.append import Log
from vault.log.entry import Facts, Intent
from vault.tables import Tally

MINUTE_MS = 60_000
ADD = """
INSERT INTO tally (pod, reason, minute, count) VALUES (:pod, :reason, :minute, 1)
ON CONFLICT (pod, reason, minute) DO UPDATE SET count = count + 1
"""


async def add(log: Log, pod: bytes, reason: str, at: datetime, action: str = "read") -> None:
    """Count one denial for a pod; durable when it returns. `reason` is a stable code."""
    said = f"{action} {reason}"
    await log.db.write(lambda tx: tx.run(ADD, pod=pod, reason=said, minute=ms(at) // MINUTE_MS))


async def flush(log: Log, now: datetime, *, all_of_them: bool = False) -> int:
    """Turn every closed minute into an entry, in one transaction each; return how many entries that made."""
    closed = ms(now) // MINUTE_MS + (1 if all_of_them else 0)
    rows = [row for row in log.db.read.find(Tally) if row.minute < closed]
    made = 0
    for row in rows:
        with suppress(Stale):  # one more came in: the next turn takes them all
            await _enter(log, row, now)
            made += 1
    return made


async def _enter(log: Log, row: Tally, now: datetime) -> None:
    def write(tx: Tx) -> None:
        if not tx.remove(Tally, pod=row.pod, reason=row.reason, minute=row.minute, count=row.count):
            raise Stale("counted on meanwhile")

    action, _, rule = row.reason.partition(" ")
    facts = Facts("denial", action, "denied", rule=rule, count=row.count)
    await log.append(Intent(row.pod, facts, now, write=write))
