"""C8 and C9: of random grants no response holds anything outside, and every receipt holds outside of Kluis.

A pod full of marked values; what may come out is worked out from the request alone (oracle.py). Every address that
gives content is asked with every token: granted categories and all others, single records, listings, answers.
"""

import asyncio
import random
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import orjson
import pytest

from consent import asks, grants
from consent.compartments import add
from consent.errors import OAuthError
from consent.request import parse
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.consent.prove import oracle
from tests.consent.prove.marked import APP, DERIVED, PLACES, VERSION, WINDOWS, Pod, Record, Request, some
from tests.consent.prove.test_refused import registered_anew
from tests.house import RECORDS, Granted, Household
from tests.proof import figure, rounds
from tests.web.test_managing import app, browser, details, said
from tests.web.test_oauth import App, Browser
from tests.web.test_rebuilt import proof, some as some_page
from vault.pod import compartments
from web import asking
from web.pages.views import render

__all__ = ["app", "browser"]
FEW = 12
pytestmark = pytest.mark.timeout(600)


def detail(request: Request) -> dict[str, Any]:
    said = {"code": request.purpose, "text": sample.TEXT, "version": VERSION}
    return {"actions": request.actions, "purpose": said, "recurrence": {"mode": "ongoing"}}


def drawn(house: Household, pod: Pod, chance: random.Random) -> tuple[Request, list[str]]:
    """A random request that the registries allow, and the boxes that are ticked for what was drawn as granted."""
    while True:
        request = some(pod, chance, BASE)
        try:
            terms = parse(sample.detail(datatypes=request.asked, **detail(request)), APP, BASE, house.clock())
        except OAuthError:
            continue
        boxes = zip(request.asked, terms.data, strict=True)
        return request, [box.key for row, box in boxes if row in request.rows and row["necessity"] == "optional"]


