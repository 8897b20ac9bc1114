"""A grant as its citizen signed it: her pod's identity signs a blinded commitment to the terms.

So nobody with the database, nor the server with its own keys, can widen what she decided. A person's own credentials
(kind `solid`, managed compartments only) are made while she may be away and signed by the managed signing key that her
identity put on the keyring. The signature can be checked without any key; the terms behind it by who can open them.
"""

from contextlib import suppress
from functools import lru_cache
from typing import Any

import orjson

from consent import columns
from consent.tables import Grant
from consent.terms import Terms
from keys.errors import Damaged
from keys.records import commitment
from keys.secret import Private, fresh_bytes
from keys.sign import sign, signer_public, verify
from keys.state import open_column
from keys.text import b64, canonical, unb64
from vault.database import Tx
from vault.errors import DamagedItem
from vault.log.grantform import DOMAIN, message
from vault.vault import PodFacts, Vault


def row(pod: PodFacts, grant: bytes, version: int, created: int, terms: Terms, signer: Private) -> Grant:
    """The decision, sealed and signed."""
    nonce, plain = fresh_bytes(32), terms.to_json()
    blinded = commitment(DOMAIN, nonce, canonical(plain))
    return Grant(
        id=grant,
        pod=pod.id,
        version=version,
        created=created,
        sealed=columns.put(pod.control, "grant", grant, plain | {"nonce": b64(nonce)}),
        commitment=blinded,
        signature=sign(signer, message(pod.id, grant, version, created, blinded)),
    )


def read(vault: Vault, pod: PodFacts, stored: Grant) -> Terms:
    """The terms, if they are those that were signed. Raises DamagedItem naming the grant."""
    plain = open_column(pod.control, "grant", stored.id, "sealed", stored.sealed)
    told: dict[str, Any] = orjson.loads(plain)
    told.pop("nonce", None)
    if told.get("kind") == "solid":
        good = _signed(vault.keyring(pod).msign, stored, plain)
    else:  # the second look is for facts read before all locks were changed
        good = _signed(pod.identity, stored, plain) or _signed(vault.keyring(pod).identity, stored, plain)
    if not good:
        raise DamagedItem(f"grant {stored.id.hex()} is not the one its citizen signed")
    return Terms.from_json(told)


def _signed(signer: bytes, stored: Grant, plain: bytes) -> bool:
    said = message(stored.pod, stored.id, stored.version, stored.created, stored.commitment)
    try:
        _check(signer, said, stored.signature, stored.commitment, plain)
    except (Damaged, KeyError, ValueError):
        return False
    return True


def again(tx: Tx, pod: bytes, *heirs: tuple[Private, Private]) -> None:
    """Sign the grants of a pod anew: whatever the first key of a pair had signed, the second one signs.

    A grant that none of them had signed stays as refused as it was.
    """
    publics = [(signer_public(old), new) for old, new in heirs]
    for row in tx.find(Grant, pod=pod):
        said = message(pod, row.id, row.version, row.created, row.commitment)
        for public, new in publics:
            with suppress(Damaged):
                verify(public, said, row.signature)
                tx.change(Grant, {"id": row.id}, signature=sign(new, said))


@lru_cache(maxsize=8192)
def _check(signer: bytes, said: bytes, signature: bytes, blinded: bytes, plain: bytes) -> None:
    """Remembered for exactly these bytes, so that the gate pays for it once; failures are not remembered."""
    verify(signer, said, signature)
    told = orjson.loads(plain)
    if commitment(DOMAIN, unb64(told.pop("nonce")), canonical(told)) != blinded:
        raise Damaged("other terms")
