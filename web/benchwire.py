"""A small Solid program for `kluis bench`: connections that stay open, a token, a proof for each request (RFC 9449)."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Self
from urllib.parse import urlsplit

from keys.secret import fresh_bytes
from keys.sign import new_es256, sign_es256
from keys.text import b64
from web.client import Unanswered


@dataclass(frozen=True)
class Account:
    """Where a pod is, and the client credentials of a program of its citizen."""

    base: str
    pod: str
    client: str
    secret: str


@dataclass
class Program:
    """One program with one token; `clock` tells the time that its proofs name."""

    account: Account
    clock: Callable[[], datetime]
    key: dict[str, str] = field(default_factory=new_es256)
    token: str = ""

    def proof(self, method: str, url: str) -> str:
        """A fresh DPoP proof for one request, bound to the token if there is one."""
        claims = {"jti": b64(fresh_bytes(12)), "htm": method, "htu": url, "iat": int(self.clock().timestamp())}
        if self.token:
            claims["ath"] = b64(sha256(self.token.encode()).digest())
        public = {name: value for name, value in self.key.items() if name != "d"}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public}
        said = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        return f"{said}.{b64(sign_es256(self.key, said.encode()))}"

    async def login(self, line: "Line") -> None:
        """Get a token by client credentials (Solid-OIDC). Raises Unanswered."""
        self.token = ""
        who = base64.b64encode(f"{self.account.client}:{self.account.secret}".encode()).decode()
        headers = {"authorization": f"Basic {who}", "content-type": "application/x-www-form-urlencoded"}
        headers["dpop"] = self.proof("POST", f"{self.account.base}/oauth/token")
        status, body = await line.send("POST", "/oauth/token", headers, b"grant_type=client_credentials&scope=webid")
        if status != 200:
            raise Unanswered(f"POST /oauth/token: {status}")
        self.token = str(json.loads(body)["access_token"])

    async def call(self, line: "Line", method: str, path: str, body: bytes = b"", media: str = "") -> int:
        """One authorised request on a path of the pod; its status."""
        url = self.account.pod + path
        headers = {"authorization": f"DPoP {self.token}", "dpop": self.proof(method, url)}
        if media:
            headers["content-type"] = media
        status, _ = await line.send(method, urlsplit(url).path, headers, body)
        return status


class Line:
    """One connection to a server, kept open; HTTP/1.1 as far as a vault answers in it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader, self._writer, self._host = reader, writer, host

    @classmethod
    async def open(cls, base: str) -> Self:
        """Connect to a base address over http."""
        parts = urlsplit(base)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port or 80, limit=2**20), parts.netloc)

    def close(self) -> None:
        """Let go of the connection."""
        self._writer.close()

    async def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of one request. Raises Unanswered if the server went away."""
        sent = {"host": self._host, "content-length": str(len(body)), **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        try:
            self._writer.write("\r\n".join(lines).encode() + body)
            first, *rest = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
            return int(first.split(" ")[1]), await self._body(told)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Unanswered(f"{method} {path}: {error}") from None

    async def _body(self, told: dict[str, str]) -> bytes:
        if told.get("transfer-encoding") != "chunked":
            return await self._reader.readexactly(int(told.get("content-length", "0")))
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return body