class Reader:
    """One app with one grant, which tries everything."""

    def __init__(self, house: Household, pod: Pod, request: Request, granted: Granted, chance: random.Random) -> None:
        self.house, self.pod, self.request, self.granted, self.chance = house, pod, request, granted, chance
        self.asked, self.outside, self.lacking, self.shown = 0, list[str](), list[str](), 0

    async def look(self) -> None:
        await asyncio.gather(*(self._batch(curie) for curie in (*PLACES, "kluis:Answers", "kluis:File")))
        await asyncio.gather(*(self._resource(one) for one in self._some()))
        await asyncio.gather(*(self._listing(curie) for curie in PLACES), self._closed("/pods/an/answers/"),
                               self._closed("/pods/an/"))  # fmt: skip
        await asyncio.gather(
            *(self._answer(name) for name in sorted({n for all_of in DERIVED.values() for n in all_of}))
        )
        await asyncio.gather(*(self._stored(row) for row in self._answers()))

    def _some(self) -> Iterator[Record]:
        """Two records of each category: one that opens if there is any."""
        for curie in PLACES:
            inside = [one for one in self.pod.of(curie) if oracle.open_of(self.request, one, BASE)]
            yield self.chance.choice(inside or self.pod.of(curie))
            yield self.chance.choice(self.pod.of(curie))

    def _answers(self) -> Iterator[dict[str, Any]]:
        """Granted answers, and others beside them."""
        rows = [{"category": curie, "derived": name} for curie, names in DERIVED.items() for name in names]
        rows += [row | {"window": window} for row in rows[:3] for window in WINDOWS]
        yield from self.chance.sample(rows, 4)
        yield from (row for row in self.request.rows if "derived" in row)

    async def _get(self, path: str, **headers: str) -> httpx.Response:
        self.asked += 1
        return await self.house.call("GET", path, self.granted.access, headers)

    def _held(
        self, path: str, found: httpx.Response, may: set[str], names: set[str] | None = None,
        known: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        """What came out that may not; and what may and did not, where something was to come. `known`: it was asked."""
        out, may = (oracle.marks(found.text) | oracle.marks(str(found.headers))) - known, may - known
        self.shown += len(out)
        if out - may:
            self.outside.append(f"{path}: {sorted(out - may)[:3]}")
        if names is not None and "json" in found.headers["content-type"] and found.status_code == 200:
            body = found.json()
            extra = oracle.keys(body.get("@graph", [body])) - names - oracle.FRAME
            self.outside += [f"{path}: {sorted(extra)}"] if extra else []
        if may - out:
            self.lacking.append(f"{path} {found.status_code}: {sorted(may - out)[:3]}")

    async def _batch(self, curie: str) -> None:
        path = f"/api/records?category={curie}"
        records = self.pod.of(curie)
        may = {mark for one in records for mark in oracle.marks_of(self.request, one, BASE)}
        names = {name for one in records for name in oracle.open_of(self.request, one, BASE) or ()}
        self._held(path, await self._get(path), may, names)

    async def _resource(self, record: Record) -> None:
        path = f"/pods/an{record.path}"
        may, names = oracle.marks_of(self.request, record, BASE), oracle.open_of(self.request, record, BASE)
        own = frozenset(mark for mark, name in record.marks.items() if name == "@id")
        found = await self._get(path)
        assert found.status_code in (200, 403, 404)
        self._held(path, found, may, names or set(), own)

    async def _listing(self, curie: str) -> None:
        path = f"/pods/an/{PLACES[curie]}/"
        named = any("resources" in row for row in self.request.rows if row["category"] == curie)
        inside = [one for one in self.pod.of(curie) if oracle.open_of(self.request, one, BASE) is not None]
        may = {mark for one in inside if not named for mark, name in one.marks.items() if name == "@id"}
        found = await self._get(path)
        self._held(path, found, may)
        for one in inside if not named else ():  # nor how long a record is of which only a part is let out
            part = set(one.body) - (oracle.open_of(self.request, one, BASE) or set())
            if part and re.search(f"{one.path}> a .*stat:size {len(orjson.dumps(one.body))} ", found.text):
                self.outside.append(f"{path}: the size of {one.path}")

    async def _closed(self, path: str) -> None:
        found = await self._get(path)
        assert found.status_code == 403
        self._held(path, found, set())

    async def _answer(self, name: str) -> None:
        found, rows = await self._get(f"/api/answers/{name}"), oracle.answers(self.request, name)
        self._told(f"answer {name}", found, rows)

    async def _stored(self, row: dict[str, Any]) -> None:
        path = f"/pods/an{oracle.stored(row)}"
        rows = [one for one in self.request.rows if "derived" in one and oracle.stored(one) == oracle.stored(row)]
        self._told(path, await self._get(path), rows)

    def _told(self, path: str, found: httpx.Response, rows: list[dict[str, Any]]) -> None:
        """An answer is one that was granted, whole and nothing more; without one nothing is told."""
        if not rows:
            self._held(path, found, set())
            if found.status_code != 403:
                self.outside.append(f"{path}: {found.status_code}")
            return
        told = found.json()
        field = "schema:about" if rows[0]["derived"] == "interest_topics_k10" else "kluis:value"
        if told.get(field) not in [oracle.answer(self.pod, row) for row in rows]:
            self.outside.append(f"{path}: {found.status_code} {told}")
        if set(told) - {"@context", "@id", "@type", "schema:name", "kluis:asOf", field}:
            self.outside.append(f"{path}: {sorted(told)}")
        self.shown += 1


async def marked(house: Household) -> Pod:
    """An's pod with marked records only."""
    pod = Pod(random.Random(8))
    await registered_anew(house, APP)
    for path, record in RECORDS.items():
        await house.keep(path, {"@type": record["@type"]})
    for curie, container in PLACES.items():
        if container not in {one.container for one in compartments(house.vault, house.session.pod)}:
            await add(house.vault, house.session, container, curie, house.clock())
    for one in pod.records:
        await house.keep(one.path, one.body)
    return pod


async def test_c8_no_response_under_a_random_grant_holds_anything_outside_it(house: Household) -> None:
    """And C9: the receipts of these grants, under a library that is not ours."""
    count, chance, pod = rounds(FEW, "C8"), random.Random(1000), await marked(house)
    outside, lacking, asked, shown = list[str](), list[str](), 0, 0
    drawings = []
    for number in range(count):
        request, ticks = drawn(house, pod, chance)
        granted = await house.grant(*request.asked, tick=ticks, app=APP, **detail(request))
        reader = Reader(house, pod, request, granted, chance)
        await reader.look()
        outside += [f"{number} {request} {said}" for said in reader.outside]
        lacking += [f"{number} {request} {said}" for said in reader.lacking]
        asked, shown = asked + reader.asked, shown + reader.shown
        drawings.append((b64(granted.id), request))
        await house.withdraw(granted)
    figure("C8", len(outside), count)
    figure("C8 responses looked into", asked, count)
    figure("C8 values that came out, each inside", shown, count)
    assert outside == [] and lacking == []
    assert shown > 10 * count
    wrong = await receipts_of(house, drawings)
    figure("C9", len(wrong), 2 * count)
    assert wrong == []


async def receipts_of(house: Household, drawings: list[tuple[str, Request]]) -> list[str]:
    """What is wrong with the two receipts of each grant, as somebody sees it who has the public keys and PyJWT."""
    keys = jwt.PyJWKSet.from_dict((await house.http.get("/oauth/jwks")).json())
    kept: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in drawings}
    for one in grants.kept_receipts(house.vault, house.session.pod):
        key = keys[jwt.get_unverified_header(one.jws)["kid"]]
        kept[b64(one.grant)].append(orjson.loads(jwt.PyJWS().decode(one.jws, key, algorithms=["ES256"])))
        head, body, signature = one.jws.split(".")
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.PyJWS().decode(f"{head}.{body[:-4]}AAAA.{signature}", key, algorithms=["ES256"])
    return [name for name, request in drawings if not tells(kept[name], request)]


