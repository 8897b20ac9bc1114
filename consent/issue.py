"""Tokens of a grant: a code becomes an access and a refresh token, a refresh token more access tokens.

GK passes from one bearer secret to the next and is never stored but wrapped under one of them. Every step is one
entry and one transaction: what was shown is used up, what is issued exists, the proofs are remembered, or nothing is.
Whether the request itself is right is decided by consent.oauth.server, over values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from consent import assurance, clients, columns, endings, solid
from consent.accounts import sessions
from consent.asks import Shown, replayed
from consent.errors import CodeReused, OAuthError
from consent.grants import GrantFacts, load, token_row
from consent.lines import told
from consent.oauth import rar, server
from consent.oauth.clients import Client
from consent.oauth.dpop import RAR_ALGS, SOLID_ALGS, Proof, check_proof
from consent.oauth.idtoken import Login, make_id_token
from consent.tables import Token as TokenRow
from keys.context import ctx
from keys.errors import WrongSecret
from keys.grants import Token, TokenKind, matches, new_token, read_token, unwrap_gk
from keys.text import b64, unb64
from vault import gates
from vault.database import Tx
from vault.errors import Conflict
from vault.log.entry import Facts, Intent, Refused
from vault.vault import Vault

ACCESS_MS: Final = 300_000
UNUSED_MS: Final = 90 * gates.DAY_MS
"""A refresh token that nobody used for 90 days no longer works."""
SOLID_UNUSED_MS: Final = 14 * gates.DAY_MS
"""The same for plain Solid apps, which can keep no secret."""
CARRIED: Final[tuple[str, ...]] = ("client", "jkt", "scope", "webid", "auth_time", "session")
"""What passes from a code to the tokens it gives."""


@dataclass(frozen=True, slots=True)
class Held:
    """A token that was shown and is one of ours, live or not: its row, the grant behind it, what it is bound to.

    `sealed_for`: the key its secret was wrapped for, if that is another than the one it is bound to now. `until`: when
    the citizen's session ends (ms), for a grant that ends with it.
    """

    shown: Token
    row: TokenRow
    grant: GrantFacts
    bound: dict[str, Any]
    sealed_for: str | None = None
    until: int | None = None

    @property
    def context(self) -> bytes:
        """The context of the grant's key under this token."""
        client, jkt = self.bound["client"], self.bound["jkt"] if self.sealed_for is None else self.sealed_for
        return ctx("gk", self.row.pod, self.row.grant, self.row.kind, self.row.handle, client, jkt)

    def live(self, now: datetime) -> bool:
        """Whether it still opens something; the gate is asked again in the writer."""
        at, grant = gates.ms(now), self.grant
        if self.until is not None and at >= self.until:
            return False
        fresh = at < self.row.expires and not self.row.used and self.row.wrap is not None
        return fresh and grant.state == "live" and self.row.epoch == grant.epoch and at < grant.terms.expires


def hold(vault: Vault, text: str, kind: TokenKind) -> Held | None:
    """The token with this text, or None: malformed, of another kind, unknown and forged are all the same."""
    try:
        shown = read_token(text)
    except WrongSecret:
        return None
    row = vault.db.read.get(TokenRow, shown.handle)
    if shown.kind != kind or row is None or row.kind != kind or not matches(shown.secret, row.auth):
        return None
    grant = load(vault, row.grant)
    if grant is None:
        return None
    bound = columns.take(grant.pod.control, "token", row.handle, row.sealed)
    until = sessions.until(vault, unb64(bound["session"])) if "session" in bound else None
    return Held(shown, row, grant, bound, until=until)


def asker(vault: Vault, form: Mapping[str, str]) -> str:
    """The client to which the code or refresh token in a form is bound; "" if it is none of ours."""
    held = hold(vault, form.get("code", ""), "kac") or hold(vault, form.get("refresh_token", ""), "krt")
    return str(held.bound["client"]) if held else ""


async def answer(
    vault: Vault, request: server.TokenRequest, dpop: list[bytes], now: datetime, client: Client | None = None
) -> dict[str, Any]:
    """The token endpoint's answer (RFC 6749 5.1, RFC 9396 7). Raises OAuthError; what concerns a pod is in its log.

    A code shown twice ends the grant it gave. `client`: an app that is registered nowhere, from its own document.
    """
    client = client or clients.find(vault, server.claimed(request))
    algs = SOLID_ALGS if client is not None and client.kind == "solid" else RAR_ALGS
    proof = check_proof(dpop, request.method, request.url, now, algs=algs)
    code = hold(vault, request.form.get("code", ""), "kac")
    old = hold(vault, request.form.get("refresh_token", ""), "krt")
    code = _for_any_key(code, proof)
    decision = await _decide(vault, request, client, code, old, proof, now)
    shown = Shown(proof, decision.authenticated.assertion)
    if decision.kind == "client_credentials":
        text, seconds = await solid.token(vault, decision.authenticated.client, shown, now)
        return {"access_token": text, "token_type": "DPoP", "expires_in": seconds, "scope": decision.scope}
    held = code if decision.kind == "code" else old
    if held is not None and held.grant.state == "restricted":
        await _refused(vault, held, "restricted", now)
        raise OAuthError("access_denied", "The citizen restricted this grant; its tokens rest until she lifts that.")
    if held is None or not held.live(now):
        raise await _refused(vault, held, "invalid_grant", now)
    if held.grant.terms.client_hash not in ("", b64(decision.authenticated.client.digest())):
        raise await _refused(vault, held, "client changed", now)
    if decision.kind == "code":
        return await _exchange(vault, held, decision.include_refresh, shown, now)
    return await _refresh(vault, held, shown, now)


