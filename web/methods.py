"""Which methods an address of the front door takes: what `Allow` says (RFC 9110 10.2.1), on refusals and on OPTIONS."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route

from web.cors import is_open
from web.middleware import Scope


def allowed(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The methods of every one of the routes that is at the path of a request, as a header; "" where there is none."""
    found: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            found |= route.methods or set()
    if found and is_open(scope["path"]):
        found.add("OPTIONS")
    return ", ".join(sorted(found))
