"""What the recommender's process answers on its socket: one JSON object in, one out.

A question about a citizen carries a permit of the gate, for that question and once (`recommender.permits`); without
one nothing is opened. And with one, nothing is but what this process can open itself, with its own token, in that call.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from recommender.agent import DERIVED, Agent, Records
from recommender.catalogue import Catalogue, Entry
from recommender.contributions import Copies
from recommender.contributor import Contributor
from recommender.errors import BadData, Closed, NoGrant, NoPermit, RecommenderError, Unreachable
from recommender.explain import Reason
from recommender.focus import laid_out, ranked
from recommender.kept import Kept
from recommender.permits import Permit, Permits
from recommender.plain import plain
from recommender.profile import CATEGORIES, profile
from recommender.rank import Model
from recommender.shown import bubble, closed, more, told
from recommender.sources.items import CONTEXT
from recommender.suggest import Suggestion, suggest
from recommender.taste import dna
from recommender.wishes import BEGUN, WISHES, Wishes, wishes

LINE = 32 * 2**20
MOST = 50
IDS = 5000
TRAITS = 10
CANDIDATES = 1000
ACTIONS = 200
TOPICS = 20
Answer = dict[str, Any]


class Desk:
    """Answers questions. It owns the catalogue; the agent owns the tokens. Safe under concurrent calls of one loop."""

    def __init__(
        self,
        agent: Agent,
        catalogue: Catalogue,
        model: Model,
        folder: Path,
        started: datetime,
        giver: Contributor | None = None,
    ) -> None:
        """`started`: no permit of before it counts. `giver` holds the grants of those who let their data improve the
        model; without it nobody can give it.
        """
        self.giver, self.copies = giver, Copies(folder / "contributions")
        self.agent, self.catalogue, self.model, self._folder = agent, catalogue, model, folder
        self._stored: dict[str, str] = {}
        self.kept = Kept()
        registration = agent.wallet.registration
        self._permits = Permits(registration.base, registration.client_id, agent.issuer_key, started)
        self._asks: dict[str, Callable[[Mapping[str, Any], datetime], Awaitable[Answer]]] = {
            "ready": self._ready,
            "authorize": self._authorize,
            "granted": self._granted,
            "gather": self._gather,
            "suggest": self._suggest,
            "rank": self._rank,
            "layout": self._layout,
            "plain": self._plain,
            "dna": self._dna,
            "catalogue": self._catalogue,
            "forget": self._forget,
        }

    def drop(self, pod: str) -> None:
        """Forget what is kept of a pod for her suggestions, the tokens aside."""
        self.kept.drop(pod)
        self._stored.pop(pod, None)

    async def answer(self, line: bytes, now: datetime) -> bytes:
        """Answer one line; whatever it holds, the answer is one line of JSON with `refused` or `error` if need be."""
        try:
            question = json.loads(line)
            ask = self._asks[question["ask"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return _line({"error": "not a question known here"})
        try:
            return _line(await ask(question, now))
        except (NoGrant, NoPermit) as why:
            return _line({"refused": "no permit" if isinstance(why, NoPermit) else "no grant", "reason": str(why)})
        except (RecommenderError, ValueError) as why:
            return _line({"error": str(why), "code": getattr(why, "code", "bad_question")})

    async def _ready(self, _question: Mapping[str, Any], _now: datetime) -> Answer:
        return {"ready": True, "entries": len(self.catalogue.entries), "model": dict(self.model.card)}

    async def _authorize(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """`aim`: "model" asks for the grant to improve the model, anything else for that of her suggestions."""
        agent = self.giver if question.get("aim") == "model" and self.giver else self.agent
        request_uri = await agent.authorize(_name(question), now)
        return {"request_uri": request_uri, "client_id": agent.wallet.registration.client_id}

    async def _granted(self, question: Mapping[str, Any], now: datetime) -> Answer:
        code, state, iss = (_text(question, field) for field in ("code", "state", "iss"))
        agent = self.giver if self.giver and self.giver.waits(state) else self.agent
        return {"ok": True, "pod": await agent.granted(code, state, iss, now)}

    async def _gather(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """Read what every contributor gives, anew, for the model of this version."""
        if self.giver is None:
            return {"ok": True, "contributors": 0}
        count = await self.giver.gather(self.copies, _text(question, "version"), now, lambda *_: None)
        return {"ok": True, "contributors": count}

    async def _forget(self, question: Mapping[str, Any], _now: datetime) -> Answer:
        pod = _name(question)
        self.agent.wallet.forget(pod)
        if self.giver is not None:
            self.giver.wallet.forget(pod)
        self.copies.drop(pod)
        self.drop(pod)
        return {"ok": True}

    async def _catalogue(self, question: Mapping[str, Any], _now: datetime) -> Answer:
        events = question.get("events")
        if not isinstance(events, list) or not all(isinstance(e, dict) for e in events):
            raise BadData("events is not a list of objects")
        grown = self.catalogue.with_events(events)
        grown.save(self._folder / "catalogue.json")
        added, self.catalogue = len(grown.entries) - len(self.catalogue.entries), grown
        return {"ok": True, "added": added, "replaced": len(events) - added, "entries": len(grown.entries)}

    async def _suggest(self, question: Mapping[str, Any], now: datetime) -> Answer:
        permit, k = await self._permits.spend(question, now), _count(question)
        return await self._once(permit, f"suggest {k} {now.date()}", now, lambda: self._list(permit, k, now))

    async def _list(self, permit: Permit, k: int, now: datetime) -> Answer:
        hers, records, read = await self._open(permit, "list", now)
        if not records:
            return {"refused": "no grant", "read": read}
        known = profile(records, self.catalogue)
        found = await asyncio.to_thread(suggest, known, self.catalogue, self.model, k, now.date(), hers)
        shown = [_shown(s, permit) for s in found]
        answer = {"suggestions": shown, "stored": await self._store(permit.pod, shown, now)}
        if not permit.herself:
            return answer
        return answer | {"read": read, "dna": told(dna(known, self.catalogue, hers, TRAITS))}

    async def _dna(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """To herself alone: her traits with their evidence, and how wide what she was shown and what she opened is."""
        permit = await self._permits.spend(question, now)
        if not permit.herself:
            raise NoPermit("what she is like is told to herself alone")
        hers, records, read = await self._open(permit, "list", now)
        if not records:
            return {"refused": "no grant", "read": read}
        traits = told(dna(profile(records, self.catalogue), self.catalogue, hers))
        given = [_texts({"shown": [], "opened": []} | dict(question), field, IDS) for field in ("shown", "opened")]
        return {"traits": traits, "bubble": bubble(self.catalogue, *given), "read": read}

    async def _rank(self, question: Mapping[str, Any], now: datetime) -> Answer:
        permit, candidates = await self._permits.spend(question, now), _texts(question, "candidates", CANDIDATES)
        n = _count(question, "n", 0)
        hers, records, read = await self._open(permit, "rank", now)
        if not records:
            return {"refused": "no grant", "read": read}
        known = profile(records, self.catalogue)
        found = await asyncio.to_thread(ranked, known, self.catalogue, self.model, candidates, n, hers)
        entries = {one: self.catalogue.entries[self.catalogue.index[one]] for one in found.reasons}
        why = {one: [_reason(r, entries[one], permit) for r in found.reasons[one]] for one in found.reasons}
        return {"order": list(found.order), "reasons": why, "read": read if permit.herself else []}

    async def _layout(self, question: Mapping[str, Any], now: datetime) -> Answer:
        permit, actions = await self._permits.spend(question, now), _actions(question)
        _, records, read = await self._open(permit, "layout", now)
        if not records:
            return {"refused": "no grant", "read": read}
        order = laid_out(profile(records, self.catalogue), self.catalogue, actions)
        return {"order": list(order), "read": read if permit.herself else []}

    async def _once(
        self, permit: Permit, question: str, now: datetime, make: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """The answer that was given under the same state a moment ago, or a new one."""
        question = f"{question} {permit.herself}"
        kept = self.kept.get(permit.pod, permit.state, question, now)
        if kept is None:
            kept = await make()
            if "refused" not in kept:
                self.kept.put(permit.pod, permit.state, question, kept, now)
        return kept

    async def _plain(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """The list for everybody; it takes no pod, so it can hold nothing of one."""
        shown = plain(self.catalogue, _count(question), now.date())
        return {"plain": [{f: getattr(e, f) for f in ("id", "title", "medium", "institution", "start")} for e in shown]}

    async def _open(self, permit: Permit, kind: str, now: datetime) -> tuple[Wishes, dict[str, Records], list[Answer]]:
        """What she wishes, the records of every category that opens, and what was read, category by category.

        Where she did not turn this kind on, or an app asks and what she wishes cannot be read, nothing else is opened.
        """
        read: list[Answer] = []
        hers = await self._wishes(permit, read, now)
        if not hers.on(kind):
            raise NoGrant("she did not turn this kind of suggestion on")
        records = dict[str, Records]()
        for category in filter(hers.opens, CATEGORIES):
            try:
                records[category] = await self.agent.records(permit.pod, category, now)
                entry, count = records[category].entry, len(records[category])
                read.append({"category": category, "count": count, "status": "read", "entry": entry})
            except Closed:
                read.append({"category": category, "count": 0, "status": "closed"})
        read += [{"category": c, "count": 0, "status": "closed"} for c in CATEGORIES if not hers.opens(c)]
        return hers, records, read

    async def _wishes(self, permit: Permit, read: list[Answer], now: datetime) -> Wishes:
        """What she wishes, if the grant covers that; what is damaged counts as everything off.

        Without it her own call is answered as if she had decided nothing but the grant, an app's call not at all.
        """
        try:
            stored = await self.agent.resource(permit.pod, WISHES, now)
        except Closed:
            return BEGUN if permit.herself else Wishes()
        if stored is None:
            return BEGUN
        read.append({"category": DERIVED, "count": 1, "status": "read"})
        try:
            return wishes(stored.get("kluis:wishes") or {})
        except (BadData, TypeError, AttributeError):
            return Wishes()

    async def _store(self, pod: str, shown: list[Answer], now: datetime) -> bool:
        """Append a changed list to the pod's derived container; a list is never a reason to fail the answer."""
        mark = json.dumps([(s["id"], s["title"], s["rank"]) for s in shown])
        if self._stored.get(pod) == mark:
            return True
        body = {
            "@context": CONTEXT,
            "@id": "",
            "@type": "kluis:Derived",
            "schema:name": "Suggesties",
            "schema:dateCreated": now.isoformat(),
            "kluis:suggestions": [{"schema:item": s["id"], "schema:name": s["title"], "kluis:rank": s["rank"]}
                                  for s in shown],
        }  # fmt: skip
        try:
            kept = await self.agent.append(pod, body, now)
        except (NoGrant, Unreachable):
            return False
        if kept:
            self._stored[pod] = mark
        return kept


