"""A furnished house under a witness: what one act opened, which routes it took, and exactly which lines it left."""

import html
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.routing import compile_path

from consent import grants
from consent.accounts import passphrase, sessions
from consent.accounts.sessions import SessionFacts, log_private
from keys import age
from keys.text import b64
from tests.conftest import BASE
from tests.house import Granted, Household
from tests.log.everything import PODS, routes
from tests.stories.provenance import Place, Watch, watch
from vault.log import entry as forms, tally, views
from vault.solid import paths
from vault.tables import Entry
from vault.vault import PodFacts
from web.app import create

CONTENT = frozenset({"label", "body", "dek", "ck", "ck-grant", "root"})
SAME = {"sec-fetch-site": "same-origin"}


@dataclass(frozen=True)
class Line:
    """One line of a log as its reader sees it; `whose` is An's pod or the office."""

    type: str
    action: str
    decision: str = "allowed"
    rule: str = ""
    category: str = ""
    purpose: str = ""
    client: str = ""
    granted: bool = False
    outcome: str = "unknown"
    count: int = 0
    whose: str = "an"


STATEMENT = Line("statement", "", whose="everybody")
UNREADABLE = Line("unreadable", "", whose="nobody")  # of a pod that is gone, or of somebody else's


@dataclass
class Stage:
    """The house, what is watched in it, and who acts."""

    house: Household
    watching: Watch
    officer: tuple[str, SessionFacts]
    taken: list[str] = field(default_factory=list)
    grant: str = "x"  # the id of a grant, where an address names one
    _opened: Counter[Place] = field(default_factory=Counter)
    _first: int = 0

    # ------------------------------------------------------------ before and after an act

    async def begin(self) -> None:
        """What comes from here on is the act."""
        await self._settle()
        self.watching.begin("act")
        self._first, self._opened = self.watching.first, Counter(self.watching.seen)
        self.taken.clear()

    async def _settle(self) -> None:
        house = self.house
        await house.quiet()
        await tally.flush(house.vault.log, house.clock(), all_of_them=True)
        await house.vault.log.settle()

    def opened(self) -> set[str]:
        """The kinds of things that were opened since, as far as they lead to content; with `session`, to the root."""
        since = self.watching.seen - self._opened
        return {where[0] for where, kind in since if where[0] in CONTENT or kind == "Root"}

    async def left(self) -> list[Line]:
        """Every line since, in order: the office's and An's, read with the log key of each."""
        await self._settle()
        vault = self.house.vault
        again = sessions.find(vault, self.house.cookie, self.house.clock())
        lines = [(i, line) for who, session in (("an", again or self.house.session), ("office", self.officer[1]))
                 for i, line in self._lines(who, session)]  # fmt: skip
        known = {i for i, _ in lines}
        others = [row for row in vault.db.read.find(Entry) if row.idx >= self._first and row.idx not in known]
        lines += [(row.idx, STATEMENT if row.leaf[1] == forms.STATEMENT else UNREADABLE) for row in others]
        return [line for _, line in sorted(lines, key=lambda one: one[0])]

    def _lines(self, who: str, session: SessionFacts) -> list[tuple[int, Line]]:
        pod: PodFacts | None = self.house.vault.pod_by_id(session.pod.id)
        if pod is None:  # erased
            return []
        with log_private(session) as private:
            found = views.lines(self.house.vault, pod, private)
        return [(line.index, _line(who, line)) for line in found if line.index >= self._first]

    # ------------------------------------------------------------ who acts

    async def mine(self, method: str, path: str, /, **fields: Any) -> httpx.Response:
        """An, in her browser, on a page of ours."""
        session, data = self.house.session, None
        if method != "GET":
            data = {"csrf": session.csrf} | fields
        cookie = SAME | {"cookie": f"kluis={self.house.cookie}", "kluis-form": session.csrf}
        answer = await self.house.http.request(method, path, headers=cookie, data=data)
        self._go_on(answer.cookies.get("kluis"))
        return answer

    def _go_on(self, cookie: str | None) -> None:
        """Who changes her ways in gets a new cookie, and goes on with that one."""
        self.house.http.cookies.clear()
        found = sessions.find(self.house.vault, cookie, self.house.clock()) if cookie else None
        if cookie and found:
            self.house.cookie, self.house.session = cookie, found

    async def office(self, method: str, path: str) -> httpx.Response:
        """The DPO's officer, in her browser."""
        return await self.house.http.request(method, path, headers=SAME | {"cookie": f"kluis={self.officer[0]}"})

    async def form(self, path: str, page: str = "/login", **fields: str) -> httpx.Response:
        """Somebody without a session fills in a form of ours."""
        shown = await self.house.http.get(page)
        (token,) = re.findall(r'name="csrf" value="([^"]+)"', shown.text)[:1]
        answer = await self.house.http.post(path, data={"csrf": html.unescape(token)} | fields, headers=SAME)
        self.house.http.cookies.clear()
        return answer

    async def operator(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The operator, over the socket."""
        app = create(self.house.house, operator=True, clockwork=False)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
            http.event_hooks = self.house.http.event_hooks
            return await http.request(method, path, **more)

    async def app(self, method: str, path: str, granted: Granted, **headers: str) -> httpx.Response:
        """The app, with its token and a proof."""
        return await self.house.call(method, path, granted.access, headers)

    # ------------------------------------------------------------ which route a request takes

    def address(self, route: str) -> str:
        """A real address of a route, its gaps filled with what there is in this house."""
        path = route.partition(" ")[2]
        if path.startswith("pods/"):
            return PODS[path.removeprefix("pods/")]
        filled = {"grant": self.grant, "grant_id": self.grant, "client_id": "cultuurgids", "container": "settings",
                  "shard": "2026h2", "place:path": "0/000.p/1", "receipt": self.receipt(),
                  "kind": "WebSocketChannel2023", "secret": "x", "channel": "x"}  # fmt: skip
        asked = {"/log/consistency": "?old=0&new=0", "/log/{shard}/consistency": "?old=0&new=0"}.get(path, "")
        return re.sub(r"{([^}]+)}", lambda gap: filled[gap[1]], path).replace("/static", "/static/kluis.css") + asked

    def receipt(self) -> str:
        """The id of a receipt of An's, if there is one."""
        kept = grants.kept_receipts(self.house.vault, self.house.session.pod)
        return b64(kept[0].id) if kept else "x"

    def noted(self, named: list[str]) -> Callable[[httpx.Request], Awaitable[None]]:
        """A hook of the client that notes the name of the route that answers."""
        known = [(name, compile_path(name.partition(" ")[2])[0]) for name in named if not name.startswith("MOUNT")]

        async def note(request: httpx.Request) -> None:
            path = request.url.raw_path.decode().partition("?")[0]
            here = (name for name, form in known if name.startswith(f"{request.method} ") and form.match(path))
            self.taken.append(_pod(request.method, path) or next(here, "none"))

        return note


def _pod(method: str, path: str) -> str:
    if not path.startswith("/pods/"):
        return ""
    target = paths.parse(path.encode())
    if target.kind != "resource":
        return f"{method} pods/{target.kind}"
    kind = "root" if target.path == "/" else "container" if target.container else "file"
    assert kind in PODS
    return f"{method} pods/{kind}"


def _line(who: str, line: views.Line) -> Line:
    told = line.told
    return Line(
        told["type"],
        told["action"],
        told["decision"],
        told.get("rule", ""),
        told.get("category", ""),
        told.get("purpose", ""),
        re.sub(r"^(solid|app|web)-.{22}$", r"\1", told.get("client", "")),
        bool(told.get("grant")),
        line.outcome,
        told.get("count", 0),
        who,
    )


@asynccontextmanager
async def stage(house: Household, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A house whose every opening is watched."""
    monkeypatch.setattr(age, "WORK", 10)
    officer = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    assert officer is not None
    await house.quiet()
    watching = watch(monkeypatch, str(house.vault.db.path))
    one = Stage(house, watching, officer)
    house.http.event_hooks = {"request": [one.noted(routes(house.app.pages))], "response": []}  # type: ignore[attr-defined]
    yield one
    watching.database.close()
