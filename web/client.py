"""The command line as an HTTP client: of a server somewhere, or of the one that serves this data directory.

The operator's socket (`control.sock`, mode 0600) is reached by file permission; every other call carries a
credential of its own.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from keys.errors import KeysError
from keys.secret import fresh_bytes
from keys.sign import sign_es256
from keys.text import b64

TIMEOUT = 60.0  # seconds; an import of 12,000 events is one request
MOST = 32 * 2**20  # bytes of a public answer: twice the longest bundle of a log's entries
LIFE = 60  # seconds an assertion is good for
FORM_TOKEN = re.compile(r'name="csrf"[^>]*value="([^"]+)"')


class Unanswered(Exception):
    """A call got no usable answer; the message is one line that says which and why."""

    code = "no_answer"


class Client:
    """One connection. `base` is the address that the server calls itself; `socket` the way to it, if not by TCP."""

    def __init__(self, base: str, socket: Path | None = None) -> None:
        self.base = base
        way = httpx.HTTPTransport(uds=str(socket)) if socket else None
        self._http = httpx.Client(base_url=base, transport=way, timeout=TIMEOUT, trust_env=False)

    def fetch(self, path: str) -> bytes:
        """GET a public path. Raises Unanswered."""
        body = bytearray()
        try:
            with self._http.stream("GET", path) as got:
                for part in got.iter_bytes():
                    body += part
                    if len(body) > MOST:
                        raise Unanswered(f"GET {path}: longer than anything that {self.base} should show here")
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise self._silent(error) from None
        if not got.is_success:
            raise Unanswered(_reason(httpx.Response(got.status_code, content=bytes(body), request=got.request)))
        return bytes(body)

    def log_key(self) -> str:
        """The verification key under which this server says it signs its log. Raises Unanswered."""
        try:
            return str(json.loads(self.fetch("/transparency.json"))["vkey"])
        except (ValueError, KeyError, TypeError):
            raise Unanswered(f"{self.base}/transparency.json names no log key") from None

    def address(self) -> str:
        """The address that the server itself says it has. Raises Unanswered."""
        try:
            return str(json.loads(self.fetch("/.well-known/openid-configuration"))["issuer"])
        except (ValueError, KeyError, TypeError):
            raise Unanswered(f"{self.base} does not say which address it has") from None

    def register(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Register an app (RFC 7591 metadata with our additions), as operator. Raises Unanswered."""
        return _object(self._answer("POST", "/api/operator/apps", json=dict(metadata)))

    def arriving(self, pods: Mapping[str, str]) -> dict[str, str]:
        """Which pods (name -> old address) may arrive, as operator: free, part, whole or taken. Raises Unanswered."""
        return _object(self._answer("POST", "/api/operator/arrivals/names", json=dict(pods)))

    def arrive(self, load: bytes) -> dict[str, Any]:
        """Send one load of a pod that arrives (web.arrivals), as operator. Raises Unanswered."""
        return _object(self._answer("POST", "/api/operator/arrivals", content=load))

    def erase(self, pod: str) -> dict[str, Any]:
        """Erase a pod, as operator. Raises Unanswered."""
        return _object(self._answer("POST", "/api/operator/erase", json={"pod": pod}))

    def take_along(self, phrase: str, what: str = "data") -> bytes:
        """Everything in the pod of this session, locked with `phrase` (age format). Raises Unanswered.

        `what`: data, or solid for files as another Solid server keeps them.
        """
        fields = {"csrf": self._form_token("/me/take-away"), "what": what, "passphrase": phrase, "again": phrase}
        answer = self._send("POST", "/me/take-away", data=fields, headers={"Origin": self.base}, timeout=None)
        if answer.status_code != 200 or answer.headers.get("content-type") != "application/age":
            raise Unanswered(_reason(answer))
        return answer.content

    def erase_own(self, pod: str, secret: str) -> int:
        """Erase the pod of this session, which must be `pod`; the line of the office's log. Raises Unanswered."""
        fields = {"csrf": self._form_token("/me/security"), "pod": pod, "secret": secret}
        answer = self._answer("POST", "/api/erase", data=fields, headers={"Origin": self.base})
        return int(_object(answer)["entry"])

    def deposit(self, source: str, body: bytes, query: Mapping[str, str], bearer: str | None) -> dict[str, Any]:
        """Send one file of a source. The answer's `rejects` says what was wrong with it. Raises Unanswered."""
        headers = {"Content-Type": "application/octet-stream"} | (
            {"Authorization": f"Bearer {bearer}"} if bearer else {}
        )
        path = f"/api/sources/{source}/deposits"
        answer = self._send("POST", path, content=body, params=dict(query), headers=headers)
        told = _object(answer)
        if answer.is_error and not told.get("rejects"):
            raise Unanswered(_reason(answer))
        return told

    def rotate(self) -> dict[str, Any]:
        """Replace the server's custody key, over the operator's socket. Raises Unanswered."""
        return _object(self._answer("POST", "/api/operator/custodian/rotate", timeout=None))

    def rotate_log(self) -> dict[str, Any]:
        """Replace the log's key, over the operator's socket. Raises Unanswered."""
        return _object(self._answer("POST", "/api/operator/log/rotate", timeout=None))

    def clock(self) -> dict[str, Any]:
        """What the server takes for now, over the operator's socket. Raises Unanswered."""
        return _object(self._answer("GET", "/api/operator/clock"))

    def accept_clock(self) -> dict[str, Any]:
        """Say that the machine's clock is right, over the operator's socket. Raises Unanswered."""
        return _object(self._answer("POST", "/api/operator/clock/accept"))

    def login(self, user: str, passphrase: str) -> None:
        """Open a session as a person would, on the login form. Raises Unanswered if name or passphrase is wrong."""
        fields = {"user": user, "passphrase": passphrase, "csrf": self._form_token("/login")}
        answer = self._send("POST", "/login", data=fields, headers={"Origin": self.base})
        if answer.status_code != 303:
            raise Unanswered(_reason(answer))
        if answer.headers.get("Location", "/login").startswith("/login"):
            raise Unanswered(f"{self.base} does not know this name with this passphrase")

    def logout(self) -> None:
        """End the session; what it opened closes with it. Raises Unanswered."""
        fields = {"csrf": self._form_token("/me/security")}
        self._send("POST", "/logout", data=fields, headers={"Origin": self.base})

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def _form_token(self, path: str) -> str:
        found = FORM_TOKEN.search(self.fetch(path).decode(errors="replace"))
        if found is None:
            raise Unanswered(f"{self.base}{path} is no form of a vault")
        return found.group(1)

    def _answer(self, method: str, path: str, **parts: Any) -> httpx.Response:
        answer = self._send(method, path, **parts)
        if not answer.is_success:
            raise Unanswered(_reason(answer))
        return answer

    def _send(self, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **parts)
        except httpx.RequestError as error:
            raise self._silent(error) from None

    def _silent(self, error: Exception) -> Unanswered:
        return Unanswered(f"{self.base} does not answer ({error}): is `kluis serve` running?")


