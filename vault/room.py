"""Room for a new top-level container that a plain Solid program makes: a managed compartment under the custodian."""

from dataclasses import replace
from datetime import datetime

from keys.secret import Private
from vault import keyring
from vault.blobs import Label, enclose
from vault.database import Tx
from vault.door import admit, proven
from vault.errors import Conflict, NoCompartment, Stale
from vault.gates import ms
from vault.log import versions
from vault.log.entry import Appended, Facts, Intent
from vault.managed import managed_root, signer
from vault.news import stored
from vault.permit import Permit
from vault.pod import CompartmentFacts, build_compartment, compartment, place_of, top
from vault.tables import Compartment, Resource
from vault.vault import PodFacts, Vault

TRIES = 4


async def make_room(vault: Vault, permit: Permit, path: str, at: datetime) -> Permit:
    """See to it that the compartment of `path` exists, behind an entry of its own if it has to be made.

    Only for permits of access control, whose compartments are managed. The first entry uses up the proof behind the
    request, so that a copy of it makes nothing; the permit to go on with is returned. Raises Denied.
    """
    pod = admit(vault, permit, path)
    try:
        compartment(vault, pod, top(path))
    except NoCompartment:
        await _make(vault, pod, permit, f"/{top(path)}/", at)
        return proven(permit)
    return permit


async def _make(vault: Vault, pod: PodFacts, permit: Permit, path: str, at: datetime) -> None:
    facts = Facts(
        "managed unlock", "create container", rule="custody", category=permit.facts.category, resources=(path,)
    )
    # Only the request itself is a use of the grant; making room for it is none.
    guards = (replace(permit.guard, use=False),) if permit.guard else ()
    async with managed_root(vault, pod, facts, guards, at, permit.jti, permit.jti_until) as managed:
        row, made = build_compartment(pod, path.strip("/"), permit.facts.category, "managed", managed)
        with signer(vault, pod, managed) as msign:
            for _ in range(TRIES):
                if await _store(vault, pod, row, _home(vault, pod, made, path, at), msign, path, at):
                    return
    raise Stale(f"{TRIES} times somebody else was faster")


def _home(vault: Vault, pod: PodFacts, facts: CompartmentFacts, path: str, at: datetime) -> Resource:
    """The container itself; one that was removed goes on with its version numbers."""
    old = vault.db.read.get(Resource, pod.resource(path))
    label = Label(path, "", 0, ms(at), ms(at))
    return enclose(place_of(pod, facts, path), old.version + 1 if old else 1, label, None)[0]


async def _store(
    vault: Vault, pod: PodFacts, row: Compartment, home: Resource, msign: Private, path: str, at: datetime
) -> bool:
    """Store the compartment with its line in the keyring's annex; False if another change came between."""
    try:
        ring = keyring.extend(vault.db.read, pod.id, msign, vault.keyring(pod).identity, row.id, row.public)
    except Conflict as refusal:
        return refusal.reason == "exists"  # somebody else made the same room

    def write(tx: Tx) -> None:
        ring(tx)
        old = tx.get(Resource, home.id)
        if (old.version if old else 0) != home.version - 1:
            raise Stale("the container came in between")
        tx.add(row)
        tx.remove(Resource, id=home.id)
        tx.add(home)

    facts = Facts("key event", "keyring", rule="custody", count=1, keyring=ring.digest, versions=versions.told([home]))
    news = stored(home, path, "", (), fresh=True, at=at)
    try:
        return isinstance(await vault.log.append(Intent(pod.id, facts, at, write=write, news=news)), Appended)
    except Stale:
        return False
