"""Access control lists as stored: control data, read before any permit exists (house.md, section 5)."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Generic, TypeVar

from vault import groups
from vault.database import Tx
from vault.door import admit, finish, intent
from vault.errors import Conflict, Denied
from vault.log.entry import Appended
from vault.permit import Permit
from vault.pod import parent, top
from vault.solid import access
from vault.solid.access import Document, accepted, policies_at, read_document
from vault.solid.limited import LIMITED
from vault.solid.policy import Asker, Members, Policy, granted
from vault.solid.rdf import TURTLE, BadRdf
from vault.stamps import sealed, stamp, unchanged
from vault.tables import Acl
from vault.vault import PodFacts, Vault

LARGEST = 64 * 1024
MOST_SAID = 2000
"""Statements of one list, which is read by this process whenever it has to be known: about 70 ms."""
CUSTODY = "UNION ALL SELECT id, CAST(custody AS BLOB) FROM compartment WHERE id = :cell"
ABSENT = b""
"""The digest of no list, as something to expect."""


@dataclass(frozen=True, slots=True)
class Effective:
    """What counts for a path and for the container above it, and the groups that are named there.

    `covers` are the ids under which lists and groups were looked for; `stamp` is what was stored there. `custody` is
    that of the path's compartment, read along with them, "" for one that does not exist.
    """

    policies: tuple[Policy, ...]
    above: tuple[Policy, ...]
    covers: tuple[bytes, ...]
    stamp: bytes
    custody: str
    members: Members = field(default_factory=dict)

    def modes(self, asker: Asker, root: str) -> frozenset[str]:
        """The modes of an asker on the path; `root` is the pod's URL without its last slash.

        Her pod stays its citizen's: whatever a list says, she may read and replace that list.
        """
        found = granted(self.policies, asker, owner(root), self.members)
        return found | {"control"} if asker.agent == owner(root) else found

    def names(self, agent: str) -> bool:
        """Whether what counts here names this agent itself, or a group that it is in."""
        rules = (*self.policies, *self.above)
        matchers = (one for rule in rules for one in (*rule.all_of, *rule.any_of, *rule.none_of))
        tests = [test for matcher in matchers for test in matcher if test.what == "agent"]
        return any(agent in test.values or any(agent in self.members.get(g, ()) for g in test.groups) for test in tests)

    def modes_above(self, asker: Asker, root: str) -> frozenset[str]:
        """The modes of an asker on the container that holds the path; the root's is itself."""
        return granted(self.above, asker, owner(root), self.members)


T = TypeVar("T")


