"""The recommender as an OAuth client: it asks, is granted, reads and appends like any other app.

FAPI 2.0 shape: pushed request (RFC 9126) with rich authorization details (RFC 9396), PKCE S256, DPoP (RFC 9449),
private_key_jwt whose `aud` is the issuer, `iss` checked on return (RFC 9207).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeAlias

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from keys.secret import fresh_bytes
from keys.sign import thumbprint
from keys.text import b64
from recommender.errors import Closed, NoGrant, Unreachable
from recommender.profile import INTERESTS, LOANS, POSTAL, TICKETS
from recommender.wallet import Grant, Wallet, public

Http: TypeAlias = httpx.AsyncClient
DERIVED = "kluis:Derived"
DISTRICT = "postal_district"
RAR_TYPE = "urn:kluis:rar:pod-access:1"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASKED_DAYS = 180
PER_DAY = 1000
WAITING = 600
WAITING_MOST = 1000
EARLY = 15
REFETCH = 10
SIGNALS = 100
ATTESTATION = "kluis-attestation+jwt"


@dataclass(frozen=True)
class Pending:
    """A request whose citizen has not come back yet: whose pod, the PKCE verifier, and since when."""

    pod: str
    verifier: str
    since: datetime


class Records(list[dict[str, Any]]):
    """Records as they were read, and `entry`: the index of the log entry that this read left ("" if not told)."""

    def __init__(self, records: Iterable[dict[str, Any]], entry: str) -> None:
        super().__init__(records)
        self.entry = entry


def connection() -> httpx.AsyncClient:
    """The way to the vault: no proxies from the environment, no redirects, half a minute of patience."""
    return httpx.AsyncClient(timeout=30, trust_env=False, follow_redirects=False)


class Agent:
    """Speaks to one vault over HTTP with the keys of a wallet. Requests that wait for a citizen live in memory."""

    def __init__(self, wallet: Wallet, http: httpx.AsyncClient) -> None:
        self.wallet, self._http = wallet, http
        self._base = wallet.registration.base
        self._client_key = ECKey.import_key({k: wallet.client_key[k] for k in ("kty", "crv", "x", "y", "d")})
        self._dpop_key = ECKey.import_key({k: wallet.dpop_key[k] for k in ("kty", "crv", "x", "y", "d")})
        self._pending: dict[str, Pending] = {}
        self._issuer_keys: dict[str, dict[str, Any]] = {}
        self._refetch = 0.0

    async def authorize(self, pod: str, now: datetime) -> str:
        """Push a request for this pod; returns its request_uri. Raises Unreachable."""
        verifier, state = b64(fresh_bytes(32)), b64(fresh_bytes(16))
        registration = self.wallet.registration
        form = {
            "response_type": "code",
            "client_id": registration.client_id,
            "redirect_uri": registration.redirect_uri,
            "code_challenge": b64(sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "state": state,
            "dpop_jkt": thumbprint(self.wallet.dpop_key),
            "authorization_details": json.dumps([self.details(pod, now)]),
        }
        answer = await self._call("POST", "/oauth/par", now, form=form)
        request_uri = _json(answer).get("request_uri")
        if answer.status_code != 201 or not isinstance(request_uri, str):
            raise Unreachable(f"the vault refused the request: {_error(answer)}")
        fresh = {s: p for s, p in self._pending.items() if now - p.since < timedelta(seconds=WAITING)}
        self._pending = dict(list(fresh.items())[-WAITING_MOST + 1 :]) | {state: Pending(pod, verifier, now)}
        return request_uri

    def details(self, pod: str, now: datetime) -> dict[str, Any]:
        """What is asked: interests, and if the citizen wants loans and tickets; a place to put suggestions."""
        registration = self.wallet.registration
        until = (now.astimezone(UTC) + timedelta(days=ASKED_DAYS)).replace(microsecond=0)
        needed = {INTERESTS: "required", LOANS: "optional", TICKETS: "optional", DERIVED: "optional"}
        return {
            "type": RAR_TYPE,
            "locations": [f"{self._base}/pods/{pod}/"],
            "actions": ["read", "append"],
            "datatypes": [
                *({"category": c, "necessity": n} for c, n in needed.items()),
                {"category": POSTAL, "derived": DISTRICT, "necessity": "optional"},
            ],
            "purpose": {
                "code": registration.purpose_code,
                "version": registration.purpose_version,
                "text": dict(registration.purpose_text),
            },
            "legal_basis": "eu-gdpr:A6-1-a-explicit-consent",
            "controller": registration.controller,
            "processing": ["dpv:Profiling"],
            "automated_decision": "profiling",
            "storage": {"country": "BE", "copy": "none"},
            "retention": "P0D",
            "expires": until.isoformat().replace("+00:00", "Z"),
            "recurrence": {"mode": "ongoing", "max_per_day": PER_DAY},
        }

    async def granted(self, code: str, state: str, iss: str, now: datetime) -> str:
        """Redeem a code; returns the pod. Raises NoGrant when state, issuer or code are not what was asked for."""
        pending = self._pending.pop(state, None)
        if pending is None or now - pending.since >= timedelta(seconds=WAITING):
            raise NoGrant("no request of ours waits under this state")
        if iss != self._base:
            raise NoGrant("the answer comes from another issuer")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.wallet.registration.redirect_uri,
            "code_verifier": pending.verifier,
        }
        self.wallet.keep(pending.pod, await self._tokens(form, now))
        return pending.pod

    def waits(self, state: str) -> bool:
        """Whether a request of ours waits under this state."""
        return state in self._pending

    async def records(self, pod: str, category: str, now: datetime, note: str = "") -> "Records":
        """All records of one category that the grant covers; of where she lives, the district alone.

        `note` says in the citizen's log what the read is for.
        Raises NoGrant, Closed or Unreachable.
        """
        grant = await self._live(pod, now)
        if category not in grant.categories or "read" not in grant.actions:
            raise Closed(f"{category} is not part of the grant")
        told = {"Kluis-Note": note} if note else {}
        if category == POSTAL:  # the grant covers the district alone, never the code
            answer = await self._as(pod, "GET", f"/api/answers/{DISTRICT}", now)
        else:
            answer = await self._as(pod, "GET", "/api/records", now, params={"category": category}, headers=told)
        if answer.status_code == 403:
            raise Closed(f"the vault keeps {category} closed")
        body = _json(answer)
        graph = body.get("@graph", [body] if category == POSTAL else None)
        if answer.status_code != 200 or not isinstance(graph, list):
            raise Unreachable(f"records could not be read: {_error(answer)}")
        return Records((record for record in graph if isinstance(record, dict)), answer.headers.get("Kluis-Entry", ""))

    async def append(self, pod: str, body: Mapping[str, Any], now: datetime) -> bool:
        """Put one JSON-LD resource into the pod's derived container; False where the grant does not allow it."""
        grant = await self._live(pod, now)
        if DERIVED not in grant.categories or "append" not in grant.actions:
            return False
        headers = {"Content-Type": "application/ld+json"}
        content = json.dumps(body, ensure_ascii=False).encode()
        answer = await self._as(pod, "POST", f"/pods/{pod}/derived/", now, headers=headers, content=content)
        return answer.status_code == 201

    async def resource(self, pod: str, path: str, now: datetime) -> dict[str, Any] | None:
        """One JSON-LD resource of the derived container, None where there is none. Raises NoGrant, Closed, Unreachable.

        The grant must cover reading there: what she wishes tells her taste, and is opened like everything else.
        """
        grant = await self._live(pod, now)
        if DERIVED not in grant.categories or "read" not in grant.actions:
            raise Closed(f"{DERIVED} is not part of the grant")
        answer = await self._as(pod, "GET", f"/pods/{pod}{path}", now)
        if answer.status_code == 403:
            raise Closed(f"the vault keeps {DERIVED} closed")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise Unreachable(f"a resource could not be read: {_error(answer)}")
        return _json(answer)

    async def issuer_key(self, kid: str, now: datetime) -> dict[str, Any] | None:
        """The server's public key of this id. Fetched again when an id is new, at most once in `REFETCH` seconds."""
        if kid not in self._issuer_keys and now.timestamp() >= self._refetch:
            self._refetch = now.timestamp() + REFETCH
            told = await self._get("/oauth/jwks")
            rows = [key for key in told.get("keys") or [] if isinstance(key, dict)]
            self._issuer_keys = {str(key.get("kid")): key for key in rows}
        return self._issuer_keys.get(kid)

    async def signals(self, acked: Sequence[str], now: datetime) -> dict[str, str]:
        """What the vault has to tell (RFC 8936): tokens by jti; `acked` were taken before. Raises Unreachable."""
        headers = {"Authorization": f"Bearer {self._claim(now)}", "Content-Type": "application/json"}
        body = json.dumps({"ack": list(acked), "maxEvents": SIGNALS, "returnImmediately": True})
        try:
            answer = await self._http.post(f"{self._base}/oauth/signals", headers=headers, content=body)
        except httpx.HTTPError as error:
            raise Unreachable(f"the vault does not answer ({type(error).__name__})") from error
        told = _json(answer).get("sets")
        if answer.status_code != 200 or not isinstance(told, dict):
            raise Unreachable(f"signals could not be fetched: {_error(answer)}")
        return {jti: token for jti, token in told.items() if isinstance(token, str)}

    async def attest(self, grant: str, now: datetime) -> None:
        """Hand in, signed, that nothing of a grant is kept here any more. Raises Unreachable; a grant that was erased
        wants no answer.
        """
        at, me = int(now.timestamp()), self.wallet.registration.client_id
        header = {"alg": "ES256", "typ": ATTESTATION, "kid": self.wallet.client_key["kid"]}
        said = {"iss": me, "aud": self._base, "sub": grant, "deleted_at": at}
        form = {"client_id": me, "attestation": jwt.encode(header, said, self._client_key, ["ES256"])}
        answer = await self._call("POST", f"/oauth/grants/{grant}/attest", now, form=form)
        if answer.status_code not in (200, 404):
            raise Unreachable(f"the attestation was not taken: {_error(answer)}")

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            return _json(await self._http.get(self._base + path))
        except httpx.HTTPError as error:
            raise Unreachable(f"the vault does not answer ({type(error).__name__})") from error

    async def _live(self, pod: str, now: datetime) -> Grant:
        """The pod's grant with an access token that still lives, refreshed if need be."""
        grant = self.wallet.grant(pod)
        if grant is None:
            raise NoGrant("no grant for this pod")
        if grant.expires - EARLY > now.timestamp():
            return grant
        return await self._refreshed(pod, grant, now)

    async def _refreshed(self, pod: str, grant: Grant, now: datetime) -> Grant:
        if not grant.refresh:
            self.wallet.forget(pod)
            raise NoGrant("the grant has ended")
        try:
            fresh = await self._tokens({"grant_type": "refresh_token", "refresh_token": grant.refresh}, now, grant)
        except NoGrant:
            self.wallet.forget(pod)
            raise
        self.wallet.keep(pod, fresh)
        return fresh

    async def _as(self, pod: str, method: str, path: str, now: datetime, **parts: Any) -> httpx.Response:
        """One request with the pod's token; a refused token is renewed once, then the grant is forgotten."""
        grant = await self._live(pod, now)
        answer = await self._call(method, path, now, token=grant.access, **parts)
        if answer.status_code == 401:
            grant = await self._refreshed(pod, grant, now)
            answer = await self._call(method, path, now, token=grant.access, **parts)
        if answer.status_code == 401:
            self.wallet.forget(pod)
            raise NoGrant("the grant was withdrawn or has ended")
        return answer

    async def _tokens(self, form: dict[str, str], now: datetime, old: Grant | None = None) -> Grant:
        form = form | {"client_id": self.wallet.registration.client_id}
        answer = await self._call("POST", "/oauth/token", now, form=form)
        told = _json(answer)
        if told.get("error") == "invalid_grant":
            raise NoGrant(f"the vault gave no token: {_error(answer)}")
        if answer.status_code != 200 or str(told.get("token_type", "")).lower() != "dpop" or "access_token" not in told:
            raise Unreachable(f"the vault gave no token: {_error(answer)}")
        rows = [d for d in told.get("authorization_details") or [] if isinstance(d, dict)]
        types = [t for row in rows for t in row.get("datatypes") or [] if isinstance(t, dict)]
        actions = {a for row in rows for a in row.get("actions") or [] if isinstance(a, str)}
        return Grant(
            access=str(told["access_token"]),
            refresh=str(told.get("refresh_token") or (old.refresh if old else "")),
            expires=int(now.timestamp()) + int(told.get("expires_in") or 0),
            categories=tuple(str(t.get("category")) for t in types) if rows or not old else old.categories,
            actions=tuple(sorted(actions)) if rows or not old else old.actions,
            id=str(told.get("grant_id") or (old.id if old else "")),
        )

    async def _call(
        self,
        method: str,
        path: str,
        now: datetime,
        *,
        token: str = "",
        form: dict[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **parts: Any,
    ) -> httpx.Response:
        """One request with a DPoP proof, and the client's assertion beside a form; a demanded nonce is given once."""
        answer = await self._send(method, path, now, token, form, headers, "", parts)
        nonce = answer.headers.get("DPoP-Nonce", "")
        if nonce and answer.status_code in (400, 401) and "use_dpop_nonce" in _challenge(answer):
            return await self._send(method, path, now, token, form, headers, nonce, parts)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        now: datetime,
        token: str,
        form: dict[str, str] | None,
        headers: Mapping[str, str] | None,
        nonce: str,
        parts: Mapping[str, Any],
    ) -> httpx.Response:
        """Sign afresh and send: neither a proof nor an assertion is ever used twice."""
        url = self._base + path
        signed = {**(headers or {}), "DPoP": self._proof(method, url, token, nonce, now)}
        if token:
            signed["Authorization"] = f"DPoP {token}"
        claim = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self._claim(now)}
        data = None if form is None else form | claim
        try:
            return await self._http.request(method, url, headers=signed, data=data, **parts)
        except httpx.HTTPError as error:
            raise Unreachable(f"the vault does not answer ({type(error).__name__})") from error

    def _proof(self, method: str, url: str, token: str, nonce: str, now: datetime) -> str:
        """A DPoP proof (RFC 9449 section 4.2); `ath` binds it to the token."""
        claims: dict[str, Any] = {"jti": b64(fresh_bytes(16)), "htm": method, "htu": url, "iat": int(now.timestamp())}
        if token:
            claims["ath"] = b64(sha256(token.encode()).digest())
        if nonce:
            claims["nonce"] = nonce
        key = {k: v for k, v in public(self.wallet.dpop_key).items() if k in ("kty", "crv", "x", "y")}
        return jwt.encode({"typ": "dpop+jwt", "alg": "ES256", "jwk": key}, claims, self._dpop_key, ["ES256"])

    def _claim(self, now: datetime) -> str:
        """A client assertion (RFC 7523 section 3), good for one minute and once; `aud` is the issuer itself."""
        client, at = self.wallet.registration.client_id, int(now.timestamp())
        claims = {"iss": client, "sub": client, "aud": self._base, "iat": at, "exp": at + 60}
        header = {"alg": "ES256", "typ": "JWT", "kid": self.wallet.client_key["kid"]}
        return jwt.encode(header, claims | {"jti": b64(fresh_bytes(16))}, self._client_key, ["ES256"])


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _challenge(answer: httpx.Response) -> str:
    return f"{answer.headers.get('WWW-Authenticate', '')} {_json(answer).get('error', '')}"


def _error(answer: httpx.Response) -> str:
    """Status and error code of an answer, never its other content."""
    told = _json(answer)
    return f"{answer.status_code} {str(told.get('error') or told.get('type') or '')[:80]}".strip()
