"""The server side of Cultuurgids, the demo city's app: it asks, redeems and reads over HTTP like an app from outside.

Pushed request (RFC 9126) with rich details (RFC 9396), PKCE S256, DPoP (RFC 9449), private_key_jwt (RFC 7523), and the
check of `iss` on return (RFC 9207). What the vault pushes about its grants (RFC 8935) it checks, keeps once, and if it
is asked to delete, signs that it did. It holds the app's own key and nothing of the vault.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from consent import jws
from keys.secret import fresh_bytes
from keys.sign import new_es256, sign_es256
from keys.text import b64

NAME: Final = "Cultuurgids"
RAR_TYPE: Final = "urn:kluis:rar:pod-access:1"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOPICS: Final = "interest_topics_k10"
READS: Final = {"interests": "/api/records?category=pd:Interest", "topics": f"/api/answers/{TOPICS}"}
ASKED_DAYS: Final = 182
MOST: Final = 200  # visits and messages that are remembered; the oldest goes first
_KEY: Final = ("kty", "crv", "x", "y")


class Refused(Exception):
    """The vault did not do what the app asked; the message holds its status and error code, nothing else of it."""

    code = "refused"


@dataclass
class Visit:
    """One visitor between her click and what the app holds for her: PKCE verifier, DPoP key, then tokens."""

    verifier: str
    dpop: dict[str, str]
    access: str = ""
    refresh: str = ""


@dataclass(frozen=True)
class Heard:
    """One message of the vault: when it came, what happened (its own word), the grant's id."""

    at: datetime
    event: str
    grant: str


@dataclass(frozen=True)
class Read:
    """One answer of the vault: its status, and the words in it, or its error code."""

    status: int
    words: tuple[str, ...]


