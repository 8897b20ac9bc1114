"""A pod that arrives with all that lay in it: filled in the transaction that makes it, and by further loads after it.

Nothing that stands here is overwritten and nothing that its citizen deleted comes back, so the same arrival may be
brought again. Every access list comes with the first part: nothing is ever there without the rules it came with.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from vault import acls, quota
from vault.blobs import Label, enclose
from vault.database import Tx
from vault.errors import Conflict, Denied, NoCompartment, Stale
from vault.gates import ms
from vault.log import versions
from vault.log.entry import Appended, Facts, Intent
from vault.pod import Builder, compartments, parent, place_of, top
from vault.solid import ldp, paths, rdf
from vault.solid.access import accepted
from vault.solid.policy import Asker, granted
from vault.solid.rdf import BadRdf
from vault.tables import Body, Resource
from vault.vault import UNDER_ROOT, PodFacts, Vault

TRIES = 4
STANDS = "SELECT 1 FROM resource WHERE id = :id"
GONE = "SELECT 1 FROM resource WHERE id = :id AND form = 'gone'"


@dataclass(frozen=True, slots=True)
class Arriving:
    """One resource on its way in: canonical pod path, media type, body, last change in ms."""

    path: str
    media: str
    body: bytes
    modified: int


@dataclass(frozen=True)
class Load:
    """What arrives at once: resources, containers, access lists by their subject's path, and where it comes from."""

    source: str
    resources: Sequence[Arriving] = ()
    containers: Sequence[str] = ()
    lists: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def tops(self) -> set[str]:
        """The top-level containers in it that need a compartment."""
        paths = [one.path for one in self.resources]
        return {top(path) for path in (*paths, *self.containers)} - UNDER_ROOT

    @property
    def above(self) -> list[str]:
        """Every container in it and above something in it but the root, outermost first."""
        found = {path for path in self.containers if path != "/"}
        for path in (*(one.path for one in self.resources), *self.containers):
            found.update(paths.ancestors(path)[:-1])
        return sorted(found)


def examine(load: Load, root: str) -> None:
    """Look at names, kinds and rules in a load once more, whoever read it. `root`: the pod's URL, no last slash.

    Raises BadPath, BadMedia, BadRdf, Denied("no_control") for a root list that keeps control from the pod's owner.
    """
    for path in (*load.containers, *load.lists):
        if path != "/" and _target(path).kind != "resource":
            raise paths.BadPath("reserved_name")
    for one in load.resources:
        if _target(one.path).container or _target(one.path).kind not in ("resource", "meta"):
            raise paths.BadPath("reserved_name")
        if rdf.is_rdf(ldp.media_type(one.media)):
            rdf.scan(one.body, one.media)
    _rules(load, root)


def _rules(load: Load, root: str) -> None:
    for path, turtle in load.lists.items():
        if len(turtle) > acls.LARGEST:
            raise BadRdf("too_large", f"an access control list has at most {acls.LARGEST} bytes")
        own = accepted(turtle, f"{root}{path}", "wac").own
        if path == "/" and "control" not in granted(own, Asker(acls.owner(root), open=True), acls.owner(root), {}):
            raise Denied("no_control")


def _target(path: str) -> paths.Target:
    target = paths.parse(f"/pods/a{path}".encode())
    if target.path != path:
        raise paths.BadPath("not_canonical")
    return target


def fill(made: Builder, load: Load, standing: Iterable[str]) -> None:
    """Put a load in a pod that is being made; `standing` are the containers that it has already."""
    here = set(standing)
    for path in load.above:
        if path not in here:
            made.resource(path, "", None)
    for one in load.resources:
        made.resource(one.path, one.media, one.body, one.modified)
    for path, turtle in load.lists.items():
        made.acl(path, turtle)
    made.note, made.count = f"from {load.source}", len(load.resources)


async def more(vault: Vault, pod: PodFacts, load: Load, now: datetime) -> int:
    """Store a further part, all or none, with one entry; what stands or stood there is left as it is.

    Returns how many resources are new. Raises NoCompartment for a container that the first part did not bring,
    Conflict("quota") where the pod is full.
    """
    for _ in range(TRIES):
        rows = _sealed(vault, pod, load, ms(now))
        count = sum(body is not None for _, body in rows)
        facts = Facts(
            "deposit", "append", rule="operator", category="kluis:File", count=count, note=f"from {load.source}",
            bytes=sum(len(one.body) for one in load.resources), versions=versions.told(row for row, _ in rows),
        )  # fmt: skip
        if not rows:
            return 0
        try:
            done = await vault.log.append(Intent(pod.id, facts, now, write=_writer(pod.id, rows, vault.quota)))
        except Stale:
            continue
        if not isinstance(done, Appended):
            raise Conflict(done.reason)
        vault.log.served(done.index)
        return count
    raise Stale(f"{TRIES} times somebody else was faster")


def _sealed(vault: Vault, pod: PodFacts, load: Load, now: int) -> list[tuple[Resource, Body | None]]:
    """The rows of what is not there and never was."""
    homes = {home.id: home for home in compartments(vault, pod)}
    parts = [Arriving(path, "", b"", now) for path in load.above] + list(load.resources)
    made = []
    for one in parts:
        home = homes.get(pod.compartment(top(one.path)))
        if home is None or home.custody != "managed":
            raise NoCompartment(f"no managed compartment for {one.path}")
        above = vault.db.read.run(GONE, id=pod.resource(parent(one.path)))
        if above or vault.db.read.run(STANDS, id=pod.resource(one.path)):
            continue
        body = None if one.path.endswith("/") else one.body
        label = Label(one.path, one.media, len(one.body), one.modified, one.modified)
        made.append(enclose(place_of(pod, home, one.path), 1, label, body))
    return made


def _writer(pod: bytes, rows: list[tuple[Resource, Body | None]], limit: int) -> Callable[[Tx], None]:
    def write(tx: Tx) -> None:
        if any(tx.run(STANDS, id=row.id) for row, _ in rows):
            raise Stale("something of it came in between")
        for row, body in rows:
            tx.add(row)
            if body is not None:
                tx.add(body)
        quota.count(tx, pod, sum(body.size for _, body in rows if body is not None), limit)

    return write