def tells(found: list[dict[str, Any]], request: Request) -> bool:
    """Whether the receipts of a grant tell what was granted: its purpose, actions, and rows with their limits."""
    wanted = sorted((row["category"], str(row.get("window")), str(row.get("since"))) for row in request.rows)
    states = [one["event"]["event_state"] for one in found]
    return states == ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"] and all(
        one["pii_processing"][0]["purpose_type"] == request.purpose
        and one["pii_processing"][0]["actions"] == request.actions
        and wanted == sorted((row["pii_type"], str(row["window"]), str(row["since"]))
                             for row in one["pii_processing"][0]["pii_information"])
        for one in found
    )  # fmt: skip


async def test_c9_the_screen_of_a_random_request_is_rebuilt_from_what_the_books_keep(
    house: Household, app: App, browser: Browser
) -> None:
    chance, count, requests, wrong = random.Random(9), rounds(FEW, "C9a"), list[bytes](), 0
    for _ in range(count):
        rows, more = some_page(chance)
        pushed = await app.push(authorization_details=details(*rows, **more))
        shown = await browser.open(pushed)
        asked = asks.find(house.vault, pushed.json()["request_uri"].rpartition(":")[2], "cultuurgids", house.clock())
        if any(row["necessity"] == "required" for row in rows):
            assert "code" in said(await browser.press(shown, "allow"))
        requests.append(asked.handle)
    for request in requests:
        requested, step = proof(house, request)
        page = asking.rebuilt(requested, step)
        whole = all(row.label in render("consent", page) for row in page.data)
        wrong += asking.notice(page)["hash"] != step.detail["hash"] or not whole
    figure("C9a", wrong, count)
    assert wrong == 0
