"""Data sources: registered by the operator, recognised by their key, allowed to deliver and nothing else."""

import hmac
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
from vault.log.append import see
from vault.log.entry import Facts, Intent
from vault.vault import Vault

PREFIX: Final = "source-"


@dataclass(frozen=True, slots=True)
class Sender:
    """A source that proved itself for one file: its name, and the signature that stands in the log."""

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


async def recognise(vault: Vault, assertion: str, source: str, body: bytes, now: datetime) -> Sender:
    """The source behind a `private_key_jwt` whose `body_sha256` is that of these bytes.

    Raises OAuthError invalid_client, Conflict("replay") for an assertion that was used before.
    """
    client = clients.find(vault, PREFIX + source)
    if client is None or client.kind != "source":
        raise OAuthError("invalid_client", "No such source is registered.")
    checked = check_assertion(assertion, client, vault.base, now)
    claimed = read(assertion).claims.get("body_sha256")
    if not isinstance(claimed, str) or not hmac.compare_digest(claimed, b64(sha256(body).digest())):
        raise OAuthError("invalid_client", "The assertion was made for another file.")

    def once(tx: Tx) -> None:
        see(tx, checked.jti_hash, checked.until)

    await vault.db.write(once)
    return Sender(client, assertion.rpartition(".")[2])
