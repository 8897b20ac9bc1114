"""New locks: generations of compartments as grants see them, and a new root (keys.md, Layout).

A new generation reaches a live grant by letter if its terms cover all that is in it; the letter is opened with the
grant's key and share at its first use and wrapped again. "From now on" is a generation that begins at the consent.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consent import signed
from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from consent.categories import category
from consent.tables import Grant, GrantKeyRow
from consent.terms import Terms
from keys.context import ctx
from keys.grants import deliver_ck
from keys.keyring import Keyring
from vault import gates, generations, newroot, office
from vault.database import Tx
from vault.errors import Denied
from vault.generations import Made
from vault.pod import compartments
from vault.vault import PodFacts, Vault

LIVE: Final = ("live", "restricted")
STARTS: Final = """
SELECT min(k.generation) FROM grantkey k JOIN gate g ON g.id = k.grant
WHERE k.compartment = :cid AND g.state IN ('live', 'restricted') GROUP BY k.grant
"""
RETIRE: Final = "DELETE FROM grantkey WHERE compartment = :cid AND generation < :first"


async def change(
    vault: Vault, session: SessionFacts, containers: Iterable[str], now: datetime, *, rewrap: bool = False
) -> None:
    """Cut a new generation of these compartments; with `rewrap` everything older moves along. Raises Denied."""
    await generations.cut(vault, session, containers, Letters(vault, session.pod), now, rewrap=rewrap)


async def set_custody(vault: Vault, session: SessionFacts, container: str, custody: str, now: datetime) -> None:
    """Seal a managed compartment, or give a sealed one to the custodian: all of it under a new generation.

    Raises Denied, Conflict("public") for what everybody must reach.
    """
    await generations.cut(vault, session, [container], Letters(vault, session.pod), now, custody=custody)


async def change_all(vault: Vault, session: SessionFacts, now: datetime) -> None:
    """Change all locks, as after a suspected take-over: root, identity and log key, then every compartment.

    Other sessions end. In this order no new compartment's key ever lies under an old root. If it is broken off, doing
    it again finishes it. Raises Denied, SwappedKey.
    """
    carry = sessions.Carry(vault, session)
    await newroot.renew(vault, session, now, carry)
    goes_on = carry.renewed()
    every = [one.container for one in compartments(vault, goes_on.pod)]
    await change(vault, goes_on, every, now, rewrap=True)


async def yearly(vault: Vault, session: SessionFacts, now: datetime) -> bool:
    """Cut a new generation of the DPO's key if the newest has been in use for a year; whether one was cut.

    Only an officer's unlocked session can: for any other, or one that ends meanwhile, nothing happens, and the next
    officer who comes does it.
    """
    if session.pod.kind != "office" or not office.overdue(vault, session.pod, now):
        return False
    try:
        await change(vault, session, [office.CONTAINER], now)
    except Denied:
        return False
    return True


async def fresh_start(vault: Vault, session: SessionFacts, terms: Terms, now: datetime) -> None:
    """Before a consent "from now on": cut off what is there already, unless nothing is."""
    wanted = [category(curie).container.rstrip("/") for curie in terms.compartments if from_now(terms, curie)]
    some = [container for container in wanted if not generations.untouched(vault, session.pod, container)]
    if some:
        await change(vault, session, some, now)


def from_now(terms: Terms, curie: str) -> bool:
    """Whether these terms open a compartment from the consent on only."""
    rows = [datum for datum in terms.data if datum.compartment == curie]
    return all(datum.since == "grant" and not datum.derived for datum in rows)


def grant_context(pod: PodFacts, grant: bytes, terms: Terms, compartment: bytes, generation: int) -> bytes:
    """The context of a compartment's key in a grant: it opens for this app and this purpose only."""
    purpose = (terms.purpose_code, terms.purpose_version)
    return ctx("ck-grant", pod.id, grant, terms.client, *purpose, compartment, generation)


def keep(grant: bytes, tx: Tx, compartment: bytes, generation: int, wrap: bytes) -> None:
    """Keep a letter that was opened as a wrap, if it still is a letter."""
    place = {"grant": grant, "compartment": compartment, "generation": generation, "form": "letter"}
    tx.change(GrantKeyRow, place, form="own", wrap=wrap)


@dataclass(frozen=True)
class Letters:
    """Delivers new generations to the grants of a pod (vault.generations.Delivery)."""

    vault: Vault
    pod: PodFacts

    def starts(self, compartment: bytes) -> set[int]:
        """The oldest generation that each live grant holds."""
        return {row[0] for row in self.vault.db.read.run(STARTS, cid=compartment)}

    def deliver(self, ring: Keyring, made: Made) -> Callable[[Tx], None]:
        """A letter for every grant on the keyring that holds all that moved into the new generation."""
        rows = [row for (grant, cid), public in ring.grants.items() if cid == made.row.id
                and (row := self._letter(grant, public, made)) is not None]  # fmt: skip

        def write(tx: Tx) -> None:
            for row in rows:
                gate = gates.read(tx, row.grant)
                if gate is not None and gate.state in LIVE:
                    tx.add(row)

        return write

    def retire(self, tx: Tx, compartment: bytes, first: int) -> None:
        """Forget wraps of generations that are no more."""
        tx.run(RETIRE, cid=compartment, first=first)

    def _letter(self, grant: bytes, public: bytes, made: Made) -> GrantKeyRow | None:
        row, cid = self.vault.db.read.get(Grant, grant), made.row.id
        held = self.vault.db.read.find(GrantKeyRow, order_by="generation", grant=grant, compartment=cid)
        if row is None or not held or held[0].generation > made.since:
            return None
        terms = signed.read(self.vault, self.pod, row)
        context = grant_context(self.pod, grant, terms, cid, made.row.generation)
        letter = deliver_ck(public, context, made.key)
        return GrantKeyRow(grant=grant, compartment=cid, generation=made.row.generation, pod=self.pod.id,
                           form="letter", keyed=held[0].keyed, wrap=letter)  # fmt: skip
