"""Changing a part: PATCH of a resource, a description or an access control list (Solid Protocol 5.3).

The body says which modes are needed, so it is read first; nothing that depends on what is stored is answered before
permission. A patch of what exists leaves two entries: `read` (note `patch`), behind which the old version is opened,
and the change. One that only inserts, where nothing is, leaves one. The proof and the use of the grant count once.
Patches of one resource wait for each other here, so that none has to be tried again; what keeps them apart from any
other write is the version. A resource keeps its media type: it is read as RDF and written back as what it was.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakValueDictionary

from consent.call import Admission, Denial
from vault import acls, door
from vault.errors import Denied, Stale
from vault.sealed import Found
from vault.solid import ldp, rdf
from vault.solid.changing import Protected
from vault.solid.formulae import LARGEST
from vault.solid.ldp import BadMedia
from vault.solid.limited import LIMITED
from vault.solid.patch import BadPatch, Unmet
from vault.solid.rdf import BadRdf
from web import podinbox, podmeta, podread, podwrite
from web.podcall import Asked
from web.replies import Reply, denied, failed, problem

TRIES = 8
LANGUAGES: Final = {ldp.N3: "n3", ldp.SPARQL: "sparql"}
LEAST = frozenset({"append"})
"""What somebody must be allowed who is told that a patch cannot be read."""


class _NotRdf(Exception):
    """What is stored is no RDF."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A patch that was read once: its language, its document, the modes that it needs, whether it changes nothing."""

    language: str
    body: bytes
    modes: frozenset[str]
    empty: bool


_turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()


async def patch(asked: Asked) -> Reply:
    """PATCH of a resource or a description; makes it, and the containers above, if nothing is there."""
    path, wanted = asked.target.path, await _understood(asked)
    existed = asked.version(path) is not None
    modes = podinbox.changing(asked, wanted.modes if isinstance(wanted, Wanted) else LEAST)
    admitted = await asked.admit(path, exists=existed, patch=modes)
    if isinstance(admitted, Denial):
        return denied(admitted, asked.house.base)
    if isinstance(wanted, Reply):
        return wanted
    if no := _refused(asked, admitted, existed=existed):
        return no
    async with _turn(asked):
        return await _changed(asked, admitted, wanted, existed=existed)


def _refused(asked: Asked, admitted: Admission, *, existed: bool) -> Reply | None:
    """Why this is not patched, whatever the patch says; None if it may be."""
    path = asked.target.path
    if asked.target.container:
        return problem(409, "containment", "What a container holds is not written by hand; its description is")
    if podwrite.is_record(admitted, path):
        return problem(422, "record", "An app replaces a record as a whole, with PUT")
    if admitted.narrow:  # whether a patch fits would tell of what the grant does not show
        return problem(422, "narrowed", "This grant shows a part of the resource, so it patches none of it")
    if not existed and podwrite.clashes(asked, path):
        return problem(409, "slash", "This name exists with the slash the other way round, or below a resource")
    return podmeta.refused(asked, admitted, rdf.TURTLE)


async def acl(asked: Asked) -> Reply:
    """PATCH of an access control list, which leaves one entry; the result keeps the rules of a list that is PUT.

    It waits for its turn before the gate is asked: what the gate saw has to be what stands when the list is written.
    Nobody waits for what a stranger's server says, though.
    """
    wanted = await _understood(asked)
    call = await asked.called(asked.target.subject, exists=True)
    async with _turn(asked):
        admitted = await asked.decided(call)
        if isinstance(admitted, Denial):
            return denied(admitted, asked.house.base)
        return wanted if isinstance(wanted, Reply) else await _relisted(asked, admitted, wanted)


async def _relisted(asked: Asked, admitted: Admission, wanted: Wanted) -> Reply:
    house, path = asked.house, asked.target.subject
    pod = door.admit(house.vault, admitted.permit, path)
    stored = acls.stored(house.vault, pod, path)
    old = acls.told(house.vault, pod, path, exists=asked.version(path) is not None)
    awaited = podwrite.list_awaited(asked, path)
    if wanted.empty and awaited != podwrite.NO_LIST:  # no list is made of what was inherited
        done = await podread.entered(asked, admitted.permit)
        door.finish(house.vault, done)
        return _at(Reply(204, admitted.applied), done.index)
    expected = acls.digest(stored) if awaited is None else awaited
    try:
        turtle = (old or b"") if awaited == podwrite.NO_LIST else await _applied(asked, wanted, old or b"")
        index = await acls.put(house.vault, admitted.permit, path, turtle, house.clock(), expected)
    except (Unmet, BadPatch, BadRdf) as error:
        done = await podread.entered(asked, admitted.permit)
        door.finish(house.vault, done)
        return _at(failed(error, house.base), done.index)
    except Denied as error:
        return podwrite.list_refused(error)
    return Reply(204, {"Kluis-Entry": str(index)} | admitted.applied)


