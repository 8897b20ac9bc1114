"""Tokens and what their secrets open: token secret -> GK -> CK of each granted compartment, the last with a share.

A token's text is shown once and never stored. The database holds its handle and `auth_hash` of its secret, which
proves the secret and opens nothing.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, cast

from keys.context import ctx
from keys.dropbox import collect, deliver, public_of
from keys.errors import WrongSecret
from keys.secret import CompartmentKey, GrantKey, Private, Released, Secret, Share, derive, fresh_bytes
from keys.text import b64, unb64
from keys.tree import unwrap, wrap

TokenKind = Literal["kat", "krt", "kac", "kdc", "kss", "kln"]  # access, refresh, code, device, session, link

_TOKEN = re.compile(r"(kat|krt|kac|kdc|kss|kln)1_([\w-]{22})\.([\w-]{43})", re.ASCII)
_AUTH = ctx("auth")


@dataclass(frozen=True)
class Token:
    """A bearer secret with a handle of 16 bytes to find its row by."""

    kind: TokenKind
    handle: bytes
    secret: Secret

    @property
    def text(self) -> str:
        """What the holder is given: `<kind>1_<handle>.<secret>`, 71 characters. Never store or log it."""
        return f"{self.kind}1_{b64(self.handle)}.{b64(self.secret.view())}"


def new_token(kind: TokenKind) -> Token:
    """Make a token with a random handle and secret."""
    return Token(kind, fresh_bytes(16), Secret.fresh())


def read_token(text: str) -> Token:
    """Read a token's text. Raises WrongSecret for anything that `Token.text` does not write."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise WrongSecret("not a token")
    try:
        return Token(cast("TokenKind", found[1]), unb64(found[2]), Secret(unb64(found[3])))
    except ValueError as error:
        raise WrongSecret("not a token") from error


def auth_hash(secret: Secret) -> bytes:
    """Give what the database may hold of a token's secret: SHA-256(KEY(secret, auth)), 32 bytes."""
    with derive(secret, _AUTH) as proof:
        return sha256(proof.view()).digest()


def matches(secret: Secret, stored: bytes) -> bool:
    """Say, in constant time, whether a secret is the one whose `auth_hash` is stored."""
    return hmac.compare_digest(auth_hash(secret), stored)


def wrap_gk(secret: Secret, context: bytes, gk: GrantKey) -> bytes:
    """Wrap a grant's key for one token (context `gk`)."""
    with derive(secret, context) as key:
        return wrap(key, context, gk)


def unwrap_gk(secret: Secret, context: bytes, wrapped: bytes) -> GrantKey:
    """Open a grant's key with a token's secret. Raises Damaged for another token, client, DPoP key or grant."""
    with derive(secret, context) as key:
        return unwrap(key, context, wrapped, GrantKey)


def wrap_ck(gk: GrantKey, share: Share, context: bytes, ck: CompartmentKey) -> bytes:
    """Wrap a compartment's key for one grant, under the grant's key and share together (context `ck-grant`)."""
    with derive(gk, context, share) as key:
        return wrap(key, context, ck)


def unwrap_ck(gk: GrantKey, share: Released, context: bytes, wrapped: bytes) -> CompartmentKey:
    """Open a compartment's key. Raises Damaged without this very share, or for another purpose or version."""
    with derive(gk, context, share) as key:
        return unwrap(key, context, wrapped, CompartmentKey)


def grant_pair(gk: GrantKey, share: Share, pod: bytes, grant: bytes, compartment: bytes) -> tuple[Private, bytes]:
    """The pair to which new generations of a compartment are delivered while GK is absent.

    It follows from GK and share together and is stored nowhere; the public half stands on the keyring.
    """
    private = derive(gk, ctx("grant-pair", pod, grant, compartment), share, Private)
    return private, public_of(private)


def deliver_ck(public: bytes, context: bytes, ck: CompartmentKey) -> bytes:
    """Seal a new generation to a grant (context `ck-grant`); no secret of the grant is needed."""
    return deliver(public, context, ck)


def collect_ck(
    gk: GrantKey, share: Released, box: tuple[bytes, bytes, bytes], context: bytes, sealed: bytes
) -> CompartmentKey:
    """Open what was delivered to the pair of this box (pod, grant, compartment). Raises Damaged."""
    with grant_pair(gk, share, *box)[0] as private:
        return collect(private, context, sealed, CompartmentKey)