def assertion(
    key: Mapping[str, Any], client: str, issuer: str, body: bytes, now: datetime, **delivery: str | bool | None
) -> str:
    """A source's client assertion (RFC 7523 section 3) for one file: good once, for 60 s, for these bytes only.

    `delivery` says what it is good for beside the file: `pod`, `patron`, `keep_good`. `key` is a private ES256 JWK with
    `kid`. Raises Unanswered if it is not.
    """
    issued = int(now.timestamp())
    claims = {
        "iss": client,
        "sub": client,
        "aud": issuer,
        "iat": issued,
        "exp": issued + LIFE,
        "jti": b64(fresh_bytes(16)),
        "body_sha256": b64(sha256(body).digest()),
        **{name: value for name, value in delivery.items() if value is not None},
    }
    header = {"alg": "ES256", "typ": "JWT"} | ({"kid": key["kid"]} if "kid" in key else {})
    told = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    try:
        return f"{told}.{b64(sign_es256(dict(key), told.encode()))}"
    except (KeysError, KeyError, ValueError):
        raise Unanswered("the key file holds no private ES256 key") from None


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Unanswered(_reason(answer))
    return told


def _reason(answer: httpx.Response) -> str:
    """What a problem (RFC 9457) says, on one line; never the body of anything else."""
    try:
        problem = answer.json()
        told = str(problem.get("detail") or problem.get("title") or problem.get("error_description") or "")
    except (ValueError, AttributeError):
        told = ""
    line = " ".join(told.split())[:300]
    return f"{answer.request.method} {answer.request.url.path}: {answer.status_code}{' ' + line if line else ''}"
