"""Writing to a pod: PUT, POST and DELETE. Everything is checked before the door, which stores all of it or nothing."""

from dataclasses import replace
from functools import partial

from consent import answers, outbox
from consent.call import Admission, Denial
from consent.categories import category_at
from keys.secret import fresh_bytes
from vault import acls, store
from vault.blobs import Staged
from vault.errors import Denied, NoCompartment
from vault.keysets import CustodyKeys
from vault.room import make_room
from vault.solid import conditional, ldp, paths, rdf
from vault.solid.limited import LIMITED
from vault.solid.paths import BadPath
from vault.store import Written
from web import podinbox, podmeta, podread
from web.podcall import PARSED, Asked, after, beside
from web.replies import Reply, denied, nothing, problem

FIRST = 1
NEVER = -1  # a version that nothing has: the door refuses, and so logs, what a precondition ruled out
NO_LIST = b"\0"  # the same for an access control list, whose digest this is not
Expected = int | str | None
Content = tuple[str | None, bytes | Staged]
_making: set[str] = set()  # addresses that a POST chose and has not stored yet; a vault has one process that writes


async def put(asked: Asked) -> Reply:
    """Store a body under the name asked for, or make that container."""
    path = asked.target.path
    media = None if asked.target.container else ldp.media_type(asked.text(b"content-type"))
    return await _store(asked, path, media, asked.version(path))


async def post(asked: Asked) -> Reply:
    """Store a new member under a name that the server chooses (`server-post-uri-assignment`)."""
    fields = [value.decode("latin-1") for value in asked.values(b"link")]
    media = None if ldp.wants_container(fields) else ldp.media_type(asked.text(b"content-type"))
    if (unread := podinbox.unread(asked, media)) is not None:
        return unread
    names = _names(asked, "/" if media is None else "")
    admitted = await asked.admit(names[-1], exists=False)
    if isinstance(admitted, Denial):
        return denied(admitted, asked.house.base)
    # Who may append and not read must not learn from her address which names are taken.
    path = _free(asked, names if "read" in admitted.user else names[1:])
    _making.add(asked.root + path)
    try:
        return await _store(asked, path, media, None)
    finally:
        _making.discard(asked.root + path)


async def delete(asked: Asked) -> Reply:
    """Remove a resource or an empty container."""
    path = asked.target.path
    version = asked.version(path)
    admitted = await asked.admit(path, exists=version is not None)
    if isinstance(admitted, Denial):
        return denied(admitted, asked.house.base)
    expected = awaited(asked, path, version)
    number = expected if isinstance(expected, int) else None
    try:
        now, also = asked.house.clock(), _tell(asked, admitted, path)
        index = await store.remove(asked.house.vault, admitted.permit, path, now, number, also)
    except Denied as error:
        if error.reason == "gone" and version is None:  # the resource, not the grant
            return nothing()
        raise
    return Reply(204, {"Kluis-Entry": str(index)} | admitted.applied)


async def acl(asked: Asked) -> Reply:
    """PUT or DELETE of an access document, as Turtle or JSON-LD, and never one that locks everybody out of the root."""
    path, house = asked.target.subject, asked.house
    admitted = await asked.admit(path, exists=True)
    if isinstance(admitted, Denial):
        return denied(admitted, house.base)
    expected = list_awaited(asked, path)
    try:
        if asked.method == "DELETE":
            index = await acls.remove(house.vault, admitted.permit, path, house.clock(), expected)
        else:
            media = ldp.media_type(asked.text(b"content-type"))
            if media not in (rdf.TURTLE, rdf.JSON_LD):
                return problem(415, "media", "Access is written as text/turtle or application/ld+json")
            url = asked.root + asked.target.path
            turtle = await LIMITED.convert(await asked.body(PARSED), media, rdf.TURTLE, url)
            index = await acls.put(house.vault, admitted.permit, path, turtle, house.clock(), expected)
    except Denied as error:
        return list_refused(error)
    return Reply(204, {"Kluis-Entry": str(index)} | admitted.applied)


