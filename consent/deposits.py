"""Data sources: registered by the operator, recognised by their key, allowed to deliver and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from consent import clients
from consent.errors import OAuthError
from consent.jws import read
from consent.oauth.clients import Client, check_assertion
from keys.text import b64
from vault.database import Tx
from vault.errors import Conflict
from vault.log import tally
from vault.log.append import see
from vault.log.entry import Facts, Intent
from vault.vault import Vault

PREFIX: Final = "source-"


@dataclass(frozen=True, slots=True)
class Sender:
    """A source that proved itself for one file, and the assertion (compact JWS) that the citizen's record keeps."""

    client: Client
    signature: str


async def register(vault: Vault, name: str, jwks: tuple[Mapping[str, str], ...], now: datetime) -> Client:
    """Register a source under `source-<name>`; one that is there already is left as it is."""
    client = Client(PREFIX + name, name, controller=vault.base, jwks=jwks, trust="city", kind="source")
    known = clients.find(vault, client.client_id)
    if known is not None:
        return known
    facts = Facts(
        "admin", "register source", rule="registered", client=client.client_id, client_name=name, app=client.client_id
    )
    await vault.log.append(Intent(vault.office, facts, now, write=lambda tx: clients.put(vault, tx, client)))
    return client


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a source signs for beside its file: whose pod, which person of the file, and to store what is good of it."""

    pod: str | None = None
    patron: str | None = None
    keep_good: bool = False


async def recognise(
    vault: Vault, assertion: str, source: str, body: bytes, delivery: Delivery, now: datetime
) -> Sender:
    """The source behind a `private_key_jwt` that was made for these bytes and this delivery.

    Its claims `body_sha256`, `pod`, `patron` and `keep_good` (the last three may be absent: none, none, false) say so.
    Raises OAuthError invalid_client, Conflict("replay") for an assertion that was used before: each a denial in the log
    of the pod that it was for.
    """
    try:
        return await _recognised(vault, assertion, source, body, delivery, now)
    except OAuthError as refused:
        await turned_away(vault, delivery.pod, refused.code, now)
        raise
    except Conflict as refused:
        await turned_away(vault, delivery.pod, refused.reason, now)
        raise


async def turned_away(vault: Vault, pod: str | None, why: str, now: datetime) -> None:
    """Count a delivery that was refused: in its citizen's log, in the office's where there is no such citizen."""
    found = vault.pod(pod) if pod else None
    counted = found.id if found is not None and found.kind == "citizen" else vault.office
    await tally.add(vault.log, counted, why, now, "append")


async def _recognised(
    vault: Vault, assertion: str, source: str, body: bytes, delivery: Delivery, now: datetime
) -> Sender:
    client = clients.find(vault, PREFIX + source)
    if client is None or client.kind != "source":
        raise OAuthError("invalid_client", "No such source is registered.")
    checked = check_assertion(assertion, client, vault.base, now)
    claims = read(assertion).claims
    if claims.get("body_sha256") != b64(sha256(body).digest()):
        raise OAuthError("invalid_client", "The assertion was made for another file.")
    said = Delivery(claims.get("pod"), claims.get("patron"), claims.get("keep_good", False))
    if said != delivery or said.keep_good is not delivery.keep_good:
        raise OAuthError("invalid_client", "The assertion was made for another pod, person or way of storing.")

    def once(tx: Tx) -> None:
        see(tx, checked.jti_hash, checked.until)

    await vault.db.write(once)
    return Sender(client, assertion)
