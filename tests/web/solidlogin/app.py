"""A plain Solid app as the house meets it: its document on a site of its own, its two keys, its user's browser."""

import base64
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson

from consent.oauth.documents import CONTEXT
from keys.secret import fresh_bytes
from keys.sign import new_es256
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.federation.sink import Sink, reply, sink
from tests.house import Household

VERIFIER = "v" * 43
CHALLENGE = b64(sha256(VERIFIER.encode()).digest())
SCOPE = "openid webid offline_access"


@dataclass
class SolidApp:
    """`document`: what stands at its client id now; `asked`: how often somebody came for anything on its site."""

    house: Household
    site: Sink
    document: dict[str, Any] = field(default_factory=dict)
    key: dict[str, str] = field(default_factory=new_es256)
    client_id: str = ""

    @property
    def back(self) -> str:
        return self.site.origin + "/back"

    def describe(self, **changes: Any) -> None:
        """Put a document at the client id; None leaves a member out."""
        own = {"@context": [CONTEXT], "client_id": self.client_id, "client_name": "Notities",
               "redirect_uris": [self.back], "post_logout_redirect_uris": [self.site.origin + "/bye"],
               "scope": SCOPE, "grant_types": ["authorization_code", "refresh_token"]}  # fmt: skip
        self.document = {name: value for name, value in (own | changes).items() if value is not None}

    def params(self, **changes: str | None) -> dict[str, str]:
        own = {"client_id": self.client_id, "redirect_uri": self.back, "response_type": "code", "scope": SCOPE,
               "code_challenge": CHALLENGE, "code_challenge_method": "S256", "state": "s", "nonce": "n",
               "prompt": "consent"}  # fmt: skip
        return {name: value for name, value in (own | changes).items() if value is not None}

    async def ask(self, cookie: str | None = None, **changes: str | None) -> httpx.Response:
        """Send the browser of An (or of whose cookie it is, "" for nobody) to the house."""
        shown = self.house.cookie if cookie is None else cookie
        headers = {"accept": "text/html"} | ({"cookie": f"kluis={shown}"} if shown else {})
        return await self.house.http.get("/oauth/authorize", params=self.params(**changes), headers=headers)

    async def press(self, page: httpx.Response, decision: str = "allow", rooms: Sequence[str] = (),
                    modes: Sequence[str] = (), **more: str) -> httpx.Response:  # fmt: skip
        """Press a button of the page, with what is ticked."""
        hidden: dict[str, Any] = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
        fields = hidden | {"decision": decision, "data": list(rooms), "mode": list(modes)} | more
        same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={self.house.cookie}", "accept": "text/html"}
        return await self.house.http.post("/oauth/authorize", data=fields, headers=same)

    async def token(self, key: Any = None, **form: str) -> httpx.Response:
        proof = self.house.proof("POST", "/oauth/token", key=key or self.key)
        return await self.house.http.post("/oauth/token", data={"client_id": self.client_id} | form,
                                          headers={"dpop": proof})  # fmt: skip

    async def redeem(self, code: str, key: Any = None, **changes: str) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.back, "code_verifier": VERIFIER}
        return await self.token(key, **(form | changes))

    async def refresh(self, token: str, key: Any = None, **changes: str) -> httpx.Response:
        return await self.token(key, grant_type="refresh_token", refresh_token=token, **changes)

    async def allowed(self, rooms: Sequence[str] = ("/public/",), modes: Sequence[str] = ("read", "write"),
                      **more: str) -> dict[str, Any]:  # fmt: skip
        """The whole login: what the app holds once An allowed it."""
        page = await self.ask(state=b64(fresh_bytes(9)))  # the very same request is answered once in a session
        said = answer(await self.press(page, "allow", rooms, modes, **more))
        got = await self.redeem(said["code"])
        assert got.status_code == 200, got.text
        return dict(got.json())

    async def call(self, method: str, path: str, token: str, content: bytes | None = None, key: Any = None,
                   **headers: str) -> httpx.Response:  # fmt: skip
        shown = self.house.shown(method, path, token, key=key or self.key)
        return await self.house.http.request(method, path, headers=shown | headers, content=content)


@asynccontextmanager
async def solid_app(house: Household) -> AsyncIterator[SolidApp]:
    """An app with a client-id document on a site on loopback."""
    made: list[SolidApp] = []

    def answers(path: str) -> bytes:
        if path == "/id.jsonld":
            return reply(orjson.dumps(made[0].document), Content_Type="application/ld+json")
        return reply(status="404 Not Found")

    async with sink(answers) as site:
        made.append(SolidApp(house, site, client_id=site.origin + "/id.jsonld"))
        made[0].describe()
        yield made[0]


def answer(response: httpx.Response) -> dict[str, str]:
    """What the app finds in its redirect; `to` is the address without it."""
    assert response.status_code == 303, response.text
    parts = urlsplit(response.headers["location"])
    said = {name: value[0] for name, value in parse_qs(parts.query).items()}
    return said | {"to": f"{parts.scheme}://{parts.netloc}{parts.path}"}


def claims(jwt: str) -> dict[str, Any]:
    """The payload of a token, unverified."""
    middle = jwt.split(".")[1]
    return dict(orjson.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


__all__ = ["BASE", "SCOPE", "VERIFIER", "SolidApp", "answer", "claims", "sample", "solid_app"]
