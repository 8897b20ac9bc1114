"""What is sent to a pod's inbox: JSON-LD that says something, not too long, not too often (Linked Data Notifications).

That is about POST by whoever may append there; with PUT its citizen's programs put there what they like.
"""

from consent import inbox
from consent.call import Admission
from vault.solid import rdf
from vault.solid.limited import LIMITED
from web.podcall import Asked
from web.replies import Reply, problem


def unread(asked: Asked, media: str | None) -> Reply | None:
    """The answer to what is no notification by its type, whoever sends it; None for anything else."""
    if not _notifies(asked) or media == rdf.JSON_LD:
        return None
    return problem(415, "media", "A notification is written as application/ld+json")


async def closed(asked: Asked, admitted: Admission) -> Reply | None:
    """The answer to a sender from whom no more is taken now, which is in the log; None if more is."""
    if not _notifies(asked):
        return None
    house = asked.house
    why = await inbox.refusal(house.vault, admitted.permit, asked.owner, house.clock())
    if why == "inbox_pace":
        return problem(429, "inbox-pace", "Too many notifications from you in this hour", {"Retry-After": "3600"})
    return problem(507, "inbox-full", "This inbox is full") if why else None


async def unfit(asked: Asked, body: bytes) -> Reply | None:
    """What is wrong with a body that can be read as JSON-LD, None if nothing is. Raises BadRdf."""
    if not _notifies(asked):
        return None
    if len(body) > inbox.LARGEST:
        return problem(413, "too-large", f"A notification has at most {inbox.LARGEST} bytes")
    if not await LIMITED.check(body, rdf.JSON_LD, asked.root + asked.target.path):
        return problem(422, "no-notification", "A notification says something")
    return None


def changing(asked: Asked, modes: frozenset[str]) -> frozenset[str]:
    """The modes that a PATCH needs which needs these elsewhere: in an inbox senders POST, whatever they may append.

    With PATCH they would pass by its pace and size, and add to what others sent.
    """
    return modes | {"write"} if asked.target.path.startswith(inbox.PATH) else modes


def _notifies(asked: Asked) -> bool:
    return asked.method == "POST" and asked.target.path == inbox.PATH
