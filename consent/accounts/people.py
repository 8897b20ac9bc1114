"""Accounts: who can log in, with which role, into which pod.

An account is found by a keyed hash of the user name; what it says about a person is sealed under the state key. It
lists the unlockers that are this person's, so that two officers of one office do not open each other's accounts.
"""

import asyncio
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from consent import columns
from consent.accounts import welcome
from consent.accounts.roles import ROLES, Role, pod_kind
from consent.errors import BadName
from consent.oauth.registration import mixed
from consent.tables import Account
from keys.secret import Seed, fresh_bytes
from keys.state import lookup
from keys.text import b64, unb64
from keys.unlock import Stretch, new_code, read_code, stretch
from vault import gates, office, pod as pods
from vault.database import Tx
from vault.errors import Conflict, DamagedItem
from vault.pod import Blueprint, NewUnlocker
from vault.vault import PodFacts, Vault

POD_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,38}[a-z0-9]")
FEWEST_LETTERS: Final = 12
LONGEST: Final = 1024


@dataclass(frozen=True, slots=True)
class Passkey:
    """What verifies a passkey's answers: credential id, public key (COSE), and how often it says it was used."""

    credential: bytes
    key: bytes
    count: int

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Passkey":
        """Read what `told` wrote."""
        return cls(unb64(told["credential"]), unb64(told["key"]), told["count"])

    @property
    def told(self) -> dict[str, Any]:
        """As JSON, for the account's sealed column."""
        return {"credential": b64(self.credential), "key": b64(self.key), "count": self.count}


@dataclass(frozen=True, slots=True)
class Way:
    """One unlocker of a person: passphrase, recovery, passkey or demo; `added` in ms."""

    id: bytes
    kind: str
    added: int
    passkey: Passkey | None = None

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Way":
        """Read what `told` wrote."""
        passkey = Passkey.read(told["passkey"]) if "passkey" in told else None
        return cls(unb64(told["id"]), told["kind"], told["added"], passkey)

    @property
    def told(self) -> dict[str, Any]:
        """As JSON, for the account's sealed column."""
        own = {} if self.passkey is None else {"passkey": self.passkey.told}
        return {"id": b64(self.id), "kind": self.kind, "added": self.added} | own


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Somebody who can log in. `webid` is empty for people whose pod holds no data."""

    id: bytes
    role: Role
    pod: bytes
    user: str
    name: str
    webid: str
    ways: tuple[Way, ...]

    @property
    def agent(self) -> str:
        """Who acts, as the log names people: her WebID, or the user name of somebody without one."""
        return self.webid or self.user

    def ways_of(self, kind: str) -> list[bytes]:
        """The ids of this person's unlockers of a kind."""
        return [way.id for way in self.ways if way.kind == kind]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to enrol: without a passphrase she gets two recovery codes instead of one; `demo` adds a demo key."""

    user: str
    name: str
    passphrase: str | None = None
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new account. `codes` and `demo` (32 bytes, base64url) are shown here once and stored nowhere."""

    account: bytes
    webid: str
    codes: tuple[str, ...] = field(repr=False)
    demo: str = field(default="", repr=False)


@dataclass(frozen=True)
class _Keyring:
    """The unlockers made for one newcomer and what she must keep."""

    unlockers: list[NewUnlocker]
    codes: tuple[str, ...]
    demo: str

    def wipe(self) -> None:
        """Wipe the seeds, once the pod is made."""
        for new in self.unlockers:
            new.seed.wipe()


async def enroll(
    vault: Vault,
    user: str,
    name: str,
    role: Role,
    pod_name: str | None,
    passphrase: str | None,
    now: datetime,
    *,
    demo: bool = False,
) -> Enrolled:
    """Make an account and its pod, in one transaction. Citizens name their pod; everybody else but the DPO has a desk.

    Raises BadName for a name that cannot be used or a passphrase too short or long, Conflict("exists") if user or
    pod name is taken. Officers of the DPO come in with `found_office`.
    """
    title, webid, plan = _plan(vault, role, pod_name)
    who = Newcomer(user, name, passphrase, demo)
    ring = await _keyring(who)
    row = _row(vault, who, role, webid, ring, now)
    try:
        await pods.create(vault, title, pod_kind(role), ring.unlockers, plan, now, partial(_take, [row]))
    except sqlite3.IntegrityError:
        raise Conflict("exists") from None
    finally:
        ring.wipe()
    return Enrolled(row.id, webid, ring.codes, ring.demo)


