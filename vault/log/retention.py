"""How long records can be read: a month ends when its record keys are deleted; entries and tiles stay (access-log.md).

What ended is said in public before it is done: a statement in the log names the first entry whose records are still
kept. So a missing key is either older than that, or the mark of somebody who took it away.

Months are counted in months that the log has seen, not by the clock alone: a clock that jumps ahead ends nothing.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from keys.text import canonical
from vault.database import Tx
from vault.gates import ms
from vault.log.entry import HOUR_MS
from vault.tables import Entry, Meta

if TYPE_CHECKING:
    from vault.vault import Vault

TYPE: Final = "kluis/log-retention/v1"
BEGIN = "INSERT OR IGNORE INTO month (period, first) VALUES (:period, :first)"
SEEN = "SELECT period, first FROM month WHERE period <= :period ORDER BY period DESC"
END = "DELETE FROM recordkey WHERE pod <> x'' AND period < :month"
END_RECEIPTS = "DELETE FROM appreceipt WHERE idx < :before"
END_DPO = "DELETE FROM recordkey WHERE pod = x'' AND period < :hour"
LEFT = """
SELECT EXISTS (SELECT 1 FROM recordkey WHERE pod <> x'' AND period < :month)
OR EXISTS (SELECT 1 FROM recordkey WHERE pod = x'' AND period < :hour)
"""
LATER = "INSERT INTO meta (key, value) VALUES ('ended', :at) ON CONFLICT (key) DO UPDATE SET value = :at"


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended, as the statement at entry `index` says: records of entries before `before`, DPO records likewise."""

    index: int
    leaf: bytes
    before: int
    dpo_before: int


def ended(tx: Tx) -> Ended | None:
    """The newest statement of what ended; None if nothing did."""
    found = tx.get(Meta, "ended")
    row = tx.get(Entry, int.from_bytes(found.value, "big")) if found else None
    if row is None:
        return None
    told = json.loads(row.leaf[2:])
    return Ended(row.idx, row.leaf, told["before"], told["dpo_before"])


async def sweep(vault: "Vault", now: datetime, months: int, dpo_months: int) -> int:
    """Say what is over, or delete the keys of what was said and published; return how many keys that were.

    `months` and `dpo_months` are how many whole months are kept beside the running one.
    """
    month, before = _oldest(vault.db.read, now, months)
    dpo_month, dpo_before = _oldest(vault.db.read, now, dpo_months)
    said = ended(vault.db.read)
    was = (said.before, said.dpo_before) if said else (0, 0)
    due = (max(before, was[0]), max(dpo_before, was[1]))
    if due != was:
        body = canonical({"type": TYPE, "before": due[0], "dpo_before": due[1]})
        await vault.log.state(body, now, lambda tx, at: tx.run(LATER, at=at.to_bytes(8, "big")))
        return 0
    over = {"month": month, "hour": _begins(dpo_month) // HOUR_MS}
    tree = vault.log.shards.at(said.index) if said else None
    if (
        said is None
        or tree is None
        or said.index - tree.first >= tree.size
        or not vault.db.read.run(LEFT, **over)[0][0]
    ):
        return 0
    return await vault.db.write(lambda tx: _delete(tx, over, due[0]))


def _oldest(tx: Tx, now: datetime, months: int) -> tuple[int, int]:
    """The oldest month that is kept and its first entry; (0, 0) if the log has not seen more than that."""
    at = now.astimezone(UTC)
    seen = tx.run(SEEN, period=(at.year - 1970) * 12 + at.month - 1)
    return (int(seen[months][0]), int(seen[months][1])) if len(seen) > months + 1 else (0, 0)


def _begins(month: int) -> int:
    """The first moment of a month (months since 1970), in milliseconds."""
    return ms(datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC))


def _delete(tx: Tx, over: dict[str, int], before: int) -> int:
    """Delete keys, what was kept for receipts of apps, and overwrite the pages these stood in; how many keys."""
    tx.run("PRAGMA secure_delete = ON")
    tx.run(END_RECEIPTS, before=before)
    gone = [tx.raw.execute(END, {"month": over["month"]}), tx.raw.execute(END_DPO, {"hour": over["hour"]})]
    tx.run("PRAGMA secure_delete = OFF")
    return sum(cursor.rowcount for cursor in gone)
