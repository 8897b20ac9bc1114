"""Clients that register themselves (RFC 7591), and change or delete themselves with a token of their own (RFC 7592).

Anybody may register a plain Solid app, so such a client is forgotten unless somebody logs in with it: after 30 days, or
sooner when very many wait. No line of the log is written for it: it touches no pod, and a flood must not fill the log.
A change of what people saw is another client to them: its old grants give nothing more until they are asked again.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from consent import clients
from consent.errors import OAuthError
from consent.oauth.clients import Client
from consent.oauth.registration import check_client
from consent.tables import ClientRow, Registered
from keys.secret import fresh_bytes
from keys.text import b64
from vault import gates
from vault.database import Tx
from vault.log.entry import Facts, Intent
from vault.vault import Vault

PREFIX: Final = "web-"
WAITS: Final = timedelta(days=30)
USED_MS: Final = 366 * gates.DAY_MS
"""No grant lasts longer."""
MOST: Final = 10_000
"""How many registered Solid apps that nobody has used yet are kept; beyond it the oldest goes."""
_WAITING: Final = """
SELECT id FROM registered WHERE id LIKE 'web-%' AND until <= :until ORDER BY until DESC LIMIT -1 OFFSET :most
"""
_OVER: Final = "SELECT id FROM registered WHERE until < :now"
_METHODS: Final = frozenset({"none", "client_secret_basic", "client_secret_post"})


def is_solid(metadata: object) -> bool:
    """Whether this describes a plain Solid app: neither purposes, nor keys to prove itself with."""
    return isinstance(metadata, dict) and metadata.keys().isdisjoint({"purposes", "jwks", "controller"})


def described(metadata: Mapping[str, Any], client_id: str = "") -> Client:
    """A Solid app from its metadata, always as a public client. Raises OAuthError (RFC 7591 3.2.2).

    Who asks for a secret gets none: the answer says `none`, as RFC 7591 3.2.1 lets a server do.
    """
    returns = _texts(metadata, "redirect_uris")
    if not returns:
        raise OAuthError("invalid_redirect_uri", "A client needs redirect URIs.")
    host = urlsplit(returns[0]).netloc
    name = metadata.get("client_name", host)
    if not isinstance(name, str):
        raise OAuthError("invalid_client_metadata", "client_name is no text.")
    if metadata.get("token_endpoint_auth_method", "none") not in _METHODS:
        raise OAuthError("invalid_client_metadata", "A Solid app is a public client.")
    return check_client(
        Client(
            client_id=client_id or PREFIX + b64(fresh_bytes(16)),
            name=name,
            controller=f"{urlsplit(returns[0]).scheme}://{host}/",
            redirect_uris=returns,
            kind="solid",
            goodbyes=_texts(metadata, "post_logout_redirect_uris"),
        )
    )


def _texts(metadata: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = metadata.get(name, [])
    if not isinstance(value, list) or len(value) > 16 or not all(isinstance(one, str) for one in value):
        raise OAuthError("invalid_client_metadata", f"{name} is no list of texts.")
    return tuple(value)


def metadata(client: Client) -> dict[str, Any]:
    """What a client is told about itself (RFC 7591 3.2.1)."""
    if client.kind == "rar":
        return clients.metadata(client) | {"require_pushed_authorization_requests": True}
    return {
        "client_id": client.client_id,
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "post_logout_redirect_uris": list(client.goodbyes),
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid webid offline_access",
        "id_token_signed_response_alg": "ES256",
        "dpop_bound_access_tokens": True,
    }


async def enter(vault: Vault, client: Client, now: datetime) -> str:
    """Store a checked Solid app that is new and return its registration access token."""
    token, until = b64(fresh_bytes(32)), gates.ms(now + WAITS)

    def write(tx: Tx) -> None:
        clients.put(vault, tx, client)
        tx.add(Registered(id=client.client_id, auth=_hash(token), until=until))
        _forget(tx, tx.run(_WAITING, until=until, most=MOST))

    await vault.db.write(write)
    return token


async def entrust(vault: Vault, client: Client) -> str:
    """A registration access token for an app that a developer registered (consent.clients)."""
    token = b64(fresh_bytes(32))
    row = Registered(id=client.client_id, auth=_hash(token), until=2**53)
    await vault.db.write(lambda tx: tx.add(row))
    return token


def known(vault: Vault, client_id: str, token: str) -> Client:
    """The client whose registration access token this is. Raises OAuthError invalid_token for anything else."""
    row = vault.db.read.get(Registered, client_id)
    client = clients.find(vault, client_id)
    if row is None or client is None or not hmac.compare_digest(row.auth, _hash(token)):
        raise OAuthError("invalid_token", "The registration access token is not valid.")
    return client


async def change(vault: Vault, new: Client, now: datetime) -> None:
    """Store what a client says about itself now (RFC 7592 2.2), `new` checked."""

    def write(tx: Tx) -> None:
        tx.remove(ClientRow, id=new.client_id)
        clients.put(vault, tx, new)

    await _done(vault, new, "change app", write, now)


async def delete(vault: Vault, client: Client, now: datetime) -> None:
    """The client takes itself back (RFC 7592 2.3): none of its tokens is renewed any more."""
    await _done(vault, client, "remove app", lambda tx: _forget(tx, [(client.client_id,)]), now)


async def _done(vault: Vault, client: Client, action: str, write: Callable[[Tx], None], now: datetime) -> None:
    """One unit; about an app that may ask for data the office's log says so."""
    if client.kind != "rar":
        await vault.db.write(write)
        return
    app, digest = client.client_id, b64(client.digest())
    facts = Facts("admin", action, rule="registered", client=app, client_name=client.name, app=app, digest=digest)
    await vault.log.append(Intent(vault.office, facts, now, write=write))


def _forget(tx: Tx, ids: Iterable[tuple[Any, ...]]) -> None:
    for (one,) in ids:
        tx.remove(ClientRow, id=one)
        tx.remove(Registered, id=one)
        tx.shut.add(one.encode())  # nobody listens for an app that is no more


def hold(tx: Tx, client_id: str, at: int) -> None:
    """Keep a client beyond any grant it is given now (ms), inside the unit that gives it. Others are left alone.

    Until the end of a block of 30 days a year and more ahead: a grant's own end beside its app would tell whose it is.
    """
    row, block = tx.get(Registered, client_id), int(WAITS.total_seconds() * 1000)
    until = ((at + USED_MS) // block + 2) * block
    if row is not None and row.until < until:
        tx.change(Registered, {"id": client_id}, until=until)


async def sweep(vault: Vault, now: datetime) -> None:
    """Forget the clients that nobody used in time."""
    await vault.db.write(lambda tx: _forget(tx, tx.run(_OVER, now=gates.ms(now))))


def _hash(token: str) -> bytes:
    return sha256(b"kluis/registration/v1\0" + token.encode()).digest()
