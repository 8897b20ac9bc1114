"""Access control lists as stored: control data, read before any permit exists (house.md, section 5)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from vault.database import Tx
from vault.door import admit, finish, intent
from vault.errors import Conflict, Denied
from vault.log.entry import Appended
from vault.permit import Permit
from vault.pod import parent
from vault.solid.wac import Rules, modes, parse_acl
from vault.tables import Acl
from vault.vault import PodFacts, Vault


@dataclass(frozen=True, slots=True)
class Effective:
    """The list that counts for a path: its rules, the path it belongs to, and whether it was inherited."""

    rules: Rules
    path: str
    inherited: bool

    def modes(self, agent: str | None, root: str) -> frozenset[str]:
        """The modes of an agent; `root` is the pod's URL without its last slash."""
        return modes(self.rules, agent, self.inherited, root + self.path)


def effective(vault: Vault, pod: PodFacts, path: str) -> Effective:
    """The nearest list at or above a path, in one read. No list at all allows nothing."""
    chain = [path]
    while chain[-1] != "/":
        chain.append(parent(chain[-1]))
    ids = {pod.resource(p): p for p in chain}
    marks = ", ".join(f":i{n}" for n in range(len(ids)))
    params = {f"i{n}": rid for n, rid in enumerate(ids)}
    found = {
        ids[rid]: sealed
        for rid, sealed in vault.db.read.run(f"SELECT id, sealed FROM acl WHERE id IN ({marks})", **params)  # noqa: S608
    }
    for candidate in chain:
        if candidate in found:
            turtle = pod.open("acl", pod.resource(candidate), "sealed", found[candidate])
            rules = parse_acl(turtle, f"{vault.base}/pods/{pod.name}{candidate}.acl")
            return Effective(rules, candidate, candidate != path)
    return Effective((), "/", inherited=True)


def stored(vault: Vault, pod: PodFacts, path: str) -> bytes | None:
    """The list a path has of its own, as Turtle."""
    row = vault.db.read.get(Acl, pod.resource(path))
    return pod.open("acl", row.id, "sealed", row.sealed) if row else None


async def put(vault: Vault, permit: Permit, path: str, turtle: bytes, at: datetime) -> int:
    """Replace the list of a path, with its entry in the same transaction; return the entry's index.

    Raises BadRdf, Denied("no_control") for a root list that would leave nobody in control, Denied if the grant ended.
    """
    pod = _controlled(vault, permit, path)
    rules = parse_acl(turtle, f"{vault.base}/pods/{pod.name}{path}.acl")
    if path == "/" and not any("control" in rule.modes for rule in rules):
        raise Denied("no_control")
    rid = pod.resource(path)
    row = Acl(id=rid, pod=pod.id, sealed=pod.seal("acl", rid, "sealed", turtle))

    def write(tx: Tx) -> None:
        tx.remove(Acl, id=rid)
        tx.add(row)

    return await _enter(vault, permit, path, write, at)


async def remove(vault: Vault, permit: Permit, path: str, at: datetime) -> int:
    """Remove the list of a path, so that it inherits again; the root keeps its own (Denied("no_control"))."""
    pod = _controlled(vault, permit, path)
    if path == "/":
        raise Denied("no_control")

    def erase(tx: Tx) -> None:
        if not tx.remove(Acl, id=pod.resource(path)):
            raise Conflict("absent")

    return await _enter(vault, permit, path, erase, at)


def _controlled(vault: Vault, permit: Permit, path: str) -> PodFacts:
    if permit.facts.action != "control":
        raise Denied("outside the permit")
    return admit(vault, permit, path)


async def _enter(vault: Vault, permit: Permit, path: str, write: Callable[[Tx], None], at: datetime) -> int:
    facts = replace(permit.facts, resources=(path + ".acl",), note="changed")
    done = await vault.log.append(intent(permit, at, facts=facts, write=write))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    finish(vault, done)
    return done.index
