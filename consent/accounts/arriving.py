"""People who come from another server: an account and a pod each, and an invitation as the only way in.

A password hash of the old server can become no key, so who brings the pods makes two invitation codes for each person,
before anything is stored, and gives her one. Nothing but those codes opens the pod until she has used one; then both
end (consent.accounts.invited). Sealed compartments are made at that moment: before it nobody could ask for them.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from consent import columns
from consent.accounts import welcome
from consent.accounts.people import POD_NAME, Way, user_mac
from consent.accounts.roles import pod_kind
from consent.categories import CATEGORIES
from consent.errors import BadName
from consent.tables import Account
from keys.secret import fresh_bytes
from keys.state import lookup
from keys.unlock import new_code, read_code
from vault import arrival, gates, office, pod as pods
from vault.arrival import Load
from vault.database import Tx
from vault.errors import Conflict
from vault.pod import MANAGED, Blueprint, Builder, NewUnlocker
from vault.vault import PodFacts, Vault

INVITATION: Final = "invitation"
RESERVED: Final = frozenset(c.container.rstrip("/") for c in CATEGORIES.values() if c.custody == "sealed")
"""Top-level names that mean a sealed compartment here: nothing from elsewhere is put under them."""
Standing = Literal["free", "part", "whole", "taken"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who comes: the name of her pod, the address it had, and whether the first load is all of it."""

    name: str
    origin: str
    whole: bool


def codes() -> tuple[str, str]:
    """The two codes of a new invitation: one to give, one to keep apart until she has used the first."""
    return new_code(), new_code()


def standing(vault: Vault, name: str, origin: str) -> Standing:
    """Whether a pod may arrive under this name: it is free, came from there before (in part or whole), or is another's.

    The name of an erased pod is taken for ever, which shows when it arrives.
    """
    told = _told(vault, name)
    if told is None:
        fits = POD_NAME.fullmatch(name) is not None and name != office.NAME and vault.pod(name) is None
        return "free" if fits and not vault.db.read.run(pods.TAKEN, mac=lookup(vault.state, "pod", name)) else "taken"
    came: dict[str, Any] = told.get("came", {})
    return "taken" if came.get("from") != origin else "whole" if came.get("whole") else "part"


async def arrive(vault: Vault, who: Arrival, codes: Sequence[str], load: Load, now: datetime) -> PodFacts:
    """Make the pod and the account with the first load in it, in one transaction.

    `codes` are the invitation's, in the form of recovery codes. Raises BadName, keys.errors.WrongSecret for a text that
    is no code, TooFewUnlockers, Conflict("exists"), and what vault.arrival.examine raises.
    """
    if not POD_NAME.fullmatch(who.name) or who.name == office.NAME:
        raise BadName("a pod's name has 2 to 40 letters, digits and hyphens")
    if load.tops & RESERVED:
        raise BadName("a name that means a sealed compartment here")
    arrival.examine(load, welcome.storage(vault.base, who.name)[:-1])
    seeds = [read_code(code) for code in codes]
    new = [NewUnlocker(INVITATION, "", seed) for seed in seeds]
    row = _row(vault, who, new, now)
    managed = MANAGED | dict.fromkeys(sorted(load.tops), "kluis:File")
    there = ["/", "/profile/", *(f"/{container}/" for container in managed)]

    def filled(made: Builder) -> None:
        arrival.fill(made, load, there)

    try:
        plan = Blueprint(sealed={}, managed=managed)
        return await pods.create(vault, who.name, pod_kind("citizen"), new, plan, now, partial(_take, row), filled)
    except sqlite3.IntegrityError:
        raise Conflict("exists") from None
    finally:
        for seed in seeds:
            seed.wipe()


async def go_on(vault: Vault, who: Arrival, load: Load, now: datetime) -> int:
    """Bring a further load of a pod that arrived in part; how many resources are new. Raises Conflict("exists")."""
    pod = vault.pod(who.name)
    if pod is None or standing(vault, who.name, who.origin) != "part":
        raise Conflict("exists")
    arrival.examine(load, welcome.storage(vault.base, who.name)[:-1])
    stored = await arrival.more(vault, pod, load, now)
    if who.whole:
        await vault.db.write(partial(_whole, vault, user_mac(vault, who.name)))
    return stored


def _told(vault: Vault, name: str) -> dict[str, Any] | None:
    rows = vault.db.read.find(Account, user_mac=user_mac(vault, name))
    if not rows:
        return None
    told: dict[str, Any] = columns.take(vault.state, "account", rows[0].id, rows[0].sealed)
    return told


def _row(vault: Vault, who: Arrival, new: Sequence[NewUnlocker], now: datetime) -> Account:
    ways = [Way(one.id, one.kind, gates.ms(now)).told for one in new]
    told = {
        "role": "citizen",
        "user": who.name,
        "name": who.name,
        "webid": welcome.webid(vault.base, who.name),
        "ways": ways,
        "came": {"from": who.origin, "whole": who.whole},
    }
    account = fresh_bytes(16)
    sealed = columns.put(vault.state, "account", account, told)
    return Account(id=account, user_mac=user_mac(vault, who.name), role="citizen", pod=b"", sealed=sealed)


def _take(row: Account, tx: Tx, pod: PodFacts) -> None:
    row.pod = pod.id
    tx.add(row)


def _whole(vault: Vault, mac: bytes, tx: Tx) -> None:
    for row in tx.find(Account, user_mac=mac):
        told = columns.take(vault.state, "account", row.id, row.sealed)
        sealed = columns.put(vault.state, "account", row.id, told | {"came": {**told["came"], "whole": True}})
        tx.change(Account, {"id": row.id}, sealed=sealed)
