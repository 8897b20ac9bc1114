"""Who may do what. Everybody logs in the same way; what a role may do afterwards stands in one table."""

from typing import Final, Literal, get_args

Role = Literal["citizen", "developer", "dpo", "institution", "operator"]
Act = Literal["keep data", "read totals", "look up", "invalidate grants", "register apps", "read insight"]
PodKind = Literal["citizen", "office", "desk"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)

_MAY: Final[frozenset[tuple[Role, Act]]] = frozenset(
    {
        ("citizen", "keep data"),
        ("dpo", "read totals"),
        ("dpo", "look up"),
        ("dpo", "invalidate grants"),
        ("developer", "register apps"),
        ("operator", "register apps"),
        ("institution", "read insight"),
    }
)
# A desk is a pod without sealed compartments: it exists so that staff log in through the same door as citizens.
_KIND: Final[dict[Role, PodKind]] = {
    "citizen": "citizen",
    "dpo": "office",
    "developer": "desk",
    "institution": "desk",
    "operator": "desk",
}


def may(role: Role, act: Act) -> bool:
    """Whether a role may do this; what is not in the table is refused."""
    return (role, act) in _MAY


def pod_kind(role: Role) -> PodKind:
    """What kind of pod holds the unlockers of somebody in this role."""
    return _KIND[role]
