"""The pods: one raw ASGI app, routed on the raw path, since a decoded one would make `a%2Fb` equal `a/b`.

Every request goes the same way: name -> modes needed -> gate -> door. The gate and the door write the log; what is
decided here never opens anything. Cookies are not read. Permission is asked before anything that depends on whether
the target exists, so that without it every name answers alike.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from consent.gate import Admission, Call, Denial, admit
from keys.secret import fresh_bytes
from vault import acls, door
from vault.errors import Denied
from vault.log.entry import Appended, Intent
from vault.solid import conditional, conneg, ldp, paths, rdf, wac
from vault.solid.paths import BadPath, Target
from vault.solid.rdf import BadRdf
from web.middleware import App, Receive, Scope, Send, TooLarge
from web.replies import PROTECTED, Known, Reply, cors, denied, failed, problem

if TYPE_CHECKING:
    from web.app import House

LARGEST = 16 * 1024 * 1024
LONG = 64 * 1024  # RDF beyond this is parsed beside the event loop
NEVER = -1  # a version that nothing has: the door refuses and logs what a precondition ruled out
T = TypeVar("T")
Expected = int | str | None
_log = logging.getLogger("kluis.pods")


class _Gone(Exception):
    """The client left in the middle of its body: nothing is stored and nobody is answered."""


@dataclass(frozen=True)
class _Request:
    """One request: method, canonical target, raw path as ASCII, headers, and the way to its body."""

    method: str
    target: Target
    raw: str
    headers: list[tuple[bytes, bytes]]
    receive: Receive

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a header."""
        return tuple(value for key, value in self.headers if key == name)

    def text(self, name: bytes) -> str | None:
        """A header as one list (RFC 9110 5.3), None if it is absent."""
        found = self.values(name)
        return b", ".join(found).decode("latin-1") if found else None


def create(house: "House", largest: int = LARGEST) -> App:
    """The app that answers under `/pods/`; bodies of more than `largest` bytes get 413."""
    return _Pods(house, largest)