def _shown(suggestion: Suggestion, permit: Permit) -> Answer:
    item = suggestion.item
    return {
        "id": item.id,
        "title": item.title,
        "medium": suggestion.medium,
        "institution": item.institution,
        "maker": item.maker,
        "start": item.start,
        "topics": list(item.topics),
        "slot": suggestion.slot,
        "rank": suggestion.rank,
        "score": round(suggestion.score, 4),
        "reasons": [_reason(reason, item, permit) for reason in suggestion.reasons],
        **(more(suggestion) if permit.herself else {}),
    }


def _reason(reason: Reason, item: Entry, permit: Permit) -> Answer:
    """A reason: to her the record that carries it; to an app the category and its share alone."""
    told: Answer = {"category": reason.category, "share": reason.share}
    if not permit.herself:
        return told
    return told | {
        "evidence": reason.evidence.title,
        "evidence_id": reason.evidence.id,
        "topics": [t for t in item.topics if t in reason.evidence.topics],
        "fall": reason.fall,
        **closed(reason),
    }


def _text(question: Mapping[str, Any], field: str) -> str:
    value = question.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= 4096:
        raise BadData(f"{field} is missing")
    return value


def _count(question: Mapping[str, Any], field: str = "k", least: int = 1) -> int:
    k = question.get(field, 12)
    if not isinstance(k, int) or isinstance(k, bool) or not least <= k <= MOST:
        raise BadData(f"{field} is not a whole number from {least} to {MOST}")
    return k


