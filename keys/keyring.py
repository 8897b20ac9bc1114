"""The keyring: every public key of a pod in one versioned list, signed by the pod's identity.

Whoever seals something to a pod takes the key from here, so that a key swapped in the database is refused and never
used. What is added while the citizen is away (a managed compartment) stands in the *annex*: a second list that her
managed signing key signs, which the keyring itself names and thereby certifies. An annex belongs to one version of
the keyring, can only add compartments, and these are managed; the next change in an unlocked session takes them into
the keyring.

When the identity itself is renewed, the old one signs who comes after it; these steps stay in the list for good, so
that whoever knows an older identity can follow it to the one in use.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from keys.errors import Damaged, SwappedKey
from keys.secret import Private
from keys.sign import sign, signer_public, verify
from keys.text import b64, canonical, unb64

_RING, _ANNEX, _STEP = "kluis/keyring/v1", "kluis/keyring-annex/v1", "kluis/succession/v1"
MANAGED = "managed"


@dataclass(frozen=True, slots=True)
class Box:
    """A compartment's drop box: its custody, and the public key of each of its generations."""

    custody: str
    publics: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Step:
    """An identity that was in use until `version`, with the log key of its time, and its word for the next one."""

    version: int
    identity: bytes
    log: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Keyring:
    """One version of the list. `unlockers` holds kind and public key by id, `grants` a key per (grant, compartment).

    `history` holds the identities before this one, oldest first.
    """

    pod: bytes
    version: int
    identity: bytes
    log: bytes
    msign: bytes
    compartments: Mapping[bytes, Box] = field(default_factory=dict)
    unlockers: Mapping[bytes, tuple[str, bytes]] = field(default_factory=dict)
    grants: Mapping[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    history: tuple[Step, ...] = ()

    @property
    def logs(self) -> frozenset[bytes]:
        """The log key in use and every one before it."""
        return frozenset({self.log, *(step.log for step in self.history)})

    def follows(self, identity: bytes) -> bool:
        """Whether this identity, which somebody kept, is the one in use or leads to it."""
        return identity in {self.identity, *(step.identity for step in self.history)}

    def box(self, compartment: bytes, generation: int, custody: str, public: bytes) -> bytes:
        """The public key of a compartment, if what is stored elsewhere says the same. Raises SwappedKey."""
        known = self.compartments.get(compartment)
        if known is None or known.custody != custody or known.publics.get(generation) != public:
            raise SwappedKey(f"compartment {compartment.hex()} is not as its keyring says")
        return public

    def with_box(self, compartment: bytes, custody: str, generation: int, public: bytes) -> "Keyring":
        """This list with one more generation of a compartment, which from now on has this custody."""
        known = self.compartments.get(compartment)
        publics = {**(known.publics if known else {}), generation: public}
        return replace(self, compartments={**self.compartments, compartment: Box(custody, publics)})


@dataclass(frozen=True, slots=True)
class Signed:
    """A list as canonical JSON, and the signature under it."""

    body: bytes
    signature: bytes


def succeed(ring: Keyring, old: Private, identity: bytes, log: bytes, msign: bytes) -> Keyring:
    """The list under a new identity, log key and managed signing key; the old identity signs for the new one."""
    said = _succession(ring.pod, ring.version, ring.identity, ring.log, identity)
    step = Step(ring.version, ring.identity, ring.log, sign(old, said))
    return replace(ring, identity=identity, log=log, msign=msign, history=(*ring.history, step))


def sign_keyring(ring: Keyring, identity: Private) -> Signed:
    """Write and sign a keyring. Raises SwappedKey for a signer that is not the identity it names."""
    if signer_public(identity) != ring.identity:
        raise SwappedKey("a keyring that names another identity is not signed with this one")
    grants: dict[str, dict[str, str]] = {}
    for (grant, compartment), public in ring.grants.items():
        grants.setdefault(b64(grant), {})[b64(compartment)] = b64(public)
    told = {
        "format": _RING,
        "pod": b64(ring.pod),
        "version": ring.version,
        "identity": b64(ring.identity),
        "log": b64(ring.log),
        "msign": b64(ring.msign),
        "compartments": {b64(cid): _box(box) for cid, box in ring.compartments.items()},
        "unlockers": {b64(uid): [kind, b64(public)] for uid, (kind, public) in ring.unlockers.items()},
        "grants": grants,
        "history": [[step.version, *map(b64, (step.identity, step.log, step.signature))] for step in ring.history],
    }
    return _sign(told, identity)


def sign_annex(ring: Keyring, added: Mapping[bytes, bytes], msign: Private) -> Signed:
    """Write and sign the managed compartments that were added to this version (id -> public key of generation 1)."""
    boxes = {b64(cid): b64(public) for cid, public in added.items()}
    return _sign({"format": _ANNEX, "pod": b64(ring.pod), "keyring": ring.version, "compartments": boxes}, msign)


@lru_cache(maxsize=4096)
def open_keyring(pod: bytes, identity: bytes, signed: Signed, annex: Signed | None) -> Keyring:
    """The list with its annex, both verified; nothing in it is secret. Raises SwappedKey; failures are not cached."""
    ring = _ring(_told(identity, signed, _RING, pod))
    if ring.identity != identity:
        raise SwappedKey("the keyring names another identity than the one that signed it")
    _follow(ring)
    if annex is None:
        return ring
    told = _told(ring.msign, annex, _ANNEX, pod)
    if told["keyring"] != ring.version:
        raise SwappedKey("the annex belongs to another version of the keyring")
    added = {unb64(cid): Box(MANAGED, {1: unb64(public)}) for cid, public in told["compartments"].items()}
    return replace(ring, compartments=added | dict(ring.compartments))


def annexed(annex: Signed | None) -> dict[bytes, bytes]:
    """What a verified annex adds."""
    told = json.loads(annex.body)["compartments"] if annex else {}
    return {unb64(cid): unb64(public) for cid, public in told.items()}


def digest(signed: Signed, annex: Signed | None) -> str:
    """What stands in the log at each change: SHA-256 over both bodies, each behind its length."""
    told = sha256()
    for body in (signed.body, annex.body if annex else b""):
        told.update(len(body).to_bytes(8, "big") + body)
    return told.hexdigest()


def _follow(ring: Keyring) -> None:
    """Check that each identity named the next one. Raises SwappedKey."""
    after = [*(step.identity for step in ring.history[1:]), ring.identity]
    try:
        for step, heir in zip(ring.history, after, strict=False):
            said = _succession(ring.pod, step.version, step.identity, step.log, heir)
            verify(step.identity, said, step.signature)
    except Damaged as error:
        raise SwappedKey(f"an identity of pod {ring.pod.hex()} was not named by the one before it") from error


def _succession(pod: bytes, version: int, identity: bytes, log: bytes, heir: bytes) -> bytes:
    told = {"format": _STEP, "pod": b64(pod), "version": version}
    return canonical({**told, "identity": b64(identity), "log": b64(log), "next": b64(heir)})


def _sign(told: dict[str, Any], key: Private) -> Signed:
    body = canonical(told)
    return Signed(body, sign(key, body))


def _told(public: bytes, signed: Signed, form: str, pod: bytes) -> dict[str, Any]:
    try:
        verify(public, signed.body, signed.signature)
        told: dict[str, Any] = json.loads(signed.body)
    except (Damaged, ValueError) as error:
        raise SwappedKey(f"the keyring of pod {pod.hex()} is not signed by its owner") from error
    if told["format"] != form or told["pod"] != b64(pod):
        raise SwappedKey("a keyring of something else")
    return told


def _ring(told: dict[str, Any]) -> Keyring:
    return Keyring(
        unb64(told["pod"]),
        told["version"],
        unb64(told["identity"]),
        unb64(told["log"]),
        unb64(told["msign"]),
        {
            unb64(cid): Box(box["custody"], {int(g): unb64(public) for g, public in box["keys"].items()})
            for cid, box in told["compartments"].items()
        },
        {unb64(uid): (kind, unb64(public)) for uid, (kind, public) in told["unlockers"].items()},
        {
            (unb64(grant), unb64(cid)): unb64(public)
            for grant, boxes in told["grants"].items()
            for cid, public in boxes.items()
        },
        tuple(Step(version, *map(unb64, rest)) for version, *rest in told["history"]),
    )


def _box(box: Box) -> dict[str, Any]:
    return {"custody": box.custody, "keys": {str(g): b64(public) for g, public in box.publics.items()}}
