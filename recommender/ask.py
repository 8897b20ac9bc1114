"""What the recommender's process answers on its socket: one JSON object in, one out.

A call may carry `permit` (a one-use permit of the gate). It is not what protects the citizen here: `suggest` is
refused unless this process could itself open at least one category of that pod, with its own token, in that call.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from recommender.agent import Agent, Records
from recommender.catalogue import Catalogue
from recommender.contributions import Copies
from recommender.contributor import Contributor
from recommender.errors import BadData, Closed, NoGrant, RecommenderError, Unreachable
from recommender.plain import plain
from recommender.profile import CATEGORIES, profile
from recommender.rank import Model
from recommender.shown import bubble, closed, more, told
from recommender.sources.items import CONTEXT
from recommender.suggest import Suggestion, suggest
from recommender.taste import dna
from recommender.wishes import Wishes

LINE = 32 * 2**20
MOST = 50
IDS = 5000
Answer = dict[str, Any]


class Desk:
    """Answers questions. It owns the catalogue; the agent owns the tokens. Safe under concurrent calls of one loop."""

    def __init__(
        self, agent: Agent, catalogue: Catalogue, model: Model, folder: Path, giver: Contributor | None = None
    ) -> None:
        """`giver` holds the grants of those who let their data improve the model; without it nobody can give it."""
        self._giver, self.copies = giver, Copies(folder / "contributions")
        self.agent, self.catalogue, self.model, self._folder = agent, catalogue, model, folder
        self._stored: dict[str, str] = {}
        self._asks: dict[str, Callable[[Mapping[str, Any], datetime], Awaitable[Answer]]] = {
            "ready": self._ready,
            "authorize": self._authorize,
            "granted": self._granted,
            "gather": self._gather,
            "suggest": self._suggest,
            "plain": self._plain,
            "dna": self._dna,
            "catalogue": self._catalogue,
            "forget": self._forget,
        }

    async def answer(self, line: bytes, now: datetime) -> bytes:
        """Answer one line; whatever it holds, the answer is one line of JSON with `refused` or `error` if need be."""
        try:
            question = json.loads(line)
            ask = self._asks[question["ask"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return _line({"error": "not a question known here"})
        try:
            return _line(await ask(question, now))
        except NoGrant as why:
            return _line({"refused": "no grant", "reason": str(why)})
        except (RecommenderError, ValueError) as why:
            return _line({"error": str(why), "code": getattr(why, "code", "bad_question")})

    async def _ready(self, _question: Mapping[str, Any], _now: datetime) -> Answer:
        return {"ready": True, "entries": len(self.catalogue.entries), "model": dict(self.model.card)}

    async def _authorize(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """`for`: "model" asks for the grant to improve the model, anything else for that of her suggestions."""
        agent = self._giver if question.get("for") == "model" and self._giver else self.agent
        request_uri = await agent.authorize(_name(question), now)
        return {"request_uri": request_uri, "client_id": agent.wallet.registration.client_id}

    async def _granted(self, question: Mapping[str, Any], now: datetime) -> Answer:
        code, state, iss = (_text(question, field) for field in ("code", "state", "iss"))
        agent = self._giver if self._giver and self._giver.waits(state) else self.agent
        return {"ok": True, "pod": await agent.granted(code, state, iss, now)}

    async def _gather(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """Read what every contributor gives, anew, for the model of this version."""
        if self._giver is None:
            return {"ok": True, "contributors": 0}
        count = await self._giver.gather(self.copies, _text(question, "version"), now, lambda *_: None)
        return {"ok": True, "contributors": count}

    async def _forget(self, question: Mapping[str, Any], _now: datetime) -> Answer:
        pod = _name(question)
        self.agent.wallet.forget(pod)
        if self._giver is not None:
            self._giver.wallet.forget(pod)
        self.copies.drop(pod)
        self._stored.pop(pod, None)
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
        pod, k = _name(question), _count(question)
        records, read = await self._open(pod, now)
        if not records:
            return {"refused": "no grant", "read": read}
        known = profile(records, self.catalogue)
        found = await asyncio.to_thread(suggest, known, self.catalogue, self.model, k, now.date())
        shown = [_shown(s) for s in found]
        return {"suggestions": shown, "read": read, "stored": await self._store(pod, shown, now)}

    async def _dna(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """Her traits with their evidence, and how wide what she was shown and what she opened is."""
        records, read = await self._open(_name(question), now)
        if not records:
            return {"refused": "no grant", "read": read}
        traits = told(dna(profile(records, self.catalogue), self.catalogue, Wishes()))
        width = bubble(self.catalogue, _ids(question, "shown"), _ids(question, "opened"))
        return {"traits": traits, "bubble": width, "read": read}

    async def _plain(self, question: Mapping[str, Any], now: datetime) -> Answer:
        """The list for everybody; it takes no pod, so it can hold nothing of one."""
        shown = plain(self.catalogue, _count(question), now.date())
        return {"plain": [{f: getattr(e, f) for f in ("id", "title", "medium", "institution", "start")} for e in shown]}

    async def _open(self, pod: str, now: datetime) -> tuple[dict[str, Records], list[Answer]]:
        """The records of every category that opens, and what was read, category by category."""
        records, read = dict[str, Records](), list[Answer]()
        for category in CATEGORIES:
            try:
                records[category] = await self.agent.records(pod, category, now)
                entry, count = records[category].entry, len(records[category])
                read.append({"category": category, "count": count, "status": "read", "entry": entry})
            except Closed:
                read.append({"category": category, "count": 0, "status": "closed"})
        return records, read

    async def _store(self, pod: str, shown: list[Answer], now: datetime) -> bool:
        """Append a changed list to the pod's derived container; a list is never a reason to fail the answer."""
        mark = json.dumps(shown)
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


def _shown(suggestion: Suggestion) -> Answer:
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
        "reasons": [
            {
                "category": reason.category,
                "share": reason.share,
                "evidence": reason.evidence.title,
                "evidence_id": reason.evidence.id,
                "topics": [t for t in item.topics if t in reason.evidence.topics],
                "fall": reason.fall,
                **closed(reason),
            }
            for reason in suggestion.reasons
        ],
        **more(suggestion),
    }


def _text(question: Mapping[str, Any], field: str) -> str:
    value = question.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= 4096:
        raise BadData(f"{field} is missing")
    return value


def _ids(question: Mapping[str, Any], field: str) -> list[str]:
    found = question.get(field, [])
    if not isinstance(found, list) or len(found) > IDS or not all(isinstance(one, str) for one in found):
        raise BadData(f"{field} is not a list of at most {IDS} ids")
    return found


def _count(question: Mapping[str, Any]) -> int:
    k = question.get("k", 12)
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MOST:
        raise BadData(f"k is not a whole number from 1 to {MOST}")
    return k


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
