"""Gates: whether a grant or a session is live right now. Floor 1 checks them without knowing what a grant is."""

from datetime import datetime

from vault.database import Tx
from vault.errors import Conflict
from vault.hooks import close
from vault.tables import Gate, GrantUse

DAY_MS = 86_400_000
UNLIMITED = None

# The conditional update that lets one use through; every limit is in its WHERE, so two racing uses cannot both win.
PASS = """
UPDATE gate SET
  uses_left = uses_left - :use,
  day_left = CASE WHEN per_day IS NULL THEN NULL WHEN day = :day THEN day_left - :use ELSE per_day - :use END,
  day = :day
WHERE id = :gate AND pod = :pod AND epoch = :epoch AND state = 'live' AND :now < not_after
  AND (uses_left IS NULL OR uses_left >= :use)
  AND (per_day IS NULL OR day <> :day OR day_left >= :use)
"""
RENEW = """
UPDATE gate SET epoch = epoch + 1, not_after = min(not_after, :end) WHERE id = :gate AND state IN ('live', 'restricted')
"""
COUNT = """
INSERT INTO grantuse (gate, day, count) VALUES (:gate, :day, :use)
ON CONFLICT (gate, day) DO UPDATE SET count = count + :use
"""


def ms(now: datetime) -> int:
    """Milliseconds since 1970 of an aware moment."""
    return int(now.timestamp() * 1000)


def create(
    tx: Tx, gate: bytes, pod: bytes, not_after: int, uses: int | None = None, per_day: int | None = None
) -> None:
    """Open a gate at epoch 1. `not_after` is in milliseconds, `uses` and `per_day` None when unlimited."""
    tx.add(Gate(id=gate, pod=pod, epoch=1, state="live", not_after=not_after, uses_left=uses, per_day=per_day))


def end(tx: Tx, gate: bytes, state: str) -> int:
    """Close a gate for good or for now (withdrawn, restricted, expired, ended, used_up) and return its new epoch."""
    close(tx, gate)
    tx.run("UPDATE gate SET state = :state, epoch = epoch + 1 WHERE id = :gate", gate=gate, state=state)
    found = tx.run("SELECT epoch FROM gate WHERE id = :gate", gate=gate)
    if not found:
        raise Conflict("gone")
    return int(found[0][0])


def restrict(tx: Tx, gate: bytes, *, on: bool) -> None:
    """Close a live gate for a while, or open a restricted one, at the same epoch. Raises Conflict with its state."""
    close(tx, gate)
    before, after = ("live", "restricted") if on else ("restricted", "live")
    if tx.change(Gate, {"id": gate, "state": before}, state=after) != 1:
        found = tx.get(Gate, gate)
        raise Conflict(found.state if found else "gone")


def renew(tx: Tx, gate: bytes, not_after: int) -> int:
    """Give a live or restricted gate a new epoch, so that permits under the old one no longer pass; return it.

    `not_after` (ms) is its end from now on, never a later one than before.
    """
    close(tx, gate)
    tx.run(RENEW, gate=gate, end=not_after)
    found = tx.run("SELECT epoch FROM gate WHERE id = :gate AND state IN ('live', 'restricted')", gate=gate)
    if not found:
        raise Conflict("ended")
    return int(found[0][0])


def again(tx: Tx, gate: bytes, epoch: int, not_after: int, uses: int | None, per_day: int | None) -> int:
    """Open a live gate anew after a new decision, with limits of its own, and return its new epoch.

    Raises Conflict with its state, or "ended" if it is no longer at `epoch`.
    """
    close(tx, gate)
    limits = {"not_after": not_after, "uses_left": uses, "per_day": per_day, "day": 0, "day_left": None}
    if tx.change(Gate, {"id": gate, "state": "live", "epoch": epoch}, epoch=epoch + 1, **limits) != 1:
        found = tx.get(Gate, gate)
        raise Conflict(found.state if found and found.state != "live" else "ended")
    return epoch + 1


def read(tx: Tx, gate: bytes) -> Gate | None:
    """The gate as stored."""
    return tx.get(Gate, gate)


def use(tx: Tx, gate: bytes, pod: bytes, epoch: int, now: int, *, count: bool) -> None:
    """Let one use through or raise Conflict with the reason. `count` False checks without spending a use."""
    day, spent = now // DAY_MS, int(count)
    done = tx.raw.execute(PASS, {"gate": gate, "pod": pod, "epoch": epoch, "now": now, "day": day, "use": spent})
    if done.rowcount != 1:
        raise Conflict(why(tx.get(Gate, gate), epoch, now))
    if count:
        tx.raw.execute(COUNT, {"gate": gate, "day": day, "use": 1})


def why(gate: Gate | None, epoch: int, now: int) -> str:
    """The reason this gate would not let a use through."""
    if gate is None:
        return "gone"
    if gate.state != "live":
        return gate.state
    if gate.epoch != epoch:
        return "withdrawn"
    if now >= gate.not_after:
        return "expired"
    return "used_up" if gate.uses_left == 0 else "day_cap"


def uses(tx: Tx, gate: bytes) -> tuple[int, int | None]:
    """How often a gate was used in the 13 months that are kept (vault.log.uses), and the last day (since 1970)."""
    rows = tx.find(GrantUse, gate=gate)
    return sum(r.count for r in rows), max((r.day for r in rows), default=None)
