"""Versions made ready: what a write or a deposit is about to store, sealed before the writer is asked.

Planning reads what stands there now; `vault.store` lets it in only if that is still so.
"""

from dataclasses import dataclass
from datetime import datetime

from vault.blobs import Label, Staged, enclose, enclose_staged, received
from vault.errors import Conflict, Denied, NoCompartment
from vault.log import versions
from vault.news import News, stored
from vault.packets import Packet
from vault.permit import Permit
from vault.pod import CompartmentFacts, compartments, parent, place_of, top
from vault.solid.paths import subject_of, twin
from vault.tables import Body, Resource
from vault.vault import PodFacts, Vault


@dataclass(frozen=True, slots=True)
class Parcel:
    """One resource of a deposit: pod path, media type, body."""

    path: str
    media: str
    body: bytes


@dataclass(frozen=True)
class Plan:
    """A version ready to be stored, `missing` containers to make with it, and those `above` that must still stand.

    `twins` are the names of what is new here with the slash the other way round: nothing may stand there.
    `fresh` when nothing readable was there before; `size` of the body in bytes; `label` its path and media type.
    """

    row: Resource
    body: Body | None
    missing: list[Resource]
    above: list[bytes]
    fresh: bool
    size: int
    label: tuple[str, str] = ("", "")
    twins: tuple[bytes, ...] = ()

    def news(self, at: datetime) -> tuple[News, ...]:
        """What those who follow it are told (vault.news)."""
        return stored(self.row, *self.label, self.missing, fresh=self.fresh, at=at)

    @property
    def versions(self) -> tuple[str, ...]:
        """What its line in the log names: this version and those of the containers made with it."""
        return versions.told([self.row, *self.missing])


@dataclass(frozen=True)
class Planner:
    """Makes versions ready for one compartment; what does not change from one to the next is looked up once."""

    vault: Vault
    pod: PodFacts
    home: CompartmentFacts

    def plan(self, label: Label, body: bytes | Staged | None) -> Plan:
        """The next version of `label.path`, and of every container above it that is not there."""
        stored = self.vault.db.read.get(Resource, self.pod.resource(label.path))
        mark = self.pod.resource(f"source:{label.source}") if label.source else b""
        row, sealed = self._enclose(label, stored, body, mark)
        fresh = stored is None or stored.form == "gone"
        missing, standing, made = self._containers(label)
        twins = tuple(self.pod.resource(twin(path)) for path in (*made, *((label.path,) if fresh else ())))
        return Plan(row, sealed, missing, standing, fresh, label.size, (label.path, label.media), twins)

    def arrival(self, parcel: Parcel | Packet, stamp: int, source: str) -> Plan | None:
        """What comes in by the drop box, as its first version; None if it is there."""
        stored = self.vault.db.read.get(Resource, self.pod.resource(parcel.path))
        if isinstance(parcel, Packet):
            return self._packet(parcel, stamp, source) if stored is None else None
        if stored is not None and stored.form != "gone":
            return None
        return self.plan(Label(parcel.path, parcel.media, len(parcel.body), stamp, stamp, source), parcel.body)

    def _packet(self, packet: Packet, stamp: int, source: str) -> Plan:
        if packet.generation != self.home.generation:
            raise Conflict("generation")
        place, mark = place_of(self.pod, self.home, packet.path), self.pod.resource(f"source:{source}")
        row, body = received(place, packet.dek, packet.label, packet.body, mark)
        missing, standing, made = self._containers(Label(packet.path, "", 0, stamp, stamp))
        twins = tuple(self.pod.resource(twin(path)) for path in (*made, packet.path))
        return Plan(row, body, missing, standing, True, len(packet.body), (packet.path, ""), twins)

    def _enclose(
        self, label: Label, stored: Resource | None, body: bytes | Staged | None, mark: bytes = b""
    ) -> tuple[Resource, Body | None]:
        place = place_of(self.pod, self.home, label.path)
        if isinstance(body, Staged):
            return enclose_staged(place, (stored.version if stored else 0) + 1, label, body)
        return enclose(place, (stored.version if stored else 0) + 1, label, body, mark)

    def _containers(self, label: Label) -> tuple[list[Resource], list[bytes], list[str]]:
        """The containers above that have to be made, the ids of what has to stand, and the paths of those to be made.

        A description makes none: what it describes has to stand.
        """
        missing, standing, made, above = list[Resource](), list[bytes](), list[str](), parent(label.path)
        subject = subject_of(label.path)
        if subject is not None:
            return missing, [self.pod.resource(subject)], made
        while above != "/":
            stored = self.vault.db.read.get(Resource, self.pod.resource(above))
            if stored is None or stored.form == "gone":
                missing.append(self._enclose(Label(above, "", 0, label.modified, label.modified), stored, None)[0])
                made.append(above)
            else:
                standing.append(stored.id)
            above = parent(above)
        return missing, standing, made


def planner(vault: Vault, pod: PodFacts, permit: Permit, path: str) -> Planner:
    """What plans for the compartment of a path. Raises Denied, NoCompartment."""
    if pod.compartment(top(path)) not in permit.compartments:
        raise Denied("outside the permit")
    homes = {facts.id: facts for facts in compartments(vault, pod)}
    home = homes.get(pod.compartment(top(path)))
    if home is None:
        raise NoCompartment(f"this pod has no compartment for {top(path)}/ yet")
    return Planner(vault, pod, home)