async def found_office(
    vault: Vault,
    officers: Sequence[Newcomer],
    now: datetime,
    keep: Callable[[list[Enrolled]], None] = lambda _: None,
) -> list[Enrolled]:
    """Make the DPO's office and its officers' accounts in one transaction; from then on every entry has a DPO record.

    `keep` is given what the officers need before anything is written, so that no crash leaves an office whose codes
    nobody has. Raises Conflict("exists") if there is an office or a user name is taken.
    """
    if vault.pod(office.NAME) is not None:
        raise Conflict("exists")
    rings = [await _keyring(who) for who in officers]
    rows = [_row(vault, who, "dpo", "", ring, now) for who, ring in zip(officers, rings, strict=True)]
    made = [Enrolled(row.id, "", ring.codes, ring.demo) for row, ring in zip(rows, rings, strict=True)]

    try:
        keep(made)
        await pods.found_office(vault, [new for ring in rings for new in ring.unlockers], now, partial(_take, rows))
    except sqlite3.IntegrityError:
        raise Conflict("exists") from None
    finally:
        for ring in rings:
            ring.wipe()
    return made


def find(vault: Vault, user: str) -> AccountFacts | None:
    """The account of a user name, however it is written in case and spacing."""
    rows = vault.db.read.find(Account, user_mac=user_mac(vault, user))
    return _facts(vault, rows[0]) if rows else None


def by_id(vault: Vault, account: bytes, tx: Tx | None = None) -> AccountFacts | None:
    """The account with this id, read inside a unit if one is given."""
    row = (tx or vault.db.read).get(Account, account)
    return None if row is None else _facts(vault, row)


def user_mac(vault: Vault, user: str) -> bytes:
    """The look-up column of a user name, however it is typed."""
    return lookup(vault.state, "user", folded(user))


def folded(user: str) -> str:
    """A user name as it is compared: NFKC case folded, without what is invisible (UAX 31, UTS 39)."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", user).casefold())
    return "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cc")).strip()


def _facts(vault: Vault, row: Account) -> AccountFacts:
    told: dict[str, Any] = columns.take(vault.state, "account", row.id, row.sealed)
    if told["role"] != row.role:
        raise DamagedItem("an account's role is not the one it was sealed with")
    ways = tuple(Way.read(way) for way in told["ways"])
    return AccountFacts(row.id, told["role"], row.pod, told["user"], told["name"], told["webid"], ways)


def _plan(vault: Vault, role: Role, pod_name: str | None) -> tuple[str, str, Blueprint]:
    """Name, WebID and blueprint of the pod for somebody in this role; a desk's name is no path segment."""
    if role not in ROLES or pod_kind(role) == "office" or (pod_kind(role) == "citizen") != (pod_name is not None):
        raise BadName("this role and this pod do not go together")
    if pod_name is None:
        return f"desk/{b64(fresh_bytes(16))}", "", Blueprint(sealed={})
    if not POD_NAME.fullmatch(pod_name) or pod_name == office.NAME:
        raise BadName("a pod's name has 2 to 40 letters, digits and hyphens")
    if vault.pod(pod_name) is not None:
        raise Conflict("exists")
    return pod_name, welcome.webid(vault.base, pod_name), welcome.blueprint(vault.base, pod_name, vault.access)


async def _keyring(who: Newcomer) -> _Keyring:
    """Passphrase and recovery code, or two recovery codes; always at least two ways in."""
    if not folded(who.user) or len(who.user) > LONGEST or len(who.name) > LONGEST:
        raise BadName("an account needs a user name")
    if mixed(folded(who.user)):
        raise BadName("a user name does not mix letters that look alike")
    made = []
    if who.passphrase is not None:
        made.append(await from_phrase(who.passphrase))
    codes = tuple(new_code() for _ in range(1 if made else 2))
    made += [NewUnlocker("recovery", "", read_code(code)) for code in codes]
    demo = ""
    if who.demo:
        seed = Seed.fresh()
        demo = b64(seed.view())
        made.append(NewUnlocker("demo", "", seed))
    return _Keyring(made, codes, demo)


async def from_phrase(passphrase: str) -> NewUnlocker:
    """An unlocker from a passphrase. Raises BadName for one that is too short or too long."""
    if not FEWEST_LETTERS <= len(passphrase) <= LONGEST:
        raise BadName(f"a passphrase has {FEWEST_LETTERS} to {LONGEST} characters")
    costs = Stretch.fresh()
    return NewUnlocker("passphrase", costs.text, await asyncio.to_thread(stretch, passphrase, costs))


def _row(vault: Vault, who: Newcomer, role: Role, webid: str, ring: _Keyring, now: datetime) -> Account:
    """The account of a newcomer, as it is stored with its pod."""
    account, added = fresh_bytes(16), gates.ms(now)
    ways = [Way(new.id, new.kind, added).told for new in ring.unlockers]
    told = {"role": role, "user": who.user, "name": who.name, "webid": webid, "ways": ways}
    sealed = columns.put(vault.state, "account", account, told)
    return Account(id=account, user_mac=user_mac(vault, who.user), role=role, pod=b"", sealed=sealed)


def _take(rows: list[Account], tx: Tx, pod: PodFacts) -> None:
    """Store the accounts of a pod in the unit that makes it. sqlite3.IntegrityError if a user name is taken."""
    for row in rows:
        row.pod = pod.id
        tx.add(row)
