"""A plain Solid program of a citizen: her client credentials, one DPoP key, blocking calls."""

import threading
import time
from hashlib import sha256
from typing import Any, Self

import httpx

from keys.secret import fresh_bytes
from keys.sign import new_es256
from keys.text import b64
from tests.consent.sample import compact, public


class Program:
    """Renews its token before it ends; every call carries a fresh proof."""

    def __init__(self, base: str, person: dict[str, Any]) -> None:
        self.base, self.person, self.key = base, person, new_es256()
        self.http = httpx.Client(base_url=base, timeout=30)
        self._token, self._until, self._lock = "", 0.0, threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def proof(self, method: str, path: str, token: str = "") -> dict[str, str]:
        claims = {"htm": method, "htu": self.base + path, "iat": int(time.time()), "jti": b64(fresh_bytes(12))}
        if token:
            claims["ath"] = b64(sha256(token.encode()).digest())
        return {"DPoP": compact({"typ": "dpop+jwt", "alg": "ES256", "jwk": public(self.key)}, claims, self.key)}

    def token(self) -> str:
        with self._lock:
            if time.time() > self._until:
                basic = httpx.BasicAuth(self.person["client_id"], self.person["client_secret"])
                form, proof = {"grant_type": "client_credentials", "scope": "webid"}, self.proof("POST", "/oauth/token")
                answer = self.http.post("/oauth/token", data=form, headers=proof, auth=basic)
                assert answer.status_code == 200, answer.text
                self._token, self._until = answer.json()["access_token"], time.time() + 200
            return self._token

    def call(self, method: str, path: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        """One request with token and proof; `slug=...` sends Slug, `content_type=...` Content-Type."""
        token, bare = self.token(), path.partition("?")[0]
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        own = self.proof(method, bare, token) | {"Authorization": f"DPoP {token}"} | more
        return self.http.request(method, path, headers=own, content=content)
