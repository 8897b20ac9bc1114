"""An app on the wire: HTTP/1.1 over connections of its own, with the exact moments of sending and of the answer.

A client library would do more than it says between two moments; this one notes them around its own system calls.
"""

import asyncio
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from consent.oauth.clients import ASSERTION_TYPE
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `sent` and `heard` are moments (s, CLOCK_MONOTONIC) before the first byte out and after the last
    in; `whole` whether the body came to its proper end.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    sent: float
    heard: float
    whole: bool = True

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Line:
    """One connection, opened again whenever the server closed it; one request at a time."""

    base: str
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def send(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """One request; a connection that was closed meanwhile, before a byte came back, is opened again once."""
        head = {"host": urlsplit(self.base).netloc, "content-length": str(len(body)), **(headers or {})}
        text = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        raw = f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode() + body
        for fresh in (False, True):
            reader, writer = await self.opened(fresh=fresh)
            sent = time.monotonic()
            try:
                writer.write(raw)
                return await self._answer(reader, sent)
            except (ConnectionError, asyncio.IncompleteReadError):
                if fresh:
                    raise
        raise AssertionError("never reached")

    async def opened(self, *, fresh: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection."""
        if fresh or self.reader is None or self.writer is None or self.writer.is_closing():
            self.close()
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", urlsplit(self.base).port)
        return self.reader, self.writer

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def _answer(self, reader: asyncio.StreamReader, sent: float) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        body, whole = bytearray(), True
        try:
            if headers.get("transfer-encoding") == "chunked":
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                await reader.readexactly(2)
            else:
                body += await reader.readexactly(int(headers.get("content-length", "0")))
        except (ConnectionError, asyncio.IncompleteReadError) as broken:
            body += getattr(broken, "partial", b"")
            whole = False
            self.close()
        heard = time.monotonic()
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, bytes(body), sent, heard, whole)


@dataclass
class Key:
    """An app with its two keys: who it is, and what its tokens are bound to."""

    base: str
    app: dict[str, Any]
    dpop: dict[str, Any]
    client: str = "cultuurgids"
    _public: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._public = sample.public(self.dpop)

    def proof(self, method: str, path: str, token: str = "") -> str:
        """A fresh DPoP proof (RFC 9449), by the machine's clock."""
        claims = {"jti": b64(fresh_bytes(12)), "htm": method, "htu": self.base + path.partition("?")[0],
                  "iat": int(time.time())}  # fmt: skip
        ath = {"ath": b64(sha256(token.encode()).digest())} if token else {}
        return sample.compact({"typ": "dpop+jwt", "alg": "ES256", "jwk": self._public}, claims | ath, self.dpop)

    def shown(self, method: str, path: str, token: str) -> dict[str, str]:
        """The two headers of an authorised request."""
        return {"authorization": f"DPoP {token}", "dpop": self.proof(method, path, token)}

    def form(self, **fields: str) -> bytes:
        """A form with a fresh client assertion (RFC 7523)."""
        at = int(time.time())
        own = sample.assertion(key=self.app, iss=self.client, sub=self.client, aud=self.base, iat=at, exp=at + 60,
                               jti=b64(fresh_bytes(12)))  # fmt: skip
        said = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": own, "client_id": self.client}
        return urlencode({**said, **fields}).encode()

    async def get(self, line: Line, path: str, token: str) -> Answer:
        return await line.send("GET", path, self.shown("GET", path, token))

    async def post(self, line: Line, path: str, proof: str = "", **fields: str) -> Answer:
        """A form of the app, with a proof."""
        headers = {"content-type": FORM, "dpop": proof or self.proof("POST", path)}
        return await line.send("POST", path, headers, self.form(**fields))

    async def renew(self, line: Line, refresh: str) -> Answer:
        return await self.post(line, "/oauth/token", grant_type="refresh_token", refresh_token=refresh)

    async def redeem(self, line: Line, code: str) -> Answer:
        return await self.post(line, "/oauth/token", grant_type="authorization_code", code=code,
                               redirect_uri=sample.RETURN, code_verifier=sample.VERIFIER)  # fmt: skip