async def revoke(vault: Vault, client: Client, text: str, now: datetime) -> None:
    """The app gives a token back (RFC 7009): with a refresh token or a code the whole grant, else that token alone.

    Unknown tokens are silently left alone; that of somebody else's app too, which is in the log of its pod.
    """
    held = next((one for kind in ("kat", "krt", "kac") if (one := hold(vault, text, kind))), None)
    if held is None:
        return
    if held.bound["client"] != client.client_id:
        await _refused(vault, held, "other client", now, "revoke")
        return
    if held.row.kind != "kat":
        await endings.revoke(vault, held.grant, now)
        return
    facts = told(held.grant.terms, held.grant.id, "key event", "revoke token", "client")
    handle = held.row.handle

    def write(tx: Tx) -> None:
        tx.change(TokenRow, {"handle": handle}, wrap=None)

    await vault.log.append(Intent(held.grant.pod.id, facts, now, write=write))


def introspect(vault: Vault, client: Client, text: str, now: datetime) -> dict[str, Any]:
    """What a token of this very client stands for (RFC 7662); anything else is `active: false`."""
    held = hold(vault, text, "kat") or hold(vault, text, "krt")
    if held is None or held.bound["client"] != client.client_id or not held.live(now):
        return {"active": False}
    return {
        "active": True,
        "client_id": client.client_id,
        "exp": min(held.row.expires, held.grant.terms.expires) // 1000,
        "iss": vault.base,
        "token_type": "DPoP" if held.row.kind == "kat" else "refresh_token",
        "cnf": {"jkt": held.bound["jkt"]},
        **assurance.shown(held.grant.terms),
        **_about(vault, held.grant),
    }


async def _decide(
    vault: Vault,
    request: server.TokenRequest,
    client: Client | None,
    code: Held | None,
    old: Held | None,
    proof: Proof,
    now: datetime,
) -> server.TokenDecision:
    """The decision of consent.oauth.server; a refusal that concerns one of our tokens is in its pod's log."""
    try:
        return server.decide_token(request, client, _code(code), _old(old), proof, now)
    except CodeReused:
        if code is not None:
            await endings.reused(vault, code.grant, now)
        raise
    except OAuthError as refused:
        held = code or old or _offered(vault, request)
        if held is None or refused.code == "invalid_client":  # who it was is not known: the office's log has it
            raise
        grant = refused.code == "invalid_grant"
        said = await _refused(vault, held, _why(held, client, proof) if grant else refused.code, now)
        raise (said if grant else refused) from refused


def _offered(vault: Vault, request: server.TokenRequest) -> Held | None:
    """A token of ours that somebody wants to change for another one (RFC 8693), which is refused here."""
    text = request.form.get("subject_token", "")
    return hold(vault, text, "kat") or hold(vault, text, "krt")


async def _exchange(vault: Vault, held: Held, with_refresh: bool, shown: Shown, now: datetime) -> dict[str, Any]:
    solid_kind = held.grant.terms.kind == "solid"
    kinds: tuple[TokenKind, ...] = (
        () if solid_kind else ("kat",)
    )  # a plain Solid app gets a JWT, which no row stands for
    if with_refresh and held.grant.terms.mode != "once":
        kinds = (*kinds, "krt")
    tokens = [new_token(kind) for kind in kinds]
    rows = _rows(held, tokens, now)

    def write(tx: Tx) -> None:
        if tx.change(TokenRow, {"handle": held.row.handle, "used": False}, used=True, wrap=None) != 1:
            raise Conflict("code_reused")
        shown.remember(tx)
        for row in rows:
            tx.add(row)

    await _append(vault, held, "token", write, now)
    more = {"refresh_token": tokens[-1].text} if "krt" in kinds else {}
    told = _login(vault, held, now) if solid_kind else _issued(vault, held, tokens[0], rows[0], now)
    return {**told, **more}