def list_refused(error: Denied) -> Reply:
    """The answer to a list that was not written; raises again what is answered elsewhere."""
    if error.reason == "no_control":
        return problem(409, "no-control", "The root's list must leave somebody in control")
    if error.reason == "absent":
        return nothing()
    raise error


def list_awaited(asked: Asked, path: str) -> bytes | None:
    """What `acls` must find when it writes a list, by the request's preconditions; None without any."""
    vault, pod = asked.house.vault, asked.house.vault.pod(asked.target.pod)
    turtle = acls.stored(vault, pod, path) if pod else None
    shown = acls.told(vault, pod, path, exists=asked.version(path) is not None) if pod else None
    key = asked.key(asked.target.path)
    version = None if shown is None else podread.tagged(shown, key)
    found = conditional.evaluate_write(asked.text(b"if-match"), asked.text(b"if-none-match"), key, version)
    if found is None:
        return None
    return NO_LIST if found == "precondition_failed" else acls.digest(turtle)


async def _store(asked: Asked, path: str, media: str | None, version: int | None) -> Reply:
    """Admit, read the body, check it, write it. `media` None stores a container, whose body says nothing."""
    admitted = await asked.admit(path, exists=version is not None)
    if isinstance(admitted, Denial):
        return denied(admitted, asked.house.base)
    if asked.method == "POST" and asked.version(asked.target.path) is None:
        return nothing()
    if (closed := await podinbox.closed(asked, admitted)) is not None:
        return closed
    body, more = (await asked.body(PARSED), None) if _parsed(asked, admitted, path, media) else await asked.begun()
    if (unfit := await _unfit(asked, admitted, path, media, body)) is not None:
        return unfit
    if version is None and clashes(asked, path):
        return problem(409, "slash", "This name exists with the slash the other way round, or below a resource")
    expected = _expected(asked, path, media, version)
    if more is None:
        return await _write(asked, admitted, path, (media, body), expected)
    vault, now = asked.house.vault, asked.house.clock()
    async with store.receive(vault, admitted.permit, path, after(body, more), now) as staged:
        return await _write(asked, admitted, path, (media, staged), expected)


def _parsed(asked: Asked, admitted: Admission, path: str, media: str | None) -> bool:
    """Whether the body must be read whole before it is stored: something is checked in it."""
    return media is None or rdf.is_rdf(media) or is_record(admitted, path) or asked.target.kind == "meta"


async def _unfit(asked: Asked, admitted: Admission, path: str, media: str | None, body: bytes) -> Reply | None:
    """Why this body is not stored there, whatever is there now; None if it may be. Raises BadRdf."""
    if (bad := await podinbox.unfit(asked, body)) is not None:
        return bad
    url = asked.root + path
    if media is None:
        if await _says_something(body, asked.text(b"content-type"), url):
            return problem(409, "containment", "What a container holds is not written by hand")
        return None
    if no := podmeta.refused(asked, admitted, media):
        return no
    if is_record(admitted, path) and not await beside(body, lambda: _holds_record(media, body)):
        return problem(422, "no-record", "An app stores a JSON object here, as application/ld+json or application/json")
    if rdf.is_rdf(media):
        await LIMITED.check(body, media, url)
    if asked.target.kind == "meta" and await podmeta.says_protected(asked, media, body):
        return podmeta.guarded()
    return None


def is_record(admitted: Admission, path: str) -> bool:
    """Whether an app writes, by its grant, where its records lie among those of others and are read in one batch."""
    described = paths.subject_of(path) is not None
    return admitted.datum is not None and not described and category_at(path).custody == "sealed"


def _holds_record(media: str, body: bytes) -> bool:
    return media in (rdf.JSON_LD, "application/json") and answers.record(body) is not None


async def _write(asked: Asked, admitted: Admission, path: str, content: Content, expected: Expected) -> Reply:
    media, _ = content
    try:
        done = await written(asked, admitted, path, content, expected)
    except Denied as error:
        if error.reason == "exists" and asked.text(b"if-none-match") is None:
            return problem(409, "exists", "This is there already, and a container is not overwritten")
        raise
    return told(asked, admitted, path, media, done)


