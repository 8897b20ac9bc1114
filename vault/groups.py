"""Groups of agents for access control (`vcard:hasMember`), read when their document is written and never opened for it.

Who is in a group must be known before any permit exists, and opening a document needs a permit and an entry. So the
writer's own bytes are read as they come in, and the members kept as control data in the same transaction: a list
beside the document's own, under an id that no path can have. Whatever is written over the document, or deletes it,
removes them. Only what can never be sealed is read so: the pod's root, `profile/` and `public/`. A group anywhere else,
and one of a stranger's, holds nobody (docs/decisions/0027). Nor does one that was written by who may not say who comes
in there: an app that may write in `public/` would otherwise let in whom it likes, past its grant.
"""

import json
from collections.abc import Callable, Iterable

from vault.database import Tx
from vault.pod import top
from vault.solid.graph import Graph
from vault.solid.paths import BadPath, auxiliary, canonical
from vault.solid.policy import Members
from vault.solid.rdf import BadRdf, check, is_rdf, statements
from vault.tables import Acl
from vault.vault import UNDER_ROOT, PodFacts

LARGEST = 256 * 1024
MOST = 5000
MOST_SAID = 20_000
_SIGN = b"hasMember"


def mark(pod: PodFacts, path: str) -> bytes:
    """The id under which the groups of the document at a path are kept: a keyed hash of what no path can be."""
    return pod.resource(path + "#groups")


def places(root: str, named: Iterable[str]) -> list[str]:
    """The paths of this pod whose documents may describe the groups named, each once, in order."""
    return sorted({place for group in named if (place := _place(root, group)) is not None})


def unreadable(root: str, named: Iterable[str]) -> str | None:
    """The first of these groups that nobody is ever found in, for a list of the pod at `root`; None if all are fine."""
    return next((group for group in sorted(named) if _place(root, group) is None), None)


def read(pod: PodFacts, rid: bytes, sealed: bytes) -> Members:
    """The groups of one document as kept under the id `rid`."""
    kept = json.loads(pod.open("acl", rid, "sealed", sealed))
    return {group: frozenset(members) for group, members in kept.items()}


def kept(pod: PodFacts, path: str, url: str, media: str = "", body: bytes | None = None) -> Callable[[Tx], None]:
    """What a write of `body` at `path` does to the groups there: the old ones go, those it describes take their place.

    `url` is the document's absolute address; without a body there is no document any more.
    """
    rid = mark(pod, path)
    found = _members(path, url, media, body)
    sealed = pod.seal("acl", rid, "sealed", json.dumps(found).encode()) if found else b""

    def keep(tx: Tx) -> None:
        if tx.remove(Acl, id=rid) or found:
            tx.shut.add(pod.id)  # who is out of a group listens no more
        if found:
            tx.add(Acl(id=rid, pod=pod.id, sealed=sealed))

    return keep


def _members(path: str, url: str, media: str, body: bytes | None) -> dict[str, list[str]]:
    """The groups that a body describes under names of its own; none if it cannot be read, is too long or too full."""
    if body is None or len(body) > LARGEST or _SIGN not in body or not _readable(path) or not is_rdf(media):
        return {}
    try:
        if check(body, media, url) > MOST_SAID:
            return {}
        told = Graph(statements(body, media, url)).members()
    except BadRdf:
        return {}
    own = {group: sorted(members) for group, members in told.items() if group.partition("#")[0] == url}
    return own if sum(map(len, own.values())) <= MOST else {}


def _place(root: str, group: str) -> str | None:
    document = group.partition("#")[0]
    if not document.startswith(root + "/"):
        return None
    try:
        path = canonical(document.removeprefix(root + "/").encode())
    except BadPath:
        return None
    return path if _readable(path) else None


def _readable(path: str) -> bool:
    """Whether the document at a path may describe groups; what is stored beside another goes with that one."""
    return top(path) in UNDER_ROOT and auxiliary(path, "acl") is not None
