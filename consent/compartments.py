"""Sealed compartments that a decision needs and the pod does not have yet; made in the unlocked session only."""

from datetime import datetime

from consent.accounts.sessions import SessionFacts
from consent.categories import category
from consent.errors import OAuthError
from consent.terms import Terms
from vault.blobs import Label, enclose
from vault.database import Tx
from vault.errors import NoCompartment
from vault.gates import ms
from vault.log.entry import Facts, Intent, Refused
from vault.pod import build_compartment, compartment, place_of
from vault.shares import Want
from vault.unlocked import reach
from vault.vault import Vault

HERE = "SELECT 1 FROM compartment WHERE id = :id"


async def ensure(vault: Vault, session: SessionFacts, terms: Terms, now: datetime) -> None:
    """Make every sealed compartment that `terms` name and the pod lacks, each after an entry of its own."""
    for curie in terms.compartments:
        kind = category(curie)
        if kind.custody == "sealed" and _missing(vault, session, kind.container.rstrip("/")):
            await _make(vault, session, kind.container.rstrip("/"), curie, now)


def _missing(vault: Vault, session: SessionFacts, container: str) -> bool:
    try:
        compartment(vault, session.pod, container)
    except NoCompartment:
        return True
    return False


async def _make(vault: Vault, session: SessionFacts, container: str, curie: str, now: datetime) -> None:
    want, pod, path = Want("session", session.handle), session.pod, f"/{container}/"
    facts = Facts("key event", "create container", rule="session", category=curie, resources=(path,), count=1)
    done = await vault.log.append(Intent(pod.id, facts, now, guards=(session.guard,), wants=(want,)))
    if isinstance(done, Refused) or want in done.missing:
        raise OAuthError("access_denied", "The session has ended.")
    with done.shares[want] as share, reach(session.keys, share) as rk:
        row, made = build_compartment(pod, container, curie, "sealed", rk)
    home, _ = enclose(place_of(pod, made, path), 1, Label(path, "", 0, ms(now), ms(now)), None)

    def write(tx: Tx) -> None:
        if not tx.run(HERE, id=made.id):
            tx.add(row)
            tx.add(home)

    await vault.db.write(write)
