"""The one way out: fetches small public documents of other servers and cannot be led to an inner address.

A name is resolved once, every address it has must be global unicast, the connection goes to that very address, and the
peer of the connection is compared again before a byte of the answer is used. So a name that changes between check and
use (DNS rebinding) changes nothing. Each redirect is a new request under the same rules.
"""

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

import httpx

from federation.addresses import is_global, is_loopback
from federation.errors import BadAnswer, FederationError, NotAllowed, Unreachable

Resolve = Callable[[str, int], Awaitable[list[str]]]
_REDIRECTS = {301, 302, 303, 307, 308}
_KEPT = 256
_HERE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Limits:
    """What one fetch may cost: `body` in bytes, `connect` and `total` in seconds; and how long answers are kept."""

    body: int = 64 * 1024
    connect: float = 2.0
    total: float = 5.0
    redirects: int = 3
    fresh: timedelta = timedelta(minutes=5)
    stale: timedelta = timedelta(hours=1)
    negative: timedelta = timedelta(seconds=30)


@dataclass(frozen=True)
class Document:
    """A fetched document: the address it came from in the end, its bare media type, its bytes, when we asked."""

    url: str
    media: str
    body: bytes
    at: datetime


@dataclass(frozen=True)
class Reply:
    """What a peer answered to a POST: the status (never 5xx nor a redirect), the bare media type, the bytes."""

    status: int
    media: str
    body: bytes


@dataclass(frozen=True)
class _Kept:
    """The last good answer of an address and its last failure."""

    document: Document | None = None
    error: FederationError | None = None
    failed: datetime | None = None


