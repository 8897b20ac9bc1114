"""Reading from a pod: resources, listings, access control lists, the storage description; each behind a log entry."""

from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from hashlib import blake2b

from consent.call import Admission, Denial
from vault import acls, door
from vault.errors import Denied
from vault.log.entry import Appended
from vault.permit import Permit
from vault.solid import conditional, conneg, ldp, rdf, wac
from vault.solid.limited import LIMITED
from vault.solid.rdf import BadRdf
from web.podcall import Asked
from web.replies import Reply, denied, nothing, problem


async def get(asked: Asked) -> Reply:
    """GET and HEAD of a resource, container or description."""
    house, now = asked.house, asked.house.clock()
    admitted = await asked.admit(asked.target.path, exists=True)
    if isinstance(admitted, Denial):
        return denied(admitted, house.base)
    found = await door.read(house.vault, admitted.permit, admitted.keys, asked.target.path, now)
    return _told(await _shown(asked, admitted, found, now), found.index, admitted)


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
    return await _show(asked, ldp.description(asked.root, asked.owner), rdf.TURTLE)


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


async def _shown(asked: Asked, admitted: Admission, found: door.Found, now: datetime) -> Reply:
    if found.kind == "container":
        return await _show(asked, _listing(asked, admitted, found, now), rdf.TURTLE)
    body = _limited(admitted, found.body, found.media, now) if found.kind == "resource" else None
    if body is None:
        return nothing()
    # A body that the grant cut down is another representation than the stored version.
    version = found.version if body == found.body else None
    return await _show(asked, body, found.media, version, found.modified)


def _listing(asked: Asked, admitted: Admission, found: door.Found, now: datetime) -> bytes:
    path = asked.target.path
    kept = {}
    for member in found.members:
        label, size = member.label, member.label.size
        if member.body is not None:
            shown = _limited(admitted, member.body, label.media, now)
            if shown is None:
                continue
            size = size if shown == member.body else len(shown)  # how much was left out is not told either
        when = label.when if label.modified else None
        name = label.path.removeprefix(path).rstrip("/")
        kept[label.path] = rdf.Member(name, member.body is None, label.media, size, when)
    return rdf.container(asked.root + path, kept.values())


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
    asked: Asked, body: bytes, stored: str, version: int | None = None, modified: datetime | None = None
) -> Reply:
    """The representation that the client prefers, or 304, 406, 412. Without a version the tag follows from the body."""
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
    return Reply(200, {"ETag": tag, "Content-Type": media, **dated}, shown)
