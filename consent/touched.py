"""Who was reached by an app between two days: the breach query of the DPO (access-log.md, Breach query).

From counters and what grants say, never from a record or content of a pod. Nobody is named before the log of her own
pod says so, with the reason: a row of the answer cannot be made without the index of that durable entry. In parts, each
a group commit of its own, so that a city's worth of pods holds nobody up; a fault midway ends it with nothing served.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from consent import clients, columns, jws
from consent.accounts import welcome
from consent.accounts.roles import may
from consent.accounts.sessions import SessionFacts
from consent.errors import BadDays, BadReason, BadTerms, UnknownApp
from consent.tables import Receipt
from consent.terms import Terms
from keys.errors import KeysError
from vault import office
from vault.database import Tx
from vault.errors import Denied, NotFound, VaultError
from vault.log import uses
from vault.log.entry import Appended, Facts, Guard, Intent, Refused
from vault.log.uses import Use
from vault.vault import PodFacts, Vault

PODS: Final = 256
"""Pods of one part: their entries share a group commit."""
TURN: Final = 8
LONGEST_REASON: Final = 500
LONGEST_REFERENCE: Final = 80
BASIS: Final = "eu-gdpr:A6-1-c"
PURPOSE: Final = "dpv:EnforceSecurity"
GRANT: Final = "SELECT sealed, version FROM grant WHERE id = :id"


@dataclass(frozen=True, slots=True)
class Question:
    """What an officer asks: an app's or a source's client id or an agent's WebID, two days (both included, in UTC), why
    in words, and the number of the case if there is one.
    """

    app: str
    since: date
    until: date
    reason: str
    reference: str = ""

    @property
    def note(self) -> str:
        """Reason and reference as each citizen reads them."""
        return f"{self.reason} ({self.reference})" if self.reference else self.reason


@dataclass(frozen=True, slots=True)
class Hit:
    """One pod that was reached, as found in the counters: nobody may be told before an entry says so.

    `categories` are those that the app's grants covered, not what it read of them; none where it came without a grant.
    A person's program is listed in her own pod too, with what it did elsewhere under the grant of that pod.
    """

    pod: PodFacts
    first: int
    last: int
    count: int
    categories: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reached:
    """One pod of the answer, and the index of the entry in its own log that says that it was looked up."""

    pod: str
    first: date
    last: date
    count: int
    categories: tuple[str, ...]
    entry: int


@dataclass(frozen=True, slots=True)
class Touched:
    """The answer. `unreadable`: counters of these days of which nobody knows whose they are, for what stands behind
    them does not open.

    `entry`: the index of the entry in the office's log.
    """

    question: Question
    name: str
    rows: tuple[Reached, ...]
    unreadable: int
    entry: int


@dataclass(frozen=True, slots=True)
class _Part:
    hits: tuple[Hit, ...]
    unreadable: int
    last: bytes


async def look_up(vault: Vault, session: SessionFacts, asked: Question, now: datetime) -> Touched:
    """Every pod that an app reached in these days, each told so in its own log before this returns.

    Raises Denied for any role but the DPO's and when her session ends meanwhile, BadReason, BadDays, UnknownApp, and
    LogUnavailable if one entry cannot be made durable: then nothing at all is returned.
    """
    if not may(session.role, "look up"):
        raise Denied("role")
    check(asked, now)
    name = _named(vault, asked.app)
    facts = _facts(asked, name)
    own = replace(facts, rule="session", category=office.CATEGORY, agent=session.agent)
    first = await vault.log.append(Intent(session.pod.id, own, now, guards=(session.guard,)))
    if isinstance(first, Refused):
        raise Denied(first.reason)
    guard, rows, unreadable, after = replace(session.guard, pod=session.pod.id), list[Reached](), 0, b""
    while True:
        part = await asyncio.to_thread(_part, vault, asked, after)
        rows += await _logged(vault, part.hits, facts, guard, now)
        unreadable, after = unreadable + part.unreadable, part.last
        if not after:
            break
    for index in (first.index, *(row.entry for row in rows)):
        vault.log.served(index)
    return Touched(asked, name, tuple(sorted(rows, key=lambda row: row.pod)), unreadable, first.index)


def check(asked: Question, now: datetime) -> None:
    """Raise BadReason for none or too long a one, BadDays for days that are no period or that no counter covers."""
    if not asked.reason.strip():
        raise BadReason("say why you ask, in words: each citizen in the list reads it in her log")
    if not (asked.reason + asked.reference).isprintable():
        raise BadReason("the reason is one line of plain text: others read it")
    if len(asked.reason) > LONGEST_REASON or len(asked.reference) > LONGEST_REFERENCE:
        raise BadReason(f"at most {LONGEST_REASON} characters for the reason and {LONGEST_REFERENCE} for the reference")
    today = now.astimezone(UTC).date()
    oldest = today - timedelta(days=uses.KEPT_DAYS)
    if not oldest <= asked.since <= asked.until <= today:
        raise BadDays(f"two days from {oldest} to {today}, the first not after the last: older counts are gone")


def _named(vault: Vault, app: str) -> str:
    """What the app is called; a WebID of this server stands for itself. Raises UnknownApp: an empty list must not come
    from a name that was typed wrong.
    """
    known = clients.find(vault, app)
    if known is not None:
        return known.name
    name = app.removeprefix(f"{vault.base}/pods/").partition("/")[0]
    if app == welcome.webid(vault.base, name) and vault.pod(name) is not None:
        return app
    raise UnknownApp("no app or source has this client id here, and no pod this WebID")


def _facts(asked: Question, name: str) -> Facts:
    return Facts(
        "admin", "look up", rule="dpo", client=asked.app, client_name=name, purpose=PURPOSE, legal_basis=BASIS,
        note=asked.note,
    )  # fmt: skip


async def _logged(vault: Vault, hits: Iterable[Hit], facts: Facts, guard: Guard, now: datetime) -> list[Reached]:
    """Tell each pod, in one group commit or few, and give the rows whose entries are durable.

    A pod that was erased meanwhile has no log and is not in the answer. Raises Denied or LogUnavailable for them all.
    """
    asked = [(hit, Intent(hit.pod.id, replace(facts, count=hit.count), now, guards=(guard,))) for hit in hits]
    done = await asyncio.gather(*(vault.log.append(intent) for _, intent in asked), return_exceptions=True)
    rows = []
    for (hit, _), told in zip(asked, done, strict=True):
        if isinstance(told, Appended):
            rows.append(_reached(hit, told))
        elif isinstance(told, Refused):
            raise Denied(told.reason)
        elif not isinstance(told, NotFound):
            raise told
    return rows


def _reached(hit: Hit, told: Appended) -> Reached:
    first, last = (date(1970, 1, 1) + timedelta(days=day) for day in (hit.first, hit.last))
    return Reached(hit.pod.name, first, last, hit.count, tuple(sorted(hit.categories)), told.index)


def _part(vault: Vault, asked: Question, after: bytes) -> _Part:
    """The next pods in the order of their ids, from a connection of this thread's own."""
    with vault.db.reading() as tx:
        since, until = ((day - date(1970, 1, 1)).days for day in (asked.since, asked.until))
        part = uses.part(tx, after, PODS, since, until)
        seeker = _Seeker(vault, tx, asked.app)
        for use in part.gates:
            seeker.by_grant(use)
        for use in part.visits:
            seeker.by_mark(use)
        return _Part(tuple(seeker.hits.values()), seeker.unreadable, part.last)


