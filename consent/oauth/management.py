"""Grant management (FAPI, Grant Management for OAuth 2.0): what a pushed request wants to do with a grant.

`create` is what happens without a word; `replace` and `merge` name the grant. Values in, values out.
"""

from collections.abc import Mapping
from typing import Final, Literal, NoReturn

from consent.errors import OAuthError

Action = Literal["create", "replace", "merge"]
ACTIONS: Final[tuple[Action, ...]] = ("create", "replace", "merge")
SUPPORTED: Final = ("query", "revoke", *ACTIONS)


def wish(form: Mapping[str, str]) -> tuple[Action, str]:
    """(action, shown id of the grant or "") of a pushed request; raises ``OAuthError`` ``invalid_request``."""
    action, grant = form.get("grant_management_action", "create"), form.get("grant_id", "")
    if action not in ACTIONS:
        _no("grant_management_action is one of create, replace and merge.")
    if action == "create" and grant:
        _no("A new grant has no grant_id yet.")
    if action != "create" and not grant:
        _no("grant_id is missing.")
    return action, grant


def unknown() -> OAuthError:
    """The one answer for a grant that is unknown, another app's, over or frozen."""
    return OAuthError("invalid_grant_id", "There is no such grant to change.")


def _no(why: str) -> NoReturn:
    raise OAuthError("invalid_request", why)