class _Pods:
    """Holds no state but the house."""

    def __init__(self, house: "House", largest: int) -> None:
        self.house, self.largest = house, largest
        self.host = house.base.split("://", 1)[1].encode()
        self.actions: dict[str, Callable[[_Request], Awaitable[Reply]]] = {
            "GET": self._get,
            "HEAD": self._get,
            "PUT": self._put,
            "POST": self._post,
            "DELETE": self._delete,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; one that was cut off is not answered."""
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        dressing = cors(_first(headers, b"origin"), _first(headers, b"access-control-request-headers"), self.actions)
        try:
            reply = await self._answer(scope["method"], raw, headers, receive)
        except _Gone:
            return
        except Known as error:
            reply = failed(error, self.house.base)
        except Exception as error:  # noqa: BLE001 -- the last line: nobody is shown a trace, which may hold personal data
            _log.error("a pod request failed: %s", type(error).__name__)
            reply = problem(500, "internal", "Something went wrong here")
        await _send(reply, {**PROTECTED, **dressing}, send, silent=scope["method"] == "HEAD")

    async def _answer(self, method: str, raw: bytes, headers: list[tuple[bytes, bytes]], receive: Receive) -> Reply:
        if [value.lower() for name, value in headers if name == b"host"] != [self.host]:
            return problem(421, "misdirected", "This server answers under another name")
        target = paths.parse(raw)
        request = _Request(method, target, _ascii(raw), headers, receive)
        reply = await self._route(request)
        return replace(reply, headers={**self._about(target), **reply.headers})

    async def _route(self, request: _Request) -> Reply:
        target = request.target
        if request.method not in ldp.methods(target):
            return problem(405, "method", "This method is not for this resource")
        if request.method == "OPTIONS":
            return Reply(204)
        try:
            if target.kind == "description":
                about = ldp.description(self._root(target), self._owner(target))
                return await self._show(request, about, rdf.TURTLE, 0)
            if target.kind != "resource":
                return await self._auxiliary(request)
            return await self.actions[request.method](request)
        except Known as error:
            return failed(error, self.house.base)

    def _about(self, target: Target) -> dict[str, str]:
        """The headers that follow from the name alone, on every answer about it."""
        return {
            "Allow": ", ".join(ldp.methods(target)),
            "Link": ", ".join(ldp.links(self._root(target), target, self._owner(target))),
            **ldp.accepts(target),
        }

    def _root(self, target: Target) -> str:
        return f"{self.house.base}/pods/{target.pod}"

    def _owner(self, target: Target) -> str:
        return f"{self._root(target)}/profile/card#me"

    def _version(self, target: Target, path: str) -> int | None:
        pod = self.house.vault.pod(target.pod)
        return None if pod is None else door.version_of(self.house.vault, pod, path)

    def _key(self, target: Target, path: str) -> bytes:
        """The key of a path's tags: its id, a keyed hash that only this vault can work out.

        A storage description is the same for a pod that exists and one that does not, and so must its tag be.
        """
        pod = None if target.kind == "description" else self.house.vault.pod(target.pod)
        return pod.resource(path) if pod else bytes(16)

    async def _admit(self, request: _Request, path: str, *, exists: bool) -> Admission | Denial:
        needs = ldp.needs(request.method, request.target.kind, exists)
        purpose = request.text(b"kluis-purpose")
        call = Call(
            request.method,
            self.house.base + request.raw,
            request.target.pod,
            path,
            request.values(b"authorization"),
            request.values(b"dpop"),
            purpose,
            request.target.kind,
            needs.resource,
            needs.container,
        )
        return await admit(self.house.vault, call, self.house.clock())

    # ------------------------------------------------------------ reading

    async def _get(self, request: _Request) -> Reply:
        path, now = request.target.path, self.house.clock()
        admitted = await self._admit(request, path, exists=True)
        if isinstance(admitted, Denial):
            return denied(admitted, self.house.base)
        found = await door.read(self.house.vault, admitted.permit, admitted.keys, path, now)
        told = {"Kluis-Entry": str(found.index), "WAC-Allow": wac.wac_allow(admitted.user, admitted.public)}
        reply = await self._shown(request, admitted, found, now)
        return replace(reply, headers={**told, **reply.headers})

    async def _shown(self, request: _Request, admitted: Admission, found: door.Found, now: datetime) -> Reply:
        if found.kind == "container":
            return await self._show(request, self._listing(request.target, admitted, found, now), rdf.TURTLE, 0)
        body = _limited(admitted, found.body, found.media, now) if found.kind == "resource" else None
        if body is None:
            return _nothing()
        # A body that the grant cut down is another representation than the stored version.
        version = found.version if body == found.body else 0
        return await self._show(request, body, found.media, version, found.modified)

    def _listing(self, target: Target, admitted: Admission, found: door.Found, now: datetime) -> bytes:
        kept = {
            member.label.path: rdf.Member(
                member.label.path.removeprefix(target.path).rstrip("/"),
                member.body is None,
                member.label.media,
                member.label.size,
                member.label.when if member.label.modified else None,
            )
            for member in found.members
            if member.body is None or _limited(admitted, member.body, member.label.media, now) is not None
        }
        return rdf.container(self._root(target) + target.path, kept.values())

    async def _show(
        self, request: _Request, body: bytes, stored: str, version: int, modified: datetime | None = None
    ) -> Reply:
        """The representation that the client prefers, or 304, 406, 412. `version` 0: the tag follows from the body."""
        media = conneg.choose(request.text(b"accept"), stored)
        if media is None:
            return problem(406, "not-acceptable", "Not in this form", offers=conneg.offers(stored))
        path = request.target.path
        key = self._key(request.target, path)
        number = version or int.from_bytes(blake2b(body, key=key, digest_size=8).digest(), "big")
        tag = conditional.etag(key, number, media)
        headers = {"ETag": tag, "Content-Type": media}
        if modified is not None:
            headers["Last-Modified"] = format_datetime(modified, usegmt=True)
        instead = conditional.evaluate_read(request.text(b"if-match"), request.text(b"if-none-match"), tag, key, number)
        if instead == "not_modified":
            return Reply(304, {"ETag": tag})
        if instead is not None:
            return problem(412, "precondition", "Another version is stored")
        if media != stored:
            try:
                body = await _beside(body, lambda: rdf.convert(body, stored, media, self._root(request.target) + path))
            except BadRdf as error:
                return problem(406, "not-acceptable", "This cannot be put into that form", reason=error.reason)
        return Reply(200, headers, body)

    async def _auxiliary(self, request: _Request) -> Reply:
        """An access control list, or a description (none is ever stored yet), behind an entry of its own."""
        target, vault, now = request.target, self.house.vault, self.house.clock()
        admitted = await self._admit(request, target.subject, exists=True)
        if isinstance(admitted, Denial):
            return denied(admitted, self.house.base)
        permit, pod = admitted.permit, vault.pod(target.pod)
        facts = replace(permit.facts, resources=(target.path,))
        guards = (permit.guard,) if permit.guard else ()
        intent = Intent(permit.pod, facts, now, guards, permit.jti, permit.jti_until)
        done = await vault.log.append(intent)
        if not isinstance(done, Appended):
            raise Denied(done.reason)
        turtle = acls.stored(vault, pod, target.subject) if pod and target.kind == "acl" else None
        vault.log.served(done.index)
        told = {"Kluis-Entry": str(done.index), "WAC-Allow": wac.wac_allow(admitted.user, admitted.public)}
        reply = _nothing() if turtle is None else await self._show(request, turtle, rdf.TURTLE, 0)
        return replace(reply, headers={**told, **reply.headers})

    # ------------------------------------------------------------ writing

    async def _put(self, request: _Request) -> Reply:
        target = request.target
        media = None if target.container else ldp.media_type(request.text(b"content-type"))
        version = self._version(target, target.path)
        return await self._store(request, target.path, media, version)

    async def _post(self, request: _Request) -> Reply:
        """A new member under a name that the server chooses (`server-post-uri-assignment`)."""
        target = request.target
        fields = [value.decode("latin-1") for value in request.values(b"link")]
        media = None if ldp.wants_container(fields) else ldp.media_type(request.text(b"content-type"))
        path = self._free(target, request.text(b"slug"), "/" if media is None else "")
        return await self._store(request, path, media, None)

    def _free(self, target: Target, slug: str | None, end: str) -> str:
        """A path in the container where nothing is, with or without slash. Raises BadPath if it gets too long."""
        fresh = fresh_bytes(16).hex()
        name = ldp.slug(slug, fresh)
        for candidate in (name, f"{name}-{fresh[:8]}", fresh):
            path = paths.canonical(f"{target.path[1:]}{candidate}{end}".encode())
            if self._version(target, path) is None and self._version(target, paths.twin(path)) is None:
                return path
        raise BadPath("taken")

    async def _store(self, request: _Request, path: str, media: str | None, version: int | None) -> Reply:
        """Admit, read the body, check it, write it. `media` None stores a container, whose body says nothing."""
        target = request.target
        admitted = await self._admit(request, path, exists=version is not None)
        if isinstance(admitted, Denial):
            return denied(admitted, self.house.base)
        if request.method == "POST" and self._version(target, target.path) is None:
            return _nothing()
        body = await self._body(request)
        if media is None and await _says_something(body, request.text(b"content-type"), self._root(target) + path):
            return problem(409, "containment", "What a container holds is not written by hand")
        if media is not None and rdf.is_rdf(media):
            await _beside(body, lambda: rdf.check(body, media, self._root(target) + path))
        if version is None and self._clashes(target, path):
            return problem(409, "slash", "This name exists with the slash the other way round, or below a resource")
        expected = self._expected(request, path, version, media)
        return await self._write(request, admitted, path, (media, body), expected)

    async def _write(
        self, request: _Request, admitted: Admission, path: str, content: tuple[str | None, bytes], expected: Expected
    ) -> Reply:
        (media, body), vault, now = content, self.house.vault, self.house.clock()
        stored = None if media is None else body
        try:
            written = await door.write(vault, admitted.permit, path, media or "", stored, now, expected)
        except Denied as error:
            if error.reason == "exists" and request.text(b"if-none-match") is None:
                return problem(409, "exists", "This is there already, and a container is not overwritten")
            raise
        headers = {"Kluis-Entry": str(written.index)}
        if media is not None:
            headers["ETag"] = conditional.etag(self._key(request.target, path), written.version, media)
        if not written.created:
            return Reply(204, headers)
        return Reply(201, {**headers, "Location": self._root(request.target) + path})

    def _expected(self, request: _Request, path: str, version: int | None, media: str | None) -> Expected:
        """What the door must find when it writes; a failed precondition is left to it, so that it is in the log."""
        if_match, if_none_match = request.text(b"if-match"), request.text(b"if-none-match")
        expected = conditional.evaluate_write(if_match, if_none_match, self._key(request.target, path), version)
        if expected == "precondition_failed":
            return NEVER
        # A new name and a container must not be there yet, whoever else is writing at this moment.
        return "absent" if expected is None and (media is None or request.method == "POST") else expected

    def _clashes(self, target: Target, path: str) -> bool:
        above = (ancestor[:-1] for ancestor in paths.ancestors(path)[:-1])
        return any(self._version(target, other) is not None for other in (paths.twin(path), *above))

    async def _delete(self, request: _Request) -> Reply:
        target = request.target
        version = self._version(target, target.path)
        admitted = await self._admit(request, target.path, exists=version is not None)
        if isinstance(admitted, Denial):
            return denied(admitted, self.house.base)
        expected = self._expected(request, target.path, version, "")
        number = expected if isinstance(expected, int) else None
        try:
            index = await door.remove(self.house.vault, admitted.permit, target.path, self.house.clock(), number)
        except Denied as error:
            if error.reason == "gone" and version is None:
                return _nothing()
            raise
        return Reply(204, {"Kluis-Entry": str(index)})

    async def _body(self, request: _Request) -> bytes:
        """The whole body. Raises _Gone if it was cut off, TooLarge past the limit; either way nothing is stored."""
        length = request.text(b"content-length") or ""
        if length.isdecimal() and int(length) > self.largest:
            raise TooLarge("the body is too large")
        body = bytearray()
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > self.largest:
                raise TooLarge("the body is too large")
            if not message.get("more_body", False):
                return bytes(body)


def _nothing() -> Reply:
    """404, for somebody who is allowed to know."""
    return problem(404, "not-found", "Nothing here")


def _limited(admitted: Admission, body: bytes, media: str, now: datetime) -> bytes | None:
    """The body as far as the grant covers it, None if not at all or if it is not what its type says."""
    try:
        return admitted.limited(body, media, now)
    except ValueError:
        return None


async def _says_something(body: bytes, content_type: str | None, url: str) -> bool:
    """Whether the body sent with a container holds statements; an empty or blank one does not."""
    if not body.strip():
        return False
    media = ldp.media_type(content_type)
    return not rdf.is_rdf(media) or await _beside(body, lambda: rdf.check(body, media, url)) > 0


async def _beside(body: bytes, work: Callable[[], T]) -> T:
    """Do the work here if the body is short, else in a thread, so that others are served meanwhile."""
    return work() if len(body) <= LONG else await asyncio.to_thread(work)


def _first(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


def _ascii(raw: bytes) -> str:
    """The raw path as the client signed it, bytes outside ASCII as escapes."""
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)


async def _send(reply: Reply, dressing: dict[str, str], send: Send, *, silent: bool) -> None:
    """Put an answer on the wire; `silent` for HEAD, which says how long the body would be."""
    headers = {**dressing, **reply.headers}
    if reply.status not in (204, 304):
        headers["Content-Length"] = str(len(reply.body))
    wire = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": wire})
    await send({"type": "http.response.body", "body": b"" if silent else reply.body})
