"""Registered apps, sealed under the state key: who they are is read before any pod is known."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from consent import columns
from consent.errors import OAuthError
from consent.oauth.clients import Client, Justification, Registration
from consent.oauth.registration import check_client
from consent.tables import ClientRow
from keys.secret import fresh_bytes
from keys.text import b64
from vault.database import Tx
from vault.errors import Conflict
from vault.log.entry import Facts, Intent, Refused
from vault.vault import Vault

PREFIX: Final = "app-"


def described(metadata: object, trust: Literal["city", "unverified"], now: datetime, client_id: str = "") -> Client:
    """An app from its registration metadata (RFC 7591 section 2, with `controller` and `purposes`).

    Without `client_id` under a new one.

    A purpose without a version gets the day as one. Raises OAuthError invalid_client_metadata.
    """
    try:
        return _described(metadata, trust, now, client_id)  # type: ignore[arg-type]
    except (AttributeError, KeyError, TypeError, ValueError) as bad:
        raise OAuthError("invalid_client_metadata", "A field is missing or has the wrong form.") from bad


def _described(
    metadata: Mapping[str, Any], trust: Literal["city", "unverified"], now: datetime, client_id: str
) -> Client:
    purposes = tuple(
        Registration(
            code=_text(one["code"]),
            version=_text(one.get("version", now.date().isoformat())),
            text={_text(language): _text(words) for language, words in one["text"].items()},
            categories=tuple(_text(name) for name in one["categories"]),
            justified=tuple(_justified(why, trust) for why in one.get("justifications", ())),
        )
        for one in metadata["purposes"]
    )
    return Client(
        client_id=client_id or PREFIX + b64(fresh_bytes(16)),
        name=_text(metadata["client_name"]),
        controller=_text(metadata["controller"]),
        redirect_uris=tuple(_text(uri) for uri in metadata["redirect_uris"]),
        jwks=tuple({_text(k): v for k, v in key.items() if isinstance(v, str)} for key in _keys(metadata["jwks"])),
        purposes=purposes,
        trust=trust,
        push_uri=_text(metadata.get("push_uri", "")),
        push_token=_text(metadata.get("push_token", "")),
    )


def metadata(client: Client) -> dict[str, Any]:
    """What the registration answers with (RFC 7591 3.2.1): the id, and the version of each purpose."""
    plain = client.to_json()
    return {
        "client_id": client.client_id,
        "client_name": client.name,
        "redirect_uris": plain["redirect_uris"],
        "jwks": {"keys": plain["jwks"]},
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "controller": client.controller,
        "purposes": plain["purposes"],
        "trust": client.trust,
        **({"push_uri": client.push_uri} if client.push_uri else {}),
    }


def near(base: str) -> bool:
    """Whether a vault with this address is one for development, which may push to its own machine."""
    return base.startswith("http://")  # settings allow plain http for localhost alone


def _justified(why: Mapping[str, Any], trust: str) -> Justification:
    """A reason as it was sent; the city approves those of the apps that it reviewed, nobody those of others."""
    rung = why["rung"]
    if type(rung) is not int:
        raise TypeError("not a rung")
    return Justification(_text(why["category"]), rung, _text(why["text"]), trust if trust == "city" else "")


def _keys(jwks: object) -> list[Any]:
    """The keys of a JWK set (RFC 7517 section 5); a single key is not one."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list):
        raise OAuthError("invalid_client_metadata", "jwks expects {keys: [...]}.")
    return keys


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def fit(vault: Vault, client: Client) -> Client:
    """The app as this vault may store it, its texts cleaned. Raises OAuthError (RFC 7591 3.2.2)."""
    checked = check_client(client)
    if checked.push_uri.startswith("http://") and not near(vault.base):
        raise OAuthError("invalid_client_metadata", "A push address on this machine is for development only.")
    return checked


async def register(vault: Vault, client: Client, now: datetime) -> Client:
    """Check and store an app, with an entry in the office's log.

    Raises OAuthError (RFC 7591 3.2.2) for what may not be registered, Conflict("exists") if the id is taken.
    """
    checked = fit(vault, client)

    def write(tx: Tx) -> None:
        if tx.get(ClientRow, checked.client_id) is not None:
            raise Conflict("exists")
        put(vault, tx, checked)

    facts = Facts(
        "admin",
        "register app",
        rule="registered",
        client=checked.client_id,
        client_name=checked.name,
        app=checked.client_id if checked.kind == "rar" else "",
        digest=b64(checked.digest()),
    )
    done = await vault.log.append(Intent(vault.office, facts, now, write=write))
    if isinstance(done, Refused):
        raise Conflict(done.reason)
    return checked


def put(vault: Vault, tx: Tx, client: Client) -> None:
    """Store an app inside a unit of the writer."""
    sealed = columns.put(vault.state, "client", client.client_id.encode(), client.to_json())
    tx.add(ClientRow(id=client.client_id, kind=client.kind, sealed=sealed))


def find(vault: Vault, client_id: str) -> Client | None:
    """The app registered under this id."""
    row = vault.db.read.get(ClientRow, client_id)
    return _read(vault, row) if row else None


def names(vault: Vault) -> dict[str, str]:
    """What every registered app and source is called, by client id."""
    return {row.id: _read(vault, row).name for row in vault.db.read.find(ClientRow) if row.kind != "solid"}


def _read(vault: Vault, row: ClientRow) -> Client:
    return Client.from_json(columns.take(vault.state, "client", row.id.encode(), row.sealed))
