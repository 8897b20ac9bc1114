"""Reading from a pod: resources, listings, access control lists, the storage description; each behind a log entry."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from hashlib import blake2b

import orjson

from consent.call import Admission, Denial
from vault import acls, door
from vault.errors import Denied
from vault.log.entry import Appended
from vault.permit import Permit
from vault.sealed import Found, Opened
from vault.solid import conditional, conneg, ldp, lws, ranges, rdf, wac
from vault.solid.limited import LIMITED
from vault.solid.rdf import BadRdf
from web.partial import ranged
from web.podcall import Asked
from web.replies import Reply, denied, nothing, problem

CUT = 16 * 1024 * 1024  # bytes: the longest body that a grant limits by its fields or times
FEW = 100  # members that are listed here; more are put into words beside the event loop


async def get(asked: Asked) -> Reply:
    """GET and HEAD of a resource, container or description."""
    house, now = asked.house, asked.house.clock()
    admitted = await asked.admit(asked.target.path, exists=True)
    if isinstance(admitted, Denial):
        return denied(admitted, house.base)
    needed = _needed(asked, admitted) if asked.method == "HEAD" else None
    found = await door.read(
        house.vault,
        admitted.permit,
        admitted.keys,
        asked.target.path,
        now,
        needed=needed,
        bodies=admitted.narrow and asked.target.container,
    )
    try:
        reply = _told(await _shown(asked, admitted, found, now), found.index, admitted)
    except BaseException:
        await _closed(found)
        raise
    if reply.pieces is None:
        await _closed(found)
        return reply
    return replace(reply, dropped=partial(_closed, found))


async def _closed(found: Found) -> None:
    if found.large is not None:
        await found.large.close()


def _needed(asked: Asked, admitted: Admission) -> Callable[[str], bool]:
    """Whether HEAD of a resource of this media type needs its body: if what is shown of it is another one."""
    accept = asked.text(b"accept")
    return lambda stored: admitted.narrow or conneg.choose(accept, stored) not in (stored, None)


async def auxiliary(asked: Asked) -> Reply:
    """GET and HEAD of an access control list, behind an entry of its own."""
    target, vault = asked.target, asked.house.vault
    admitted = await asked.admit(target.subject, exists=True)
    if isinstance(admitted, Denial):
        return denied(admitted, asked.house.base)
    pod = door.admit(vault, admitted.permit, target.subject)
    done = await entered(asked, admitted.permit)
    stands = asked.version(target.subject) is not None
    turtle = acls.told(vault, pod, target.subject, exists=stands)
    door.finish(vault, done)
    reply = nothing() if turtle is None else await _show(asked, turtle, rdf.TURTLE)
    return _told(reply, done.index, admitted)


async def description(asked: Asked) -> Reply:
    """GET and HEAD of the storage description: public, made from the pod's name, whether there is such a pod or not."""
    if _linked(asked):
        return await _show(asked, orjson.dumps(lws.description(asked.root, asked.owner)), lws.MEDIA)
    return await _show(asked, ldp.description(asked.root, asked.owner), rdf.TURTLE)


def _linked(asked: Asked) -> bool:
    """Whether the client would rather have the form of Linked Web Storage, and this server speaks it."""
    return asked.house.settings.lws and conneg.choose(asked.text(b"accept"), rdf.TURTLE, lws.MEDIA) == lws.MEDIA


async def entered(asked: Asked, permit: Permit) -> Appended:
    """Write the entry of a permit for control data, which no door opens. Raises Denied if its grant ended meanwhile."""
    vault, facts = asked.house.vault, replace(permit.facts, resources=(asked.target.path,))
    done = await vault.log.append(door.intent(permit, asked.house.clock(), facts=facts))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    return done


def _told(reply: Reply, index: int, admitted: Admission) -> Reply:
    told = {"Kluis-Entry": str(index), "WAC-Allow": wac.wac_allow(admitted.user, admitted.public)}
    told |= admitted.applied
    return replace(reply, headers={**told, **reply.headers})


