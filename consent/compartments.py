"""Sealed compartments that a decision needs and the pod does not have yet; made in the unlocked session only."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from consent.accounts.sessions import SessionFacts
from consent.categories import category
from consent.errors import OAuthError
from consent.terms import Terms
from keys.keyring import Keyring
from vault.blobs import Label, enclose
from vault.database import Tx
from vault.errors import Conflict, Denied, NoCompartment
from vault.gates import ms
from vault.keyring import Change
from vault.log import versions
from vault.log.entry import Facts, Intent
from vault.pod import CompartmentFacts, build_compartment, compartment, place_of
from vault.unlocked import commit, identity, root
from vault.vault import Vault

HERE = "SELECT 1 FROM compartment WHERE id = :id"


async def ensure(vault: Vault, session: SessionFacts, terms: Terms, now: datetime) -> None:
    """Make every sealed compartment that `terms` name and the pod lacks, each after an entry of its own."""
    for curie in terms.compartments:
        kind = category(curie)
        if kind.custody == "sealed" and _missing(vault, session, kind.container.rstrip("/")):
            await add(vault, session, kind.container.rstrip("/"), curie, now)


def _missing(vault: Vault, session: SessionFacts, container: str) -> bool:
    try:
        compartment(vault, session.pod, container)
    except NoCompartment:
        return True
    return False


async def add(vault: Vault, session: SessionFacts, container: str, curie: str, now: datetime) -> None:
    """Make one sealed compartment that is not there. Raises OAuthError access_denied if the session ended."""
    pod, path = session.pod, f"/{container}/"
    facts = Facts("key event", "create container", rule="session", category=curie, resources=(path,), count=1)
    try:
        async with root(vault, session, facts, now) as rk:
            row, made = build_compartment(pod, container, curie, "sealed", rk)
            home, _ = enclose(place_of(pod, made, path), 1, Label(path, "", 0, ms(now), ms(now)), None)
            added = partial(_with, made)
            with identity(vault, pod, rk) as signer:
                await commit(vault, pod, signer, added, partial(_intent, session, facts, now, (row, home)))
    except Denied as refused:
        if refused.reason != "exists":
            raise OAuthError("access_denied", "The session has ended.") from refused


def _with(made: CompartmentFacts, ring: Keyring) -> Keyring:
    return ring.with_box(made.id, made.custody, 1, made.public)


def _intent(session: SessionFacts, facts: Facts, now: datetime, made: tuple[Any, Any], ring: Change) -> Intent:
    row, home = made

    def write(tx: Tx) -> None:
        if tx.run(HERE, id=row.id):
            raise Conflict("exists")
        ring(tx)
        tx.add(row)
        tx.add(home)

    told = replace(facts, action="keyring", keyring=ring.digest, versions=versions.told([home]))
    return Intent(session.pod.id, told, now, (session.guard,), write=write)
