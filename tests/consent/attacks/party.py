"""An app as the house meets it, every part of what it sends changeable; and what an attack could have gained."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson

from consent.oauth.clients import ASSERTION_TYPE, Client
from consent.tables import Grant, Pushed, Token
from keys.secret import fresh_bytes
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import INTERESTS, Household

HTML = {"accept": "text/html"}
RECORDS = "/api/records?category=pd:Interest"


@dataclass
class Party:
    """A registered app with its key, its DPoP key, and An's browser in front of it."""

    house: Household
    client: Client = sample.APP
    key: Any = field(default_factory=lambda: sample.PROOF_KEY)

    # ------------------------------------------------------------ what it sends

    def assertion(self, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A fresh client assertion; `changes` replace claims, None leaves one out."""
        at, who = int(self.house.clock().timestamp()), self.client.client_id
        said = {"iss": who, "sub": who, "aud": BASE, "iat": at, "exp": at + 60, "jti": b64(fresh_bytes(12))} | changes
        head = {"alg": "ES256", "kid": sample.APP_KEY["kid"]} | (header or {})
        return sample.compact(head, {n: v for n, v in said.items() if v is not None}, key or sample.APP_KEY)

    async def send(
        self, path: str, headers: dict[str, str] | None = None, assertion: str | None = None, **said: str | None
    ) -> httpx.Response:
        """One authenticated form with a proof of its own; None leaves a field out."""
        own = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion or self.assertion()}
        form = {name: value for name, value in (own | said).items() if value is not None}
        proof = {"dpop": self.house.proof("POST", path, key=self.key)} if headers is None else headers
        return await self.house.http.post(path, data=form, headers=proof)

    async def push(self, headers: dict[str, str] | None = None, **changes: str | None) -> httpx.Response:
        """Push a good request, but for the changes."""
        return await self.send("/oauth/par", headers, **(asking() | changes))

    async def redeem(self, code: str, headers: dict[str, str] | None = None, **changes: str | None) -> httpx.Response:
        """Show a code."""
        said = {"grant_type": "authorization_code", "code": code, "redirect_uri": sample.RETURN,
                "code_verifier": sample.VERIFIER}  # fmt: skip
        return await self.send("/oauth/token", headers, **(said | changes))

    async def refresh(self, token: str, headers: dict[str, str] | None = None, **changes: str) -> httpx.Response:
        """Show a refresh token."""
        said = {"grant_type": "refresh_token", "refresh_token": token}
        return await self.send("/oauth/token", headers, **(said | changes))

    # ------------------------------------------------------------ what An's browser does

    async def open(self, pushed: httpx.Response, cookie: str | None = None, **changes: str) -> httpx.Response:
        """Open the request in An's browser, in somebody else's, or ("") in one that is not logged in."""
        query = {"client_id": self.client.client_id, "request_uri": pushed.json()["request_uri"]} | changes
        shown = self.house.cookie if cookie is None else cookie
        own = HTML | ({"cookie": f"kluis={shown}"} if shown else {})
        return await self.house.http.get("/oauth/authorize", params=query, headers=own)

    async def press(
        self, page: httpx.Response, decision: str = "allow", cookie: str = "", **more: str
    ) -> httpx.Response:
        """Press a button of the consent page."""
        hidden: dict[str, Any] = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        own = HTML | {"sec-fetch-site": "same-origin", "cookie": f"kluis={cookie or self.house.cookie}"}
        fields = hidden | {"decision": decision} | more
        return await self.house.http.post("/oauth/authorize", data=fields, headers=own)

    async def code(self, **changes: str | None) -> str:
        """Push, open, allow: the code that comes back."""
        pushed = await self.push(**changes)
        assert pushed.status_code == 201, pushed.text
        return back(await self.press(await self.open(pushed)))["code"]

    async def allowed(self, **changes: Any) -> dict[str, Any]:
        """The whole conversation, with these changes of what is asked: the tokens."""
        got = await self.redeem(await self.code(**asking(**changes)))
        assert got.status_code == 200, got.text
        return dict(got.json())

    # ------------------------------------------------------------ what became of it

    async def read(self, token: str, path: str = RECORDS, **claims: Any) -> httpx.Response:
        """Use an access token."""
        return await self.house.http.get(path, headers=self.house.shown("GET", path, token, key=self.key, **claims))

    async def dead(self, *tokens: str) -> bool:
        """Whether none of these access tokens reads anything."""
        return {(await self.read(token)).status_code for token in tokens} == {401}


def asking(**changes: Any) -> dict[str, str]:
    """The fields of a good pushed request."""
    detail = sample.detail(datatypes=[INTERESTS], **changes)
    return {"response_type": "code", "redirect_uri": sample.RETURN, "code_challenge": sample.CHALLENGE,
            "code_challenge_method": "S256", "state": "s",
            "authorization_details": orjson.dumps([detail]).decode()}  # fmt: skip


def back(response: httpx.Response) -> dict[str, str]:
    """What the app finds in its redirect."""
    assert response.status_code == 303, response.text
    assert response.headers["location"].startswith(sample.RETURN + "?"), response.headers["location"]
    return {name: value[0] for name, value in parse_qs(urlsplit(response.headers["location"]).query).items()}


def refused(response: httpx.Response, code: str, status: int = 400) -> bool:
    """An OAuth error with this code: no store, nothing in it but words."""
    told = response.json()
    assert (response.status_code, told["error"]) == (status, code), response.text
    assert response.headers["cache-control"] == "no-store"
    assert told.keys() <= {"error", "error_description"}, told
    return True


def on_our_page(response: httpx.Response, code: str) -> bool:
    """An error that stays here: nobody is sent anywhere."""
    assert response.status_code == 400, response.text
    assert code in response.text
    assert "location" not in response.headers
    return True


def gains(house: Household) -> list[Any]:
    """What there is to gain: requests that wait, grants, tokens that open something, and what was opened so far."""
    db = house.vault.db.read
    live = sorted(row.handle for row in db.find(Token) if row.wrap is not None and not row.used)
    kept = [sorted(row.handle for row in db.find(Pushed)), sorted(row.id for row in db.find(Grant))]
    opened = sum(line["decision"] == "allowed" and line["type"] == "access" for line in house.told())
    return [live, *kept, opened]


@contextmanager
def nothing_gained(house: Household) -> Iterator[None]:
    """What is done inside gives nobody anything."""
    before = gains(house)
    yield
    assert gains(house) == before


def hash_of(token: str) -> str:
    """`ath` of a token (RFC 9449 4.2)."""
    return b64(sha256(token.encode()).digest())