class _Parsed(Generic[T]):
    """What was read, by what it was read from, at most so many bytes of it; the one not used for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._known: OrderedDict[tuple[bytes, bytes], tuple[int, T]] = OrderedDict()

    def get(self, rid: bytes, sealed: bytes, parse: Callable[[], T]) -> T:
        """What is stored under `rid` now."""
        key = rid, sha256(sealed).digest()
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return known[1]
        parsed = parse()
        self._known[key] = len(sealed), parsed
        self._held += len(sealed)
        while self._held > self._most:
            self._held -= self._known.popitem(last=False)[1][0]
        return parsed


PARSED: _Parsed[Document] = _Parsed(4 * 1024 * 1024)
GROUPS: _Parsed[Members] = _Parsed(1024 * 1024)


def owner(root: str) -> str:
    """The WebID of the citizen of the pod at `root` (its URL without the last slash)."""
    return f"{root}/profile/card#me"


def effective(vault: Vault, pod: PodFacts, path: str) -> Effective:
    """What counts for a path: its own document, and those above it as far as they reach. None at all allows nothing."""
    chain = [path]
    while chain[-1] != "/":
        chain.append(parent(chain[-1]))
    covers = tuple(map(pod.resource, chain))
    cell = pod.compartment(top(path))
    found = sealed(vault.db.read, covers, CUSTODY, cell=cell)
    custody = found.pop(cell, b"").decode()
    documents: list[tuple[str, Document]] = []
    for place, rid in zip(chain, covers, strict=True):
        if rid in found:
            document = PARSED.get(rid, found[rid], partial(_parse, vault, pod, place, found[rid]))
            documents.append((place, document))
            if document.alone and (place != path or path == "/"):
                break  # it takes the place of what stands above it
    counting, above = policies_at(documents, path), policies_at(documents, parent(path))
    named = frozenset[str]().union(*(document.groups for _, document in documents))
    asked = groups.places(f"{vault.base}/pods/{pod.name}", named)
    ids = tuple(groups.mark(pod, place) for place in asked)
    listed = sealed(vault.db.read, ids) if ids else {}
    members = {
        group: held
        for rid, row in listed.items()
        for group, held in GROUPS.get(rid, row, partial(groups.read, pod, rid, row)).items()
    }
    covers += ids
    return Effective(counting, above, covers, stamp(covers, found | listed), custody, members)


def _parse(vault: Vault, pod: PodFacts, path: str, sealed: bytes) -> Document:
    turtle = pod.open("acl", pod.resource(path), "sealed", sealed)
    return read_document(turtle, f"{vault.base}/pods/{pod.name}{path}")


def stored(vault: Vault, pod: PodFacts, path: str) -> bytes | None:
    """The list a path has of its own, as Turtle."""
    row = vault.db.read.get(Acl, pod.resource(path))
    return pod.open("acl", row.id, "sealed", row.sealed) if row else None


def told(vault: Vault, pod: PodFacts, path: str, *, exists: bool) -> bytes | None:
    """What is shown of the list of a path, as Turtle, in the language that the server speaks; None for no list.

    `exists` says whether there is anything at the path: in ACP, whatever exists has one.
    """
    own = stored(vault, pod, path)
    if own is None and not exists:
        return None
    return access.told(own, f"{vault.base}/pods/{pod.name}{path}", vault.access)


def digest(turtle: bytes | None) -> bytes:
    """What `put` and `remove` may be told to expect: the digest of a list as it was read, ABSENT for none."""
    return ABSENT if turtle is None else sha256(turtle).digest()


async def put(
    vault: Vault, permit: Permit, path: str, turtle: bytes, at: datetime, expected: bytes | None = None
) -> int:
    """Replace the list of a path, with its entry in the same transaction; return the entry's index.

    `expected` is the `digest` of the list that must be there now. Raises BadRdf (`too_large`,
    `other_language`, `elsewhere`, `group_elsewhere`),
    Denied("no_control") for a root list that takes control from the pod's owner, Denied("precondition"), Denied if the
    grant ended.
    """
    pod = _controlled(vault, permit, path)
    if len(turtle) > LARGEST:
        raise BadRdf("too_large", f"an access control list has at most {LARGEST} bytes")
    root = f"{vault.base}/pods/{pod.name}"
    if await LIMITED.check(turtle, TURTLE, f"{root}{path}.acl") > MOST_SAID:
        raise BadRdf("too_large", f"an access control list has at most {MOST_SAID} statements")
    document = accepted(turtle, f"{root}{path}", vault.access)
    if lost := groups.unreadable(root, document.groups):
        raise BadRdf("group_elsewhere", f"{lost} is not read: groups are in this pod's root, profile/ or public/")
    if path == "/" and "control" not in granted(document.own, Asker(owner(root), open=True), owner(root), {}):
        raise Denied("no_control")
    rid = pod.resource(path)
    row = Acl(id=rid, pod=pod.id, sealed=pod.seal("acl", rid, "sealed", turtle))

    def write(tx: Tx) -> None:
        _expect(tx, pod, rid, expected)
        tx.remove(Acl, id=rid)
        tx.add(row)
        tx.shut.add(pod.id)

    return await _enter(vault, permit, path, write, at)


async def remove(vault: Vault, permit: Permit, path: str, at: datetime, expected: bytes | None = None) -> int:
    """Remove the list of a path, so that it inherits again; the root keeps its own (Denied("no_control")).

    `expected` as for `put`. Raises Denied("absent") if there is none.
    """
    pod = _controlled(vault, permit, path)
    if path == "/":
        raise Denied("no_control")

    rid = pod.resource(path)

    def erase(tx: Tx) -> None:
        _expect(tx, pod, rid, expected)
        if not tx.remove(Acl, id=rid):
            raise Conflict("absent")
        tx.shut.add(pod.id)

    return await _enter(vault, permit, path, erase, at)


def _expect(tx: Tx, pod: PodFacts, rid: bytes, expected: bytes | None) -> None:
    if expected is None:
        return
    row = tx.get(Acl, rid)
    if digest(pod.open("acl", rid, "sealed", row.sealed) if row else None) != expected:
        raise Conflict("precondition")


def _controlled(vault: Vault, permit: Permit, path: str) -> PodFacts:
    if permit.facts.action != "control":
        raise Denied("outside the permit")
    return admit(vault, permit, path)


async def _enter(vault: Vault, permit: Permit, path: str, write: Callable[[Tx], None], at: datetime) -> int:
    facts = replace(permit.facts, resources=(path + ".acl",), note="changed")

    def unit(tx: Tx) -> None:
        unchanged(tx, permit)
        write(tx)

    done = await vault.log.append(intent(permit, at, facts=facts, write=unit))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    finish(vault, done)
    return done.index
