"""Linked Web Storage as values: container pages and the storage description, after one dated draft.

Followed is the W3C working group's `lws10-core` as of VERSION, which every document names; no conformance is claimed.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from vault.solid.paths import DESCRIPTION
from vault.solid.rdf import Member

MEDIA: Final = "application/lws+json"
CONTEXT: Final = "https://www.w3.org/ns/lws/v1"
NS: Final = "https://www.w3.org/ns/lws#"
DRAFT: Final = "urn:kluis:lws:draft"
"""The member of a document that says which draft it follows."""
VERSION: Final = "lws10-core 2026-06-22 d6af1a1"
PAGE: Final = 100  # members on one page
REQUESTS: Final = "/lws/requests/"
GRANTS: Final = "/lws/grants/"


def container(address: str, members: Iterable[Member], query: bytes) -> tuple[dict[str, Any], list[str]]:
    """One page of a container with its `Link` values (draft: Container Representation, Pagination).

    `members` are those that may be shown; `totalItems` counts them and no others. `after` in the query is the name
    that the page before ended with, so a member that comes or goes moves no other one past a reader.
    """
    shown = sorted(members, key=lambda one: one.name)
    names = [one.name for one in shown]
    start = bisect_right(names, dict(parse_qsl(query.decode("latin-1"))).get("after", ""))
    page = shown[start : start + PAGE]
    said = {
        "@context": CONTEXT,
        DRAFT: VERSION,
        "id": address,
        "type": "Container",
        "totalItems": len(shown),
        "items": [_item(address, one) for one in page],
    }
    return said, _links(address, names, start)


def _links(address: str, names: list[str], start: int) -> list[str]:
    """Where the other pages are; nothing if all is on this one."""
    if start == 0 and len(names) <= PAGE:
        return []
    last = (len(names) - 1) // PAGE * PAGE if names else 0
    places = {"first": 0, "last": last}
    if start + PAGE < len(names):
        places["next"] = start + PAGE
    if start > 0:
        places["prev"] = max(0, start - PAGE)
    return [f'<{_page(address, names, place)}>; rel="{relation}"' for relation, place in places.items()]


def _page(address: str, names: list[str], start: int) -> str:
    return f"{address}?after={quote(names[start - 1], safe='')}" if start else address


def _item(address: str, one: Member) -> dict[str, Any]:
    if one.container:
        said: dict[str, Any] = {"id": f"{address}{one.name}/", "type": "Container"}
    else:
        said = {"id": address + one.name, "type": "DataResource", "mediaType": one.media, "size": one.size}
    return said if one.modified is None else said | {"modified": one.modified.isoformat().replace("+00:00", "Z")}


def description(root: str, owner: str) -> dict[str, Any]:
    """The storage description of a pod (draft: Storage Description Resource), made from its name only.

    `root` is the pod's absolute URL without its last slash. No service says that it conforms to a profile.
    """
    base = root.rpartition("/pods/")[0]
    services = {
        "StorageDescription": root + DESCRIPTION,
        "AccessRequestService": base + REQUESTS,
        "AccessGrantService": base + GRANTS,
    }
    return {
        "@context": CONTEXT,
        DRAFT: VERSION,
        "id": f"{root}/",
        "type": "Storage",
        "service": [{"type": kind, "serviceEndpoint": there} for kind, there in services.items()],
        "urn:kluis:lws:owner": owner,
    }


def link(root: str) -> str:
    """The `Link` value that leads to the storage description (draft: Discovery and Binding)."""
    return f'<{root}{DESCRIPTION}>; rel="{NS}storageDescription"'
