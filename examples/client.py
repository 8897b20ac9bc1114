"""An app of Kluis in one file: OAuth with PAR, RAR, PKCE, DPoP and private_key_jwt (consent by a rich request).

```python
app = App(base, {"client_id": ..., "key_file": ..., "redirect_uri": ...})
address = app.push(detail)          # send the citizen's browser to base + address
app.redeem(redirect)                # where her browser came back to
app.get("/api/records?category=pd:Interest").json()
```
"""

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey


class Failed(Exception):
    """A step did not hold; the message says which fact was missing."""


def check(fact: object, otherwise: str) -> None:
    """Go on only if the fact holds."""
    if not fact:
        raise Failed(otherwise)


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class App:
    """An app: pushes its request, redeems its code, and shows a fresh DPoP proof with every call."""

    def __init__(self, base: str, told: dict[str, Any]) -> None:
        self.base, self.told = base, told
        self.key = ECKey.import_key(json.loads(Path(told["key_file"]).read_text()))
        self.dpop = ECKey.generate_key("P-256")
        self.verifier, self.state = secrets.token_urlsafe(48), secrets.token_urlsafe(12)
        self.http = httpx.Client(base_url=base, timeout=60)
        self.access = ""

    def push(self, detail: dict[str, Any]) -> str:
        """Pushed authorisation request (RFC 9126) with rich details (RFC 9396); returns the address for the browser."""
        form = self._assertion() | {
            "response_type": "code",
            "redirect_uri": self.told["redirect_uri"],
            "state": self.state,
            "code_challenge": b64(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "authorization_details": json.dumps([detail]),
        }
        answer = self.http.post("/oauth/par", data=form, headers=self._proof("POST", "/oauth/par"))
        check(answer.status_code == 201, f"PAR answered {answer.status_code} {answer.text}")
        query = {"client_id": self.told["client_id"], "request_uri": answer.json()["request_uri"]}
        return f"/oauth/authorize?{urlencode(query)}"

    def redeem(self, redirect: str) -> dict[str, Any]:
        """Exchange the code of a redirect for tokens, after checking state (CSRF) and iss (RFC 9207)."""
        said = {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}
        check(said.get("state") == self.state and said.get("iss") == self.base, f"not our answer: {redirect}")
        form = self._assertion() | {
            "grant_type": "authorization_code",
            "code": said["code"],
            "redirect_uri": self.told["redirect_uri"],
            "code_verifier": self.verifier,
        }
        answer = self.http.post("/oauth/token", data=form, headers=self._proof("POST", "/oauth/token"))
        check(answer.status_code == 200, f"token endpoint answered {answer.status_code} {answer.text}")
        told: dict[str, Any] = answer.json()
        self.access = told["access_token"]
        return told

    def get(self, path: str) -> httpx.Response:
        """Call the vault with the token and a proof bound to method, address and token (RFC 9449)."""
        headers = self._proof("GET", path.partition("?")[0], self.access) | {"Authorization": f"DPoP {self.access}"}
        return self.http.get(path, headers=headers)

    def _assertion(self) -> dict[str, str]:
        now, me = int(time.time()), self.told["client_id"]
        claims = {"iss": me, "sub": me, "aud": self.base, "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(12)}
        signed = jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return {"client_id": me, "client_assertion_type": kind, "client_assertion": signed}

    def _proof(self, method: str, path: str, token: str = "") -> dict[str, str]:
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.dpop.as_dict(private=False)}
        claims = {"htm": method, "htu": self.base + path, "iat": int(time.time()), "jti": secrets.token_urlsafe(12)}
        if token:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        return {"DPoP": jwt.encode(header, claims, self.dpop)}