class DemoApp:
    """One app and its visitors, in memory, by the `state` of their requests."""

    def __init__(
        self,
        base: str,
        told: Mapping[str, Any],
        key: dict[str, str],
        clock: Callable[[], datetime],
        way: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`told` is the app's row of the demo city, `key` its private JWK; `way` another road than TCP, for tests."""
        self.base, self._told, self._key, self._clock = base, told, key, clock
        self._http = httpx.AsyncClient(base_url=base, transport=way, timeout=30, trust_env=False)
        self._visits: dict[str, Visit] = {}
        self._heard: dict[str, Heard] = {}
        self._keys: dict[str, dict[str, Any]] = {}

    @property
    def heard(self) -> list[Heard]:
        """What the vault told this app, newest first."""
        return list(self._heard.values())[::-1]

    async def hear(self, token: str) -> None:
        """Take a pushed token; one that came before changes nothing. Raises Refused for one that is not for us.

        Asked to delete, it answers with what it signed; it keeps nothing of what it reads, so that is done at once.
        """
        claims = await self._opened(token)
        jti, subject, events = claims.get("jti"), claims.get("sub_id"), claims.get("events")
        if not isinstance(jti, str) or not isinstance(subject, dict) or not isinstance(events, dict):
            raise Refused("this is no security event token")
        if jti in self._heard:
            return
        (said,) = events.values()
        heard = Heard(self._clock(), str(said.get("grant_event")), str(subject.get("id")))
        if heard.event == "delete":
            await self._attest(heard.grant)
        while len(self._heard) >= MOST:
            del self._heard[next(iter(self._heard))]
        self._heard[jti] = heard

    async def _opened(self, token: str) -> Mapping[str, Any]:
        """What a token says, if the vault signed it and it is for this app."""
        try:
            found = jws.read(token)
            kid = str(found.header.get("kid"))
            if kid not in self._keys:
                told = _object(await self._get("/oauth/jwks"), 200)
                self._keys = {key["kid"]: key for key in told["keys"]}
            found.verify(self._keys.get(kid, {}), frozenset({"ES256"}))
        except jws.BadJws as bad:
            raise Refused(str(bad)) from bad
        ours = (found.claims.get("iss"), found.claims.get("aud")) == (self.base, self._told["client_id"])
        if not ours or found.header.get("typ") != "secevent+jwt":
            raise Refused("this is not for us")
        return found.claims

    async def _get(self, path: str) -> httpx.Response:
        try:
            return await self._http.get(path)
        except httpx.HTTPError as error:
            raise Refused(f"the vault does not answer ({type(error).__name__})") from error

    async def _attest(self, grant: str) -> None:
        """Sign that nothing of a grant is kept here; one that the vault has erased wants no answer."""
        at = int(self._clock().timestamp())
        said = {"iss": self._told["client_id"], "aud": self.base, "sub": grant, "deleted_at": at}
        signed = _jwt({"alg": "ES256", "typ": "kluis-attestation+jwt", "kid": self._key["kid"]}, said, self._key)
        form = {"attestation": signed} | self._assertion()
        try:
            answer = await self._http.post(f"/oauth/grants/{grant}/attest", data=form)
        except httpx.HTTPError as error:
            raise Refused(f"the vault does not answer ({type(error).__name__})") from error
        if answer.status_code != 404:
            _object(answer, 200)

    async def ask(self) -> str:
        """Push a request; the address in the vault to send the browser to. Raises Refused."""
        state, visit = b64(fresh_bytes(16)), Visit(b64(fresh_bytes(32)), new_es256())
        form = {
            "response_type": "code",
            "redirect_uri": self._told["redirect_uri"],
            "state": state,
            "code_challenge": b64(sha256(visit.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "authorization_details": json.dumps([self._detail()]),
        }
        told = _object(await self._send(visit, "POST", "/oauth/par", form), 201)
        while len(self._visits) >= MOST:
            del self._visits[next(iter(self._visits))]
        self._visits[state] = visit
        query = {"client_id": self._told["client_id"], "request_uri": told["request_uri"]}
        return f"{self.base}/oauth/authorize?{urlencode(query)}"

    def knows(self, state: str) -> bool:
        """Whether a request of ours went out under this state."""
        return state in self._visits

    async def redeem(self, state: str, iss: str, code: str) -> None:
        """Exchange a code for tokens. Raises Refused, also for another issuer's answer and for a state used before."""
        visit = self._visits[state]
        if iss != self.base or visit.access:
            raise Refused("this is no answer to our request")
        form = {"code": code, "redirect_uri": self._told["redirect_uri"], "code_verifier": visit.verifier}
        await self._tokens(visit, form | {"grant_type": "authorization_code"})

    async def read(self, state: str) -> dict[str, Read]:
        """What the app gets now, per row of its request; a token that ran out is renewed once. Raises Refused."""
        visit = self._visits[state]
        return {name: await self._read(visit, path) for name, path in READS.items()}

    async def _read(self, visit: Visit, path: str) -> Read:
        answer = await self._send(visit, "GET", path)
        if answer.status_code == 401 and visit.refresh:
            try:
                await self._tokens(visit, {"grant_type": "refresh_token", "refresh_token": visit.refresh})
            except Refused:
                visit.refresh = ""
            else:
                answer = await self._send(visit, "GET", path)
        told = _json(answer)
        if not answer.is_success:
            return Read(answer.status_code, (_code(told),))
        rows = told.get("@graph", [told])
        return Read(200, tuple(dict.fromkeys(word for row in rows for word in _words(row.get("schema:about")))))

    async def _tokens(self, visit: Visit, form: dict[str, str]) -> None:
        told = _object(await self._send(visit, "POST", "/oauth/token", form), 200)
        visit.access, visit.refresh = told["access_token"], told.get("refresh_token", visit.refresh)

    def _detail(self) -> dict[str, Any]:
        """What is asked: interests, and if she wants the ten topics of her loans; of whoever answers."""
        until = (self._clock().astimezone(UTC) + timedelta(days=ASKED_DAYS)).replace(microsecond=0)
        return {
            "type": RAR_TYPE,
            "locations": [f"{self.base}/pods/"],
            "actions": ["read"],
            "datatypes": [
                {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"},
                {"category": "kluis:LibraryLoan", "derived": TOPICS, "necessity": "optional"},
            ],
            "purpose": self._told["purposes"][0],
            "legal_basis": "eu-gdpr:A6-1-a-explicit-consent",
            "controller": self._told["controller"],
            "processing": ["dpv:Profiling"],
            "automated_decision": "profiling",
            "storage": {"country": "BE", "copy": "none"},
            "retention": "P0D",
            "expires": until.isoformat().replace("+00:00", "Z"),
            "recurrence": {"mode": "ongoing", "max_per_day": 480},
        }

    async def _send(self, visit: Visit, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        """One request with a fresh DPoP proof, and a fresh client assertion beside a form. Raises Refused."""
        headers = {"DPoP": self._proof(visit, method, path.partition("?")[0])}
        if form is None:
            headers["Authorization"] = f"DPoP {visit.access}"
        data = None if form is None else form | self._assertion()
        try:
            return await self._http.request(method, path, headers=headers, data=data)
        except httpx.HTTPError as error:
            raise Refused(f"the vault does not answer ({type(error).__name__})") from error

    def _assertion(self) -> dict[str, str]:
        me, now = self._told["client_id"], int(self._clock().timestamp())
        claims = {"iss": me, "sub": me, "aud": self.base, "iat": now, "exp": now + 60, "jti": b64(fresh_bytes(16))}
        signed = _jwt({"alg": "ES256", "typ": "JWT", "kid": self._key["kid"]}, claims, self._key)
        return {"client_id": me, "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    def _proof(self, visit: Visit, method: str, path: str) -> str:
        issued = int(self._clock().timestamp())
        claims = {"htm": method, "htu": self.base + path, "iat": issued, "jti": b64(fresh_bytes(16))}
        if visit.access:
            claims["ath"] = b64(sha256(visit.access.encode()).digest())
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {name: visit.dpop[name] for name in _KEY}}
        return _jwt(header, claims, visit.dpop)


def _jwt(header: Mapping[str, Any], claims: Mapping[str, Any], key: dict[str, str]) -> str:
    told = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{told}.{b64(sign_es256(key, told.encode()))}"


def _words(value: object) -> list[str]:
    """The texts of a field, whether it holds one, a list of them, or things with a name."""
    if isinstance(value, list):
        return [word for one in value for word in _words(one)]
    if isinstance(value, dict):
        value = value.get("schema:name", value.get("@id", ""))
    return [value] if isinstance(value, str) and value else []


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _object(answer: httpx.Response, wanted: int) -> dict[str, Any]:
    told = _json(answer)
    if answer.status_code != wanted:
        raise Refused(f"{answer.request.url.path}: {answer.status_code} {_code(told)}".strip())
    return told


def _code(told: Mapping[str, Any]) -> str:
    """The error code of an OAuth error or a problem (RFC 9457)."""
    return str(told.get("error") or told.get("type") or "").rpartition(":")[2][:80]