async def _understood(asked: Asked) -> Wanted | Reply:
    """The patch in the body, or the answer to one that is none. Raises TooLarge, Gone."""
    body = await asked.body(min(asked.largest, LARGEST))
    try:
        language = ldp.media_type(asked.text(b"content-type")).partition(";")[0]
        if language not in LANGUAGES:
            return problem(415, "media", f"A patch is written as {' or '.join(LANGUAGES)}")
        modes, empty = await LIMITED.modes(body, LANGUAGES[language], asked.root + asked.target.path)
        return Wanted(LANGUAGES[language], body, modes, empty)
    except (BadMedia, BadRdf, BadPatch) as error:
        return failed(error, asked.house.base)


def _turn(asked: Asked) -> asyncio.Lock:
    """The lock of a resource, which lives as long as somebody holds it or waits for it."""
    return _turns.setdefault(asked.key(asked.target.path), asyncio.Lock())


async def _changed(asked: Asked, admitted: Admission, wanted: Wanted, *, existed: bool) -> Reply:
    """Open, change and store, as often as another write comes in between; a condition of the client ends it at once."""
    path, conditions = asked.target.path, asked.values(b"if-match") + asked.values(b"if-none-match")
    for _ in range(TRIES):
        version = asked.version(path)
        if existed and version is None:  # to make it again takes a right on the container that nobody looked at
            raise Stale("deleted meanwhile")
        expected = podwrite.awaited(asked, path, version)
        if expected == podwrite.NEVER:
            await podwrite.written(asked, admitted, path, (rdf.TURTLE, b""), expected)  # is refused, and so logged
        found, admitted = await _opened(asked, admitted, wanted, version)
        done = await _result(asked, wanted, found)
        if isinstance(done, Reply):
            return done
        there = found.version if found is not None and found.kind == "resource" else "absent"
        try:
            stored = await podwrite.written(asked, admitted, path, done, there if expected is None else expected)
        except Denied as error:
            if conditions or error.reason not in ("precondition", "exists"):
                raise
        else:
            return podwrite.told(asked, admitted, path, done[0], stored)
    raise Stale(f"{TRIES} times somebody else was faster")


async def _opened(
    asked: Asked, admitted: Admission, wanted: Wanted, version: int | None
) -> tuple[Found | None, Admission]:
    """What is there, behind an entry, and the admission to go on with; None where nothing has to be looked at."""
    if version is None and wanted.modes == LEAST:
        return None, admitted
    reading, changing = door.steps(admitted.permit)
    found = await door.read(asked.house.vault, reading, admitted.keys, asked.target.path, asked.house.clock())
    if found.large is not None:  # what is so large is no RDF, and so not patched
        await found.large.close()
    return found, replace(admitted, permit=changing)


async def _result(asked: Asked, wanted: Wanted, found: Found | None) -> tuple[str, bytes] | Reply:
    """The media type and the body after the patch, or the answer to one that cannot be applied, with its entry."""
    media, old = (found.media, found.body) if found and found.kind == "resource" else (rdf.TURTLE, b"")
    try:
        if not rdf.is_rdf(media):
            raise _NotRdf
        if wanted.empty and found is not None and found.kind == "resource":
            return _at(Reply(204), found.index)
        return media, await _applied(asked, wanted, old, media)
    except _NotRdf:
        reply = problem(415, "media", "Only RDF is patched; this is none")
    except Protected:
        reply = podmeta.guarded()
    except (Unmet, BadPatch, BadRdf) as error:
        reply = failed(error, asked.house.base)
    return reply if found is None else _at(reply, found.index)


async def _applied(asked: Asked, wanted: Wanted, old: bytes, media: str = rdf.TURTLE) -> bytes:
    """The body after the patch. Raises Unmet, BadPatch, BadRdf, Protected."""
    about = asked.root + asked.target.subject if asked.target.kind == "meta" else None
    url = asked.root + asked.target.path
    return await LIMITED.patched(wanted.body, wanted.language, old, media, url, about)


def _at(reply: Reply, index: int) -> Reply:
    return replace(reply, headers={**reply.headers, "Kluis-Entry": str(index)})