async def _refresh(vault: Vault, held: Held, shown: Shown, now: datetime) -> dict[str, Any]:
    """One more access token; the refresh token stays as it is (FAPI 2.0, 5.3.2.1) and lives on from this use."""
    solid_kind = held.grant.terms.kind == "solid"
    access = [] if solid_kind else [new_token("kat")]
    rows, until = _rows(held, access, now), min(held.grant.terms.expires, gates.ms(now) + _unused(held))

    def write(tx: Tx) -> None:
        shown.remember(tx)
        tx.change(TokenRow, {"handle": held.row.handle}, expires=until)
        for row in rows:
            tx.add(row)

    await _append(vault, held, "refresh", write, now)
    return _login(vault, held, now) if solid_kind else _issued(vault, held, access[0], rows[0], now)


def _rows(held: Held, tokens: list[Token], now: datetime) -> list[TokenRow]:
    """The new tokens' rows; the grant's key is open for the length of this function."""
    at, grant = gates.ms(now), held.grant
    lives = {"kat": at + ACCESS_MS, "krt": at + _unused(held)}
    bound = {name: held.bound[name] for name in CARRIED if name in held.bound}
    with unwrap_gk(held.shown.secret, held.context, held.row.wrap or b"") as gk:
        ends = [min(grant.terms.expires, lives[token.kind]) for token in tokens]
        return [
            token_row(grant.pod, grant.id, token, gk, bound, grant.epoch, end)
            for token, end in zip(tokens, ends, strict=True)
        ]


async def _append(vault: Vault, held: Held, action: str, write: Any, now: datetime) -> None:
    grant = held.grant
    facts = told(grant.terms, grant.id, "key event", action, "grant")
    done = await vault.log.append(Intent(grant.pod.id, facts, now, guards=(grant.guard,), write=write))
    if not isinstance(done, Refused):
        return
    if done.reason == "code_reused":
        await endings.reused(vault, grant, now)
        raise CodeReused
    raise replayed(done.reason) or OAuthError("invalid_grant", "The grant has ended.")


async def _refused(vault: Vault, held: Held | None, rule: str, now: datetime, action: str = "token") -> OAuthError:
    if held is not None:
        grant = held.grant
        facts: Facts = replace(told(grant.terms, grant.id, "denial", action, rule), decision="denied")
        await vault.log.append(Intent(grant.pod.id, facts, now))
    return OAuthError("invalid_grant", "The code or token is not valid for this client and key.")


def _why(held: Held | None, client: Client | None, proof: Proof) -> str:
    """The rule a citizen reads in her log."""
    if held is None or client is None or held.bound["client"] != client.client_id:
        return "other client"
    return "other key" if held.bound["jkt"] != proof.jkt else "invalid_grant"


def _for_any_key(code: Held | None, proof: Proof) -> Held | None:
    """A code of an app that named no key is redeemed by the key that comes with it; PKCE says that it is the app's."""
    if code is None or code.bound["jkt"]:
        return code
    return replace(code, bound=code.bound | {"jkt": proof.jkt}, sealed_for="")


def _unused(held: Held) -> int:
    return SOLID_UNUSED_MS if held.grant.terms.kind == "solid" else UNUSED_MS


def _login(vault: Vault, held: Held, now: datetime) -> dict[str, Any]:
    """The answer for a plain Solid app: a JWT, and an ID token that says who logged in."""
    bound = held.bound
    text, seconds = solid.access(vault, held.grant, bound["webid"], bound["jkt"], now)
    login = Login(bound["webid"], bound["client"], bound["jkt"], bound["auth_time"], bound.get("nonce"))
    told = make_id_token(login, vault.base, text, vault.issuer, now)
    answered = {"access_token": text, "token_type": "DPoP", "expires_in": seconds}
    return {**answered, "scope": bound["scope"], "id_token": told}


def _issued(vault: Vault, held: Held, access: Token, row: TokenRow, now: datetime) -> dict[str, Any]:
    seconds = max(1, (row.expires - gates.ms(now)) // 1000)
    scope = {"scope": held.bound["scope"]} if held.bound["scope"] else {}
    answered = {"access_token": access.text, "token_type": "DPoP", "expires_in": seconds}
    return {**answered, **scope, **_about(vault, held.grant)}


def _about(vault: Vault, grant: GrantFacts) -> dict[str, Any]:
    return {"grant_id": b64(grant.id), "authorization_details": rar.granted(grant.terms, vault.base)}


def _code(held: Held | None) -> server.CodeFacts | None:
    if held is None:
        return None
    bound, row = held.bound, held.row
    return server.CodeFacts(
        row.handle,
        bound["client"],
        bound["redirect_uri"],
        bound["challenge"],
        bound["jkt"],
        row.expires,
        row.used,
        bound["scope"],
    )


def _old(held: Held | None) -> server.RefreshFacts | None:
    if held is None:
        return None
    bound, row = held.bound, held.row
    return server.RefreshFacts(row.handle, bound["client"], bound["jkt"], row.expires, bound["scope"])