def told(asked: Asked, admitted: Admission, path: str, media: str | None, done: Written) -> Reply:
    """The answer to a write that was done: its entry, its tag unless it is a container, and where what is new is."""
    headers = {"Kluis-Entry": str(done.index)} | admitted.applied
    if media is not None:
        headers["ETag"] = conditional.etag(asked.key(path), done.version, media)
    return Reply(201, {**headers, "Location": asked.root + path}) if done.created else Reply(204, headers)


async def written(asked: Asked, admitted: Admission, path: str, content: Content, expected: Expected) -> Written:
    """Write; under access control a new top-level container is made first, if that is what is missing."""
    (media, body), vault, now = content, asked.house.vault, asked.house.clock()
    stored = None if media is None else body
    try:
        also = _tell(asked, admitted, path)
        return await store.write(vault, admitted.permit, path, media or "", stored, now, expected, also=also)
    except NoCompartment:
        if not isinstance(admitted.keys, CustodyKeys):
            raise
        if expected == NEVER:  # no room is made for a write that cannot happen
            raise Denied("precondition") from None
    permit = await make_room(vault, admitted.permit, path, now)
    # Making room made the container itself, at version 1; writing it again gives this request its own entry.
    first = FIRST if path == f"/{paths.compartment_of(path)}/" else expected
    return replace(await store.write(vault, permit, path, media or "", stored, now, first), created=True)


def _tell(asked: Asked, admitted: Admission, path: str) -> store.Also | None:
    """Tell the apps that may read this that it was changed or removed; what is managed is read live."""
    vault, kind, now = asked.house.vault, category_at(path), asked.house.clock()
    pod = vault.pod_by_id(admitted.permit.pod)
    if pod is None or kind.custody != "sealed" or paths.subject_of(path) is not None:
        return None
    return partial(outbox.corrected, pod=pod, path=path, category=kind.curie, by=admitted.permit.facts.grant, now=now)


def awaited(asked: Asked, path: str, version: int | None) -> Expected:
    """What the door must find when it writes; a failed precondition is left to it, so that it is in the log."""
    if_match, if_none_match = asked.text(b"if-match"), asked.text(b"if-none-match")
    expected = conditional.evaluate_write(if_match, if_none_match, asked.key(path), version)
    return NEVER if expected == "precondition_failed" else expected


def _expected(asked: Asked, path: str, media: str | None, version: int | None) -> Expected:
    """What the door must find when it stores a body, whoever else is writing at this moment."""
    expected = awaited(asked, path, version)
    if expected is not None:
        return expected
    if media is None or asked.method == "POST":
        return "absent"
    # To make again what was deleted meanwhile takes a right on the container that nobody was asked for.
    return None if version is None else "present"


def _names(asked: Asked, end: str) -> list[str]:
    """The paths to choose from in the container, the nicest first, one that nobody has last. Raises BadPath.

    All of them before any look-up: an answer that depends on what is taken would tell strangers what is there.
    """
    fresh = fresh_bytes(16).hex()
    name = ldp.slug(asked.text(b"slug"), fresh)
    above = asked.target.path[1:]
    return [paths.canonical(f"{above}{one}{end}".encode()) for one in (name, f"{name}-{fresh[:8]}", fresh)]


def _free(asked: Asked, names: list[str]) -> str:
    """The first of these paths where nothing is, with or without slash. Raises BadPath if all are taken."""
    for path in names:
        both = (path, paths.twin(path))
        if all(asked.version(one) is None and asked.root + one not in _making for one in both):
            return path
    raise BadPath("taken")


def clashes(asked: Asked, path: str) -> bool:
    """Whether the name is taken with the slash the other way round, or something above it is no container."""
    above = (ancestor[:-1] for ancestor in paths.ancestors(path)[:-1])
    return any(asked.version(other) is not None for other in (paths.twin(path), *above))


async def _says_something(body: bytes, content_type: str | None, url: str) -> bool:
    """Whether the body sent with a container holds statements; an empty or blank one does not."""
    if not body.strip():
        return False
    media = ldp.media_type(content_type)
    return not rdf.is_rdf(media) or await LIMITED.check(body, media, url) > 0
