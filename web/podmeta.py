"""What is asked of a description before it is stored (Solid Protocol 4.3.2): one per resource, by its rights."""

from consent.call import Admission
from vault.solid import rdf
from vault.solid.limited import LIMITED
from web.podcall import Asked
from web.replies import Reply, problem


def refused(asked: Asked, admitted: Admission, media: str) -> Reply | None:
    """Why nothing of this media type is stored as the description asked for; None if it may be.

    A grant that shows less than all of a resource does not show its description either, so it changes none.
    """
    if asked.target.kind != "meta":
        return None
    if not rdf.is_rdf(media):
        return problem(415, "media", "A description is written as RDF")
    if admitted.limited(b"", rdf.TURTLE, asked.house.clock()) is None:
        return problem(422, "narrowed", "This grant shows a part of the resource, so not its description")
    if asked.version(asked.target.subject) is None:
        return problem(409, "no-subject", "There is nothing here that this would describe")
    return None


async def says_protected(asked: Asked, media: str, body: bytes) -> bool:
    """Whether a whole description says what the server says itself. Raises BadRdf."""
    url, about = asked.root + asked.target.path, asked.root + asked.target.subject
    return await LIMITED.protected(body, media, url, about)


def guarded() -> Reply:
    """The answer to a description that says what the server says itself."""
    return problem(409, "protected", "What the server says about a resource is not written by hand")
