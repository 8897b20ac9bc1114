"""What is written in the log, as values: the facts of one event, its three forms, and what is asked of the writer.

Public form: 66 bytes, `0x01 | kind | pod commitment | dpo commitment`, or a statement, `0x01 | 0x02 | body` in clear
(access-log.md, Formats). The pod record tells the citizen everything, in two parts with a nonce each: what the app it
is about may prove to others, and the rest. The DPO record has no pod, no resource and no person.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import compress
from typing import Any, Final, NamedTuple

from keys.records import commitment
from keys.secret import Released, Share
from keys.text import b64, canonical_flat
from vault.database import Tx
from vault.news import News
from vault.shares import Drop, Want

POD_DOMAIN = "kluis/pod-record/v2"
APP_DOMAIN = "kluis/pod-record-app/v1"
OWN_DOMAIN = "kluis/pod-record-own/v1"
DPO_DOMAIN = "kluis/dpo-record/v1"
PRIVATE, STATEMENT = 0, 2
LONGEST = 65_000  # bytes of a statement: an entry bundle has 16 bits for a length
HOUR_MS = 3_600_000
APP = frozenset(
    {"id", "time", "type", "action", "decision", "category", "resources", "client", "purpose"}
    | {"legal_basis", "grant", "grant_version", "request", "digest"}
)
"""What an app may see of an entry about itself. Not how many things or bytes lie there, which its grant may hide; not
why it was refused; and not the place in the pod's chain, which counts the other readers.
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Who did what, to what, why, on which basis, and whether it was let through.

    type: access, denial, consent, key event, unlock, managed unlock, deposit, erasure or admin. `rule` is the stable
    code of why it was allowed or denied; `resources` are pod paths; `category` a CURIE; `purpose` a DPV code; `grant`
    a shown id. `digest` is that of the version or receipt it is about, `keyring` that of the pod's keyring as it
    stands afterwards, `versions` what was stored (vault.log.versions). `app` is the client id the DPO may see: a
    registered app's, never one that stands for a person. `signature` is what somebody else signed about the event: a
    source's assertion for a file (compact JWS). `clock` is the writer's own: `behind` when the machine's clock went
    back and the time is that of the entry before, `ahead` when it went forward by days. `slot` is the pod's own, told
    once, in its first record.
    """

    type: str
    action: str
    decision: str = "allowed"
    rule: str = ""
    category: str = ""
    resources: tuple[str, ...] = ()
    count: int = 0
    bytes: int = 0
    client: str = ""
    client_name: str = ""
    app: str = ""
    agent: str = ""
    purpose: str = ""
    legal_basis: str = ""
    grant: str = ""
    grant_version: int = 0
    request: str = ""
    digest: str = ""
    note: str = ""
    keyring: str = ""
    versions: tuple[str, ...] = ()
    signature: str = ""
    clock: str = ""
    slot: int | None = None


TOLD_APP: Final = tuple(one.name for one in fields(Facts) if one.name in APP)
TOLD_OWN: Final = tuple(one.name for one in fields(Facts) if one.name not in APP and one.name != "app")
"""What the two parts of a pod record tell of them."""


def _app(of: Facts) -> tuple[Any, ...]:
    """What TOLD_APP names, in its order."""
    return (of.type, of.action, of.decision, of.category, of.resources, of.client, of.purpose, of.legal_basis, of.grant,
            of.grant_version, of.request, of.digest)  # fmt: skip


def _own(of: Facts) -> tuple[Any, ...]:
    """What TOLD_OWN names, in its order."""
    return (of.rule, of.count, of.bytes, of.client_name, of.agent, of.note, of.keyring, of.versions, of.signature,
            of.clock, of.slot)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guard:
    """A gate that must be live at this epoch when the entry is written; `use` spends one of its uses.

    `pod` is the gate's own pod when the entry is written in another one.
    """

    gate: bytes
    epoch: int
    use: bool = False
    pod: bytes | None = None


class Intent(NamedTuple):
    """One event on its way into the log, with all that must hold or happen in the same transaction.

    `write` may return the facts as they are known only then; they take the place of `facts`.
    With `receipt` what the app of `facts.app` needs to prove the entry is kept for it: under the key that this is, 32
    bytes that only the app keeps, or for True where the server may read it (vault.log.receipts). `news`: what those who
    follow it may be told once it is durable.
    """

    pod: bytes
    facts: Facts
    at: datetime
    guards: tuple[Guard, ...] = ()
    jti: bytes | None = None
    jti_until: int = 0
    wants: tuple[Want, ...] = ()
    write: Callable[[Tx], Facts | None] | None = None
    new_shares: tuple[tuple[Want, Share], ...] = ()
    drops: tuple[Drop, ...] = ()
    receipt: bytes | bool = False
    news: tuple[News, ...] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """The event is durable at `index`; the shares it asked for are released in its name. `missing` ones are no more."""

    index: int
    entry: bytes
    shares: dict[Want, Released] = field(default_factory=dict)
    missing: tuple[Want, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The event was turned into a denial, durable at `index`; `reason` is a stable word."""

    reason: str
    index: int


