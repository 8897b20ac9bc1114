"""Who an app is: registered here, or described by the document that its client id is the address of."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from consent import clients
from consent.errors import OAuthError
from consent.oauth.clients import Client
from consent.oauth.documents import is_document, read_document
from federation.documents import client_document
from federation.errors import BadAnswer, FederationError, Unreachable

if TYPE_CHECKING:
    from web.app import House

NOT_FETCHED: Final = "The client's document cannot be fetched."


async def resolve(house: "House", client_id: str, max_age: timedelta | None = None) -> Client | None:
    """The app of this id, or None. A document is at most `max_age` old, or as old as the fetcher lets it be.

    Raises OAuthError: invalid_client for a document that is not taken, temporarily_unavailable if its site is away. Why
    an address is not fetched is not told: it would say what names there are inside our network.
    """
    if not is_document(client_id):
        return clients.find(house.vault, client_id)
    try:
        found = await client_document(house.fetcher, client_id, house.clock(), max_age)
    except Unreachable as away:
        raise OAuthError("temporarily_unavailable", NOT_FETCHED) from away
    except BadAnswer as refused:
        raise OAuthError("invalid_client", f"The client's document is not taken: {refused.reason}.") from refused
    except FederationError as refused:
        raise OAuthError("invalid_client", NOT_FETCHED) from refused
    return read_document(client_id, found.body, development=house.development)


def nameless(client_id: str) -> Client:
    """An app of which only the name it gave itself is known: enough to tell that a token is not its own."""
    return Client(client_id, "", "", redirect_uris=(client_id,), kind="solid")