def _texts(question: Mapping[str, Any], field: str, most: int) -> list[str]:
    found = question.get(field)
    if not isinstance(found, list) or len(found) > most or not all(isinstance(one, str) for one in found):
        raise BadData(f"{field} is not a list of at most {most} texts")
    return found


def _actions(question: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    found = question.get("actions")
    if not isinstance(found, list) or len(found) > ACTIONS or not all(isinstance(one, dict) for one in found):
        raise BadData(f"actions is not a list of at most {ACTIONS} objects")
    return [(_text(one, "id"), _texts(one, "topics", TOPICS)) for one in found]


def _name(question: Mapping[str, Any]) -> str:
    """The pod's name; it goes into a path, so it may hold only letters, digits, `-` and `_`."""
    pod = _text(question, "pod")
    if len(pod) > 64 or not pod.isascii() or not pod.replace("-", "").replace("_", "").isalnum():
        raise BadData("pod is not the name of a pod")
    return pod


def _line(answer: Answer) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


async def attend(
    desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Callable[[], datetime]
) -> None:
    """Serve one connection until it closes; a line over `LINE` bytes gets an error and ends it."""
    try:
        while line := await reader.readline():
            writer.write(await desk.answer(line, clock()))
            await writer.drain()
    except ValueError:
        writer.write(_line({"error": "line too long"}))
    except ConnectionError:
        return
    finally:
        writer.close()
