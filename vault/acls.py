"""Access control lists as stored: control data, read before any permit exists (house.md, section 5)."""

from dataclasses import dataclass

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
