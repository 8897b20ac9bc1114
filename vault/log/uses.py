"""How often each grant was used and each other visitor came, per day: who was reached can be said without any record.

Counted in the unit that writes the entry, so that a count without its entry, or the reverse, cannot be. A grant's own
use is counted by its gate (vault.gates); here is everybody who comes under no grant of the pod: agents under access
control, and sources. They stand under a keyed hash, another one in every pod, so that nobody with the database alone
learns who visits whom. Both are kept for 13 months (access-log.md, Breach query) and go with the pod.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keys.context import ctx
from keys.secret import Secret, StateKey, derive
from vault.database import Database, Tx
from vault.gates import DAY_MS, ms
from vault.log.entry import Intent
from vault.tables import Meta

KEPT_DAYS: Final = 396
"""Thirteen months, with a day to spare in the longest of them."""
Visit = tuple[bytes, bytes, int]
"""The pod, the mark of who came, and the day (since 1970)."""
# CROSS JOIN: the few gates of a part lead, never the whole table of uses.
PODS: Final = "SELECT id FROM pod WHERE id > :after ORDER BY id LIMIT :most"
GATES: Final = """
SELECT t.pod, u.gate, min(u.day), max(u.day), sum(u.count) FROM gate t CROSS JOIN grantuse u ON u.gate = t.id
WHERE t.pod > :after AND t.pod <= :last AND u.day BETWEEN :since AND :until GROUP BY u.gate ORDER BY t.pod
"""
VISITS: Final = """
SELECT pod, mark, min(day), max(day), sum(count) FROM agentuse
WHERE pod > :after AND pod <= :last AND day BETWEEN :since AND :until GROUP BY pod, mark ORDER BY pod
"""
WOKEN: Final = """
SELECT gate FROM grantuse
GROUP BY gate HAVING max(day) >= :since AND coalesce(max(CASE WHEN day < :since THEN day END), 0) < :asleep
"""
FORGET: Final = ("DELETE FROM grantuse WHERE day < :first", "DELETE FROM agentuse WHERE day < :first")
SWEPT: Final = "INSERT INTO meta (key, value) VALUES ('swept', :on) ON CONFLICT (key) DO UPDATE SET value = :on"


@dataclass(frozen=True, slots=True)
class Use:
    """The uses of one gate, or the visits under one mark, to a pod in some days (days since 1970, both included)."""

    pod: bytes
    by: bytes
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Part:
    """The uses of so many pods in the order of their ids; `last` is the id to go on after, b"" at the end."""

    gates: tuple[Use, ...]
    visits: tuple[Use, ...]
    last: bytes


class Uses:
    """Counts visits under no grant; belongs to the writer. `mark` may be called from any thread."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    @classmethod
    def under(cls, state: StateKey) -> "Uses":
        """With the key that the server's state key gives."""
        return cls(derive(state, ctx("lookup", "agent use")))

    def mark(self, pod: bytes, who: str) -> bytes:
        """The 16 bytes under which a visitor of this pod is counted: a WebID, or a program's or source's client id."""
        said = who.encode(errors="surrogatepass")
        return hashlib.blake2b(pod + said, key=self._key.view(), digest_size=16).digest()

    def visits(self, intent: Intent, at: int) -> tuple[Visit, ...]:
        """What an allowed event of a visitor adds beside its entry; one under a grant here is counted by its gate."""
        return tuple((intent.pod, self.mark(intent.pod, who), at // DAY_MS) for who in visitors(intent))


def visitors(intent: Intent) -> frozenset[str]:
    """Who comes to a pod under no grant of it: an agent and the program behind it, each by itself; or a source.

    Nobody, for what the citizen does herself, and for a file that she or the operator brings in.
    """
    facts = intent.facts
    if facts.type not in ("access", "deposit") or facts.rule == "session":
        return frozenset()
    if facts.type == "deposit" and facts.rule != "source":
        return frozenset()
    if any(guard.use and guard.pod in (None, intent.pod) for guard in intent.guards):
        return frozenset()
    return frozenset({facts.agent, facts.client, facts.app} - {""})


def day_of(now: datetime) -> int:
    """Days since 1970, in UTC, as the counters name them."""
    return ms(now) // DAY_MS


def part(tx: Tx, after: bytes, most: int, since: int, until: int) -> Part:
    """What was counted in the next `most` pods after one, from one snapshot; days since 1970, both included."""
    pods = [row[0] for row in tx.run(PODS, after=after, most=most)]
    if not pods:
        return Part((), (), b"")
    span = {"after": after, "last": pods[-1], "since": since, "until": until}
    gates, visits = (tuple(Use(*row) for row in tx.run(sql, **span)) for sql in (GATES, VISITS))
    return Part(gates, visits, pods[-1])


def woken(tx: Tx, since: int, asleep: int) -> Iterator[bytes]:
    """Gates that were used since a day (since 1970), and before that not since the day `asleep`, if ever."""
    return (row[0] for row in tx.run(WOKEN, since=since, asleep=asleep))


async def sweep(db: Database, now: datetime) -> None:
    """Forget what is older than 13 months; once a day, which is remembered in the database. For the clockwork."""
    day = day_of(now)
    done = db.read.get(Meta, "swept")
    if done is not None and int.from_bytes(done.value, "big") == day:
        return

    def forget(tx: Tx) -> None:
        for sql in FORGET:
            tx.run(sql, first=day - KEPT_DAYS)
        tx.run(SWEPT, on=day.to_bytes(4, "big"))

    await db.write(forget)
