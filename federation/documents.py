"""Client-id documents of Solid apps (Solid-OIDC 5.1), fetched as they stand; what is in them is judged elsewhere."""

from datetime import datetime, timedelta

from federation.errors import BadAnswer
from federation.fetch import Document, Fetcher

FRESH = timedelta(seconds=60)
"""How old a document may be when a person is asked about its app; at other moments the fetcher's own limit holds."""
_ACCEPT = "application/ld+json, application/json;q=0.9"
_MEDIA = frozenset({"application/ld+json", "application/json"})


async def client_document(fetcher: Fetcher, url: str, now: datetime, max_age: timedelta | None = None) -> Document:
    """The document at a client id. Raises FederationError; BadAnswer("moved") if it was found at another address.

    A redirect is not followed to a document: whoever finds an open redirect on an app's site would speak for the app.
    """
    document = await fetcher.get(url, _ACCEPT, now, max_age)
    if document.url != url:
        raise BadAnswer("moved")
    if document.media not in _MEDIA:
        raise BadAnswer("media")
    return document