async def _shown(asked: Asked, admitted: Admission, found: Found, now: datetime) -> Reply:
    if found.kind == "container":
        kept = await _members(asked, admitted, found, now)
        if _linked(asked):
            said, links = lws.container(asked.root + asked.target.path, kept, asked.query)
            page = await _show(asked, orjson.dumps(said), lws.MEDIA)
            return replace(page, headers={**page.headers, "Link": ", ".join(links)}) if links else page
        return await _show(asked, await _listing(asked, kept), rdf.TURTLE)
    if found.kind == "absent":
        return nothing()
    if not admitted.narrow:
        return await _show(asked, found.body, found.media, found.version, found.modified, found)
    if found.large is not None and found.size > CUT:
        return nothing()
    stored = await found.large.whole() if found.large else found.body
    body = _limited(admitted, stored, found.media, now)
    if body is None:
        return nothing()
    # A body that the grant cut down is another representation than the stored version.
    version = found.version if body == stored else None
    return await _show(asked, body, found.media, version, found.modified)


async def _members(asked: Asked, admitted: Admission, found: Found, now: datetime) -> list[rdf.Member]:
    """The members as the grant covers them; the bodies of a limited grant's are here, and say whether they show."""
    path = asked.target.path
    kept = []
    for member in found.members:
        label, size = member.label, member.label.size
        if label.path.endswith(".meta"):
            continue
        if member.body is not None and admitted.narrow:
            stored = await _bounded(member)
            shown = None if stored is None else _limited(admitted, stored, label.media, now)
            if shown is None:
                continue
            size = size if shown == stored else len(shown)  # how much was left out is not told either
        when = label.when if label.modified else None
        name = label.path.removeprefix(path).rstrip("/")
        kept.append(rdf.Member(name, member.body is None, label.media, size, when))
    return kept


async def _listing(asked: Asked, kept: list[rdf.Member]) -> bytes:
    address = asked.root + asked.target.path
    if len(kept) <= FEW:
        return rdf.container(address, kept)
    async with asked.house.vault.turn:
        return await asyncio.to_thread(rdf.container, address, kept)


async def _bounded(member: Opened) -> bytes | None:
    """The body of a member, None if it is longer than any body that a grant limits."""
    if member.large is None:
        return member.body
    try:
        return await member.large.whole() if member.large.size <= CUT else None
    finally:
        await member.large.close()


def _limited(admitted: Admission, body: bytes, media: str, now: datetime) -> bytes | None:
    """The body as far as the grant covers it, None if not at all or if it is not what its type says."""
    try:
        return admitted.limited(body, media, now)
    except (TypeError, ValueError):  # orjson reads deeper than it writes
        return None


async def _converted(asked: Asked, body: bytes, stored: str, media: str) -> bytes:
    return await LIMITED.convert(body, stored, media, asked.root + asked.target.path)


def tagged(body: bytes, key: bytes) -> int:
    """The number in the tag of a body that has no version of its own."""
    return int.from_bytes(blake2b(body, key=key, digest_size=8).digest(), "big")


async def _show(
    asked: Asked,
    body: bytes,
    stored: str,
    version: int | None = None,
    modified: datetime | None = None,
    found: Found | None = None,
) -> Reply:
    """The representation that the client prefers, or 304, 406, 412. Without a version the tag follows from the body.

    Parts are served of the form that is stored (or cut) alone: a converted one may differ from one time to the next.
    With `found` the body may be one that is not here: large, or after HEAD.
    """
    media = conneg.choose(asked.text(b"accept"), stored)
    if media is None:
        return problem(406, "not-acceptable", "Not in this form", offers=conneg.offers(stored))
    key = asked.key(asked.target.path)
    number = version or tagged(body, key)
    tag = conditional.etag(key, number, media)
    instead = conditional.evaluate_read(asked.text(b"if-match"), asked.text(b"if-none-match"), tag, key, number)
    if instead == "not_modified":
        return Reply(304, {"ETag": tag})
    if instead is not None:
        return problem(412, "precondition", "Another version is stored")
    try:
        shown = await _converted(asked, body, stored, media)
    except BadRdf as error:
        return problem(406, "not-acceptable", "This cannot be put into that form", reason=error.reason)
    dated = {} if modified is None else {"Last-Modified": format_datetime(modified, usegmt=True)}
    reply = Reply(200, {"ETag": tag, "Content-Type": media, **dated}, shown)
    if media != stored or modified is None:
        return reply
    one = asked.method == "GET" and ranges.still(asked.text(b"if-range"), tag, modified)
    size, large = (len(body), None) if found is None else (found.size, found.large)
    return ranged(reply, asked.text(b"range") if one else None, large, size)
