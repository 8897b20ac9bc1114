"""The key tree: which key may wrap which, as a table, and the two functions that follow it.

What is not in the table does not exist. In particular the custodian's key wraps a ManagedRoot and nothing else, so
no path leads from the server's own key to a sealed compartment.
"""

from typing import TypeVar

from keys.context import place
from keys.errors import Misuse
from keys.seal import seal
from keys.secret import (
    CompartmentKey,
    CustodyKey,
    DataKey,
    GrantKey,
    ManagedRoot,
    Private,
    Root,
    Secret,
)
from keys.unseal import unseal_secret

K = TypeVar("K", bound=Secret)

# (place of the context, type of the parent, type of the child). A plain `Secret` is a key just derived from a
# token's secret (session, gk) or from a grant's key (ck-grant), always together with a share where there is one.
EDGES: frozenset[tuple[tuple[str, ...], type[Secret], type[Secret]]] = frozenset(
    {
        (("session",), Secret, Root),
        (("session",), Secret, Private),  # the pod's log key, so that people read their log
        (("root", "rk", "identity"), Root, Private),
        (("root", "rk", "log"), Root, Private),
        (("root", "rk", "mk"), Root, ManagedRoot),
        (("root", "custody", "mk"), CustodyKey, ManagedRoot),
        (("root", "mk", "msign"), ManagedRoot, Private),
        (("ck", "sealed"), Root, CompartmentKey),
        (("ck", "managed"), ManagedRoot, CompartmentKey),
        (("ck", "pair"), CompartmentKey, Private),
        (("dek", "own"), CompartmentKey, DataKey),
        (("gk",), Secret, GrantKey),
        (("ck-grant",), Secret, CompartmentKey),
    }
)


def wrap(parent: Secret, context: bytes, child: Secret) -> bytes:
    """Seal a key under its parent: an envelope of 105 bytes. Raises Misuse for a pair that is not in the table."""
    _check(parent, context, type(child))
    return seal(parent, context, child.view())


def unwrap(parent: Secret, context: bytes, wrapped: bytes, kind: type[K]) -> K:
    """Open a wrapped key. Raises Misuse for a pair not in the table, Damaged or UnknownVersion if it does not open."""
    _check(parent, context, kind)
    return unseal_secret(parent, context, wrapped, kind)


def _check(parent: Secret, context: bytes, child: type[Secret]) -> None:
    where = place(context)
    if (where, type(parent), child) not in EDGES:
        raise Misuse(f"{type(parent).__name__} does not wrap {child.__name__} at {'/'.join(where)}")