class _Seeker:
    """Goes through the uses of a part and keeps the pods that the app reached. For one thread."""

    def __init__(self, vault: Vault, tx: Tx, app: str) -> None:
        self.vault, self.tx, self.app = vault, tx, app
        self.hits: dict[bytes, Hit] = {}
        self.unreadable = 0
        self._pods: dict[bytes, PodFacts] = {}

    def by_grant(self, use: Use) -> None:
        """Count the uses of a gate whose grant is the app's."""
        rows = self.tx.run(GRANT, id=use.by)
        if not rows:
            return
        try:
            pod = self._pod(use.pod)
            terms = said(pod, use.by, rows[0][0])
            if terms["client"] == self.app:
                self._add(use, pod, self._covered(pod, use.by, terms, narrowed=rows[0][1] > 1))
        except (BadTerms, KeysError, LookupError, ValueError, VaultError):
            self.unreadable += 1

    def by_mark(self, use: Use) -> None:
        """Count visits under the mark that this visitor has in this pod."""
        if use.by != self.vault.log.uses.mark(use.pod, self.app):
            return
        try:
            self._add(use, self._pod(use.pod), set())
        except (KeysError, VaultError):  # a pod that is being erased: its keys are gone first
            self.unreadable += 1

    def _add(self, use: Use, pod: PodFacts, categories: set[str]) -> None:
        had = self.hits.get(pod.id) or Hit(pod, use.first, use.last, 0, frozenset())
        first, last = min(had.first, use.first), max(had.last, use.last)
        self.hits[pod.id] = Hit(pod, first, last, had.count + use.count, had.categories | categories)

    def _covered(self, pod: PodFacts, grant: bytes, terms: dict[str, Any], *, narrowed: bool) -> set[str]:
        """The categories of a grant, those before it was narrowed too: its receipts name them."""
        covered = {datum.category for datum in Terms.from_json(terms).data}
        kept = self.tx.find(Receipt, grant=grant) if narrowed else []
        texts = [columns.take(pod.control, "receipt", one.id, one.sealed) for one in kept]
        parts = (part for text in texts for part in jws.read(text).claims["pii_processing"])
        return covered | {told["pii_type"] for part in parts for told in part["pii_information"]}

    def _pod(self, pod: bytes) -> PodFacts:
        if pod not in self._pods:
            found = self.vault.pod_in(self.tx, pod)
            if found is None:
                raise NotFound("no such pod")
            self._pods[pod] = found
            if len(self._pods) % TURN == 0:
                time.sleep(0)  # requests get the interpreter
        return self._pods[pod]


def said(pod: PodFacts, grant: bytes, sealed: bytes) -> dict[str, Any]:
    """What a grant says, as its row is sealed, for `Terms.from_json`; who signed it is for the gate to check.

    Raises Damaged.
    """
    told: dict[str, Any] = columns.take(pod.control, "grant", grant, sealed)
    told.pop("nonce", None)
    return told