class PodRecord(NamedTuple):
    """A pod record as it is sealed and committed to: two RFC 8785 texts, and the 32-byte nonce that blinds each."""

    app: bytes
    own: bytes
    app_nonce: bytes
    own_nonce: bytes

    @property
    def text(self) -> bytes:
        """The whole record as one JSON text."""
        return b'{"app":' + self.app + b',"own":' + self.own + b"}"

    @property
    def sealed(self) -> bytes:
        """What the citizen gets: both nonces and the text."""
        return self.app_nonce + self.own_nonce + self.text

    @property
    def rest(self) -> bytes:
        """The salted hash of what the app may not see: all that a receipt says of it."""
        return commitment(OWN_DOMAIN, self.own_nonce, self.own)

    def commitment(self) -> bytes:
        """SHA-256(domain | h1 | h2): either part can be shown with the hash of the other, and tells nothing of it."""
        return commitment(POD_DOMAIN, commitment(APP_DOMAIN, self.app_nonce, self.app), self.rest)


def pod_record(facts: Facts, entry: bytes, at: int, seq: int, prev: bytes, nonces: bytes) -> PodRecord:
    """The citizen's record; empty fields are left out. `prev` is b"" for a pod's first one, `nonces` 64 fresh bytes."""
    app, own = _filled(TOLD_APP, _app(facts)), _filled(TOLD_OWN, _own(facts))
    app["resources"], app["id"], app["time"] = facts.resources, b64(entry), at
    own["seq"], own["prev"] = seq, b64(prev)
    if facts.slot is not None:
        own["slot"] = facts.slot
    return PodRecord(canonical_flat(app), canonical_flat(own), nonces[:32], nonces[32:])


def _filled(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    """What is not empty, by name."""
    return dict(compress(zip(names, values, strict=True), values))


def dpo_record(facts: Facts, at: int) -> bytes:
    """The DPO's record as RFC 8785 JSON: eight fields, none of them personal (access-log.md, DPO record)."""
    return canonical_flat(
        {
            "hour": at // HOUR_MS,
            "client": facts.app,
            "purpose": facts.purpose,
            "legal_basis": facts.legal_basis,
            "category": facts.category,
            "action": facts.action,
            "decision": facts.decision,
            "count": facts.count,
        }
    )


def leaf(pod_commitment: bytes, dpo_commitment: bytes) -> bytes:
    """The 66 public bytes of a private entry."""
    return bytes((1, PRIVATE)) + pod_commitment + dpo_commitment


def statement(body: bytes) -> bytes:
    """The public bytes of a statement. Raises ValueError for one that is empty or longer than a bundle can hold."""
    if not 0 < len(body) <= LONGEST:
        raise ValueError(f"a statement has 1 to {LONGEST} bytes")
    return bytes((1, STATEMENT)) + body


class DpoPart(NamedTuple):
    """The DPO record of an entry: its RFC 8785 text, the 32-byte nonce that blinds it, and the commitment to both."""

    text: bytes
    nonce: bytes
    commitment: bytes


def dpo_part(facts: Facts, at: int, nonce: bytes) -> DpoPart:
    """The DPO's record and its commitment; `nonce` is 32 fresh bytes."""
    text = dpo_record(facts, at)
    return DpoPart(text, nonce, commitment(DPO_DOMAIN, nonce, text))