async def resolve(host: str, port: int) -> list[str]:
    """Every numeric address of `host`, as the system's resolver orders them. Raises Unreachable("name")."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable("name") from None
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Fetcher:
    """Guarded GETs with a cache, for one event loop.

    It keeps no connection: a reused one could belong to another name on the same address, whose certificate was never
    checked.
    """

    def __init__(
        self,
        *,
        own: frozenset[str] = frozenset(),
        near: frozenset[str] = frozenset(),
        loopback: bool = False,
        ports: frozenset[int] = frozenset({443}),
        limits: Limits = Limits(),
        lookup: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Fetch from `ports` of strangers, and from the origins in `own` also by http on loopback (development).

        `own` holds origins of this vault such as `http://localhost:8400`; `near` those an operator named although they
        are not global: any address and plain http are taken there. `loopback` (development only): every http address of
        this machine counts as own. `trust` None: the public certificates.
        """
        self._near, self._loopback = near, loopback
        self._own, self._ports, self._limits, self._lookup = own, ports, limits, lookup
        self._trust = trust or httpx.create_ssl_context(trust_env=False)
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._flights: dict[tuple[str, str], asyncio.Task[Document]] = {}

    async def get(self, url: str, accept: str, now: datetime, max_age: timedelta | None = None) -> Document:
        """The document at `url`, from the cache if younger than `max_age` (at most the limit). Raises FederationError.

        Parallel calls share one fetch. An unreachable peer is answered for by the last good copy for an hour, and is
        not tried again for 30 s.
        """
        key = (url, accept)
        kept = self._kept.get(key, _Kept())
        age = self._limits.fresh if max_age is None else min(max_age, self._limits.fresh)
        if kept.document and now - kept.document.at < age:
            return kept.document
        if kept.error and kept.failed and now - kept.failed < self._limits.negative:
            return self._older(kept.error, kept.document, now)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._renew(key, now))
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    async def post(self, url: str, content: bytes, media: str, **more: str) -> Reply:
        """Send a small body and give the answer, without cache and redirects. Raises FederationError.

        `more` are further headers, by their names in small letters.

        What the peer says with a status below 500 is an answer; whether it is a good one the caller knows.
        """
        target = _parse(url)
        self._refuse_url(target)
        try:
            async with asyncio.timeout(self._limits.total):
                return await self._deliver(target, content, {**more, "Content-Type": media})
        except (TimeoutError, httpx.TimeoutException):
            raise Unreachable("timeout") from None
        except (httpx.HTTPError, ssl.SSLError, OSError):
            raise Unreachable("broken") from None

    async def _deliver(self, url: httpx.URL, content: bytes, headers: dict[str, str]) -> Reply:
        for address in await self._addresses(url):
            try:
                async with self._exchange("POST", address, url, headers, content) as response:
                    if response.status_code in _REDIRECTS:
                        raise BadAnswer("status")
                    return Reply(response.status_code, _media(response), await self._body(response))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # nothing was sent there
        raise Unreachable("connect")

    def allows(self, url: str) -> bool:
        """Whether this may be asked at all, by its form, scheme and port; where its name leads is seen later."""
        try:
            self._refuse_url(_parse(url))
        except NotAllowed:
            return False
        return True

    def _land(self, key: tuple[str, str], done: asyncio.Task[Document]) -> None:
        """End of a shared fetch. Its error is taken here too: every caller may have gone away meanwhile."""
        self._flights.pop(key, None)
        if not done.cancelled():
            done.exception()

    def _older(self, error: FederationError, document: Document | None, now: datetime) -> Document:
        """The last good copy instead of a failure, if the peer was merely away and the copy is young enough."""
        if isinstance(error, Unreachable) and document and now - document.at < self._limits.stale:
            return document
        raise type(error)(error.reason)

    async def _renew(self, key: tuple[str, str], now: datetime) -> Document:
        try:
            document = await self._fetch(*key, now)
        except FederationError as error:
            older = self._kept.get(key, _Kept()).document
            self._keep(key, _Kept(older, error, now))
            return self._older(error, older, now)
        self._keep(key, _Kept(document))
        return document

    def _keep(self, key: tuple[str, str], kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _fetch(self, url: str, accept: str, now: datetime) -> Document:
        try:
            async with asyncio.timeout(self._limits.total):
                return await self._follow(_parse(url), accept, now)
        except (TimeoutError, httpx.TimeoutException):
            raise Unreachable("timeout") from None
        except (httpx.HTTPError, ssl.SSLError, OSError):
            raise Unreachable("broken") from None

    async def _follow(self, url: httpx.URL, accept: str, now: datetime) -> Document:
        own = self._is_named(url)
        for _ in range(self._limits.redirects + 1):
            self._refuse_url(url)
            if self._is_named(url) and not own:
                raise NotAllowed("downgrade")  # a stranger's redirect does not reach our own loopback
            answer = await self._ask(url, accept, now)
            if isinstance(answer, Document):
                return answer
            url = _parse(answer, url)
        raise NotAllowed("redirects")

    async def _ask(self, url: httpx.URL, accept: str, now: datetime) -> Document | str:
        """One request: the document, or where it is said to be instead. Addresses are tried in the resolver's order."""
        for address in await self._addresses(url):
            try:
                return await self._ask_at(address, url, accept, now)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        raise Unreachable("connect")

    async def _addresses(self, url: httpx.URL) -> list[str]:
        found = await self._lookup(url.raw_host.decode("ascii"), _port(url))
        if not found:
            raise Unreachable("name")
        near = _origin(url) in self._near
        if not all(near or is_global(a) or (self._is_own(url) and is_loopback(a)) for a in found):
            raise NotAllowed("address")
        return found[:4]

    async def _ask_at(self, address: str, url: httpx.URL, accept: str, now: datetime) -> Document | str:
        async with self._exchange("GET", address, url, {"Accept": accept}) as response:
            if response.status_code in _REDIRECTS:
                return str(response.headers.get("location", ""))
            if response.status_code not in (200, *range(500, 600)):
                raise BadAnswer("status")
            return Document(str(url), _media(response), await self._body(response), now)

    @asynccontextmanager
    async def _exchange(
        self, method: str, address: str, url: httpx.URL, headers: dict[str, str], content: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        """One request to exactly this address, whose name and certificate are still those of the URL."""
        host = url.raw_host.decode("ascii")
        timeout = httpx.Timeout(self._limits.total, connect=self._limits.connect)
        client = httpx.AsyncClient(verify=self._trust, trust_env=False, timeout=timeout, follow_redirects=False)
        asked = client.stream(
            method,
            url.copy_with(host=address, fragment=None),
            headers=headers | {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"},
            content=content,
            extensions={"sni_hostname": host},
        )
        async with client, asked as response:
            if not _same_peer(response, address):
                raise NotAllowed("address")
            yield response

    async def _body(self, response: httpx.Response) -> bytes:
        if response.status_code >= 500:
            raise Unreachable("status")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise BadAnswer("encoding")
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > self._limits.body:
                raise BadAnswer("too_large")
        return bytes(body)

    def _is_own(self, url: httpx.URL) -> bool:
        return _origin(url) in self._own or (self._loopback and url.scheme == "http" and url.host in _HERE)

    def _is_named(self, url: httpx.URL) -> bool:
        """Whether the operator named this origin, so that plain http and its port are taken there."""
        return self._is_own(url) or _origin(url) in self._near

    def _refuse_url(self, url: httpx.URL) -> None:
        if url.userinfo:
            raise NotAllowed("userinfo")
        if self._is_named(url):
            return
        if url.scheme != "https":
            raise NotAllowed("scheme")
        if _port(url) not in self._ports:
            raise NotAllowed("port")


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    if not url or len(url) > 2048 or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        raise NotAllowed("url")
    try:
        parsed = base.join(url) if base else httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise NotAllowed("url") from None
    if not parsed.host:
        raise NotAllowed("url")
    return parsed


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _same_peer(response: httpx.Response, address: str) -> bool:
    peer = response.extensions["network_stream"].get_extra_info("server_addr")
    return peer is not None and ip_address(peer[0]) == ip_address(address)


def _media(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
