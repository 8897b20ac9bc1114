"""What is written in the log, as values: the facts of one event, its three forms, and what is asked of the writer.

Public form: 66 bytes, `0x01 | kind | pod commitment | dpo commitment`, or a statement, `0x01 | 0x02 | body` in clear
(access-log.md, Formats). The pod record tells the citizen everything; the DPO record has no pod, no resource and no
person.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime

from keys.records import commitment
from keys.secret import Share, fresh_bytes
from keys.text import b64, canonical
from vault.database import Tx
from vault.shares import Drop, Want

POD_DOMAIN = "kluis/pod-record/v1"
DPO_DOMAIN = "kluis/dpo-record/v1"
PRIVATE, STATEMENT = 0, 2
LONGEST = 65_000  # bytes of a statement: an entry bundle has 16 bits for a length
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Facts:
    """Who did what, to what, why, on which basis, and whether it was let through.

    type: access, denial, consent, key event, unlock, managed unlock, deposit, erasure or admin. `rule` is the stable
    code of why it was allowed or denied; `resources` are pod paths; `category` a CURIE; `purpose` a DPV code; `grant`
    a shown id. `digest` is that of the version or receipt it is about, `keyring` that of the pod's keyring as it
    stands afterwards, `versions` what was stored (vault.log.versions). `app` is the client id the DPO may see: a
    registered app's, never one that stands for a person. `signature` is what somebody else signed about the event: a
    source's assertion for a file (compact JWS).
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


@dataclass(frozen=True, slots=True)
class Guard:
    """A gate that must be live at this epoch when the entry is written; `use` spends one of its uses.

    `pod` is the gate's own pod when the entry is written in another one.
    """

    gate: bytes
    epoch: int
    use: bool = False
    pod: bytes | None = None


@dataclass(frozen=True)
class Intent:
    """One event on its way into the log, with all that must hold or happen in the same transaction."""

    pod: bytes
    facts: Facts
    at: datetime
    guards: tuple[Guard, ...] = ()
    jti: bytes | None = None
    jti_until: int = 0
    wants: tuple[Want, ...] = ()
    write: Callable[[Tx], None] | None = None
    new_shares: tuple[tuple[Want, Share], ...] = ()
    drops: tuple[Drop, ...] = ()


@dataclass(frozen=True)
class Appended:
    """The event is durable at `index`; the shares it asked for are released. `missing` ones no longer exist."""

    index: int
    entry: bytes
    shares: dict[Want, Share] = field(default_factory=dict)
    missing: tuple[Want, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The event was turned into a denial, durable at `index`; `reason` is a stable word."""

    reason: str
    index: int


def pod_record(facts: Facts, entry: bytes, at: int, seq: int, prev: bytes) -> bytes:
    """The citizen's record as RFC 8785 JSON; empty fields are left out. `prev` is b"" for the first of a pod."""
    told = {name: value for name, value in asdict(facts).items() if value not in ("", 0, ()) and name != "app"}
    told["resources"] = list(facts.resources)
    if facts.versions:
        told["versions"] = list(facts.versions)
    return canonical({**told, "id": b64(entry), "time": at, "seq": seq, "prev": b64(prev)})


def dpo_record(facts: Facts, at: int) -> bytes:
    """The DPO's record as RFC 8785 JSON: eight fields, none of them personal (access-log.md, DPO record)."""
    return canonical(
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


def commit(domain: str, record: bytes) -> tuple[bytes, bytes]:
    """Blind a record: return (nonce, commitment)."""
    nonce = fresh_bytes(32)
    return nonce, commitment(domain, nonce, record)
