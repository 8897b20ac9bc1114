"""Room for a new top-level container that a plain Solid program makes: a managed compartment under the custodian."""

from datetime import datetime

from keys.custody import reach
from keys.secret import ManagedRoot
from vault.blobs import Label, enclose
from vault.database import Tx
from vault.door import admit
from vault.errors import DamagedItem, Denied, NoCompartment
from vault.gates import ms
from vault.log.entry import Appended, Facts, Intent
from vault.permit import Permit
from vault.pod import build_compartment, compartment, place_of, top
from vault.shares import Want
from vault.tables import Compartment, Resource, RootWrap
from vault.vault import PodFacts, Vault


async def make_room(vault: Vault, permit: Permit, path: str, at: datetime) -> None:
    """See to it that the compartment of `path` exists, behind an entry of its own if it has to be made.

    Only for permits of access control, whose compartments are managed. Raises Denied.
    """
    pod = admit(vault, permit, path)
    try:
        compartment(vault, pod, top(path))
    except NoCompartment:
        await _make(vault, pod, permit, f"/{top(path)}/", at)


async def _make(vault: Vault, pod: PodFacts, permit: Permit, path: str, at: datetime) -> None:
    managed = await _managed_root(vault, pod, permit, path, at)
    with managed:
        row, facts = build_compartment(pod, path.strip("/"), permit.facts.category, "managed", managed)
    home, _ = enclose(place_of(pod, facts, path), 1, Label(path, "", 0, ms(at), ms(at)), None)

    def write(tx: Tx) -> None:
        if tx.get(Compartment, row.id, row.generation) is None:
            tx.add(row)
            tx.remove(Resource, id=home.id)
            tx.add(home)

    await vault.db.write(write)


async def _managed_root(vault: Vault, pod: PodFacts, permit: Permit, path: str, at: datetime) -> ManagedRoot:
    want = Want("custody", pod.id)
    facts = Facts(
        "managed unlock", "create container", rule="custody", category=permit.facts.category, resources=(path,)
    )
    guards = (permit.guard,) if permit.guard else ()
    done = await vault.log.append(Intent(pod.id, facts, at, guards, wants=(want,)))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    row = vault.db.read.get(RootWrap, pod.id, "custody", "mk")
    if row is None or want in done.missing:
        raise DamagedItem(f"the managed root of pod {pod.id.hex()} is missing")
    return reach(vault.custodian, pod.id, done.shares[want], row.wrapped)
