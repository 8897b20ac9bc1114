"""Passkeys: what a browser is asked and what of its answer is taken (WebAuthn level 3, with the PRF extension).

Asked and checked: our host as RP ID, exactly our origin, no frame of another site, the person verified by her device,
a challenge that this process made for this purpose and this browser. What comes out of PRF is the unlocker's seed; the
signature only decides whether it is tried at all. A device without PRF cannot hold a key, so it is no unlocker.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    encode_cbor,
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_authenticator_data,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from consent.accounts.people import AccountFacts, Passkey
from consent.errors import BadCeremony
from keys.errors import Misuse
from keys.mark import check, mark
from keys.secret import Seed, fresh_bytes
from keys.text import b64, unb64
from keys.unlock import prf_salt
from vault import gates

LIFE_MS: Final = 15 * 60_000
LONGEST_ID: Final = 1023  # bytes of a credential id (WebAuthn 4)
_NONCE: Final = 16
_CHALLENGE: Final = b"passkey challenge"
_PLAIN: Final = frozenset({"none", "packed"})  # no attestation is asked for, so nobody's certificates are read
_G: Final = (
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
)
# The generator of P-256 as a COSE key: whoever is unknown is checked against this one, at the same cost.
NOBODY: Final = Passkey(b"", encode_cbor({1: 2, 3: -7, -1: 1, -2: bytes.fromhex(_G[0]), -3: bytes.fromhex(_G[1])}), 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser sent: the credential as JSON and, beside it, what PRF gave (32 bytes, base64url)."""

    credential: str = field(repr=False)
    prf: str = field(repr=False)

    def seed(self) -> Seed:
        """The unlocker's seed. Raises BadCeremony("no_prf") for a device that gave none."""
        try:
            return Seed(unb64(self.prf))
        except (ValueError, Misuse):
            raise BadCeremony("no_prf") from None


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge that was answered: its bytes, the nonce by which it is used up, and until when (ms) it counts."""

    data: bytes
    nonce: bytes
    until: int


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a challenge is for (login, add, confirm, consent), what it was made for (the browser's cookie or session
    handle, a request and what was shown of it), and how long (ms) it counts.
    """

    name: str
    bound: bytes
    life: int = LIFE_MS


def challenge(purpose: Purpose, now: datetime) -> bytes:
    """Make a challenge (56 bytes) that only this process, for this purpose and browser, takes back."""
    nonce, until = fresh_bytes(_NONCE), (gates.ms(now) + purpose.life).to_bytes(8, "big")
    return nonce + until + mark(_CHALLENGE, purpose.name.encode(), purpose.bound, nonce, until)


def host(base: str) -> str:
    """The RP ID: the host of our address."""
    return urlsplit(base).hostname or ""


def request_options(base: str, account: AccountFacts | None, challenge_: bytes) -> str:
    """What to ask for (PublicKeyCredentialRequestOptions as JSON): any passkey of ours, or those of one account."""
    options = generate_authentication_options(
        rp_id=host(base),
        challenge=challenge_,
        timeout=LIFE_MS,
        allow_credentials=[] if account is None else _descriptors(account),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _with_prf(options_to_json(options), base)


def creation_options(base: str, account: AccountFacts, challenge_: bytes) -> str:
    """What to make (PublicKeyCredentialCreationOptions as JSON): a passkey that finds its account by itself."""
    options = generate_registration_options(
        rp_id=host(base),
        rp_name="Kluis",
        user_name=account.user,
        user_id=account.id,
        user_display_name=account.name or account.user,
        challenge=challenge_,
        timeout=LIFE_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(account),
    )
    return _with_prf(options_to_json(options), base)


def credential_of(answer: Answer) -> bytes:
    """The credential an answer names, unverified; b"" if it names none."""
    return _named(answer, ("id",), LONGEST_ID)


def account_of(answer: Answer) -> bytes:
    """The account an answer names, unverified; b"" if it names none."""
    return _named(answer, ("response", "userHandle"), 64)


def answered(answer: Answer, purpose: Purpose, now: datetime) -> Challenge:
    """The challenge behind an answer. Raises BadCeremony("stale_challenge") for one we did not make, or too old."""
    try:
        client = parse_client_data_json(unb64(json.loads(answer.credential)["response"]["clientDataJSON"]))
        data = bytes(client.challenge)
    except Exception as error:  # a stranger's bytes: whatever the library makes of them is a refusal
        raise BadCeremony("stale_challenge") from error
    nonce, until, tag = data[:_NONCE], data[_NONCE : _NONCE + 8], data[_NONCE + 8 :]
    made = check(tag, _CHALLENGE, purpose.name.encode(), purpose.bound, nonce, until)
    if not made or gates.ms(now) >= int.from_bytes(until, "big"):
        raise BadCeremony("stale_challenge")
    return Challenge(data, nonce, int.from_bytes(until, "big"))


def registered(base: str, answer: Answer, asked: Challenge) -> Passkey:
    """The passkey that an answer to `creation_options` made. Raises BadCeremony."""
    try:
        told = parse_registration_credential_json(answer.credential).response
        made = parse_attestation_object(told.attestation_object)
        _at_home(base, told.client_data_json, made.auth_data.rp_id_hash)
        if made.fmt not in _PLAIN or made.att_stmt.x5c:
            raise BadCeremony("not_verified")
        done = verify_registration_response(
            credential=answer.credential,
            expected_challenge=asked.data,
            expected_rp_id=host(base),
            expected_origin=base,
            require_user_verification=True,
        )
    except BadCeremony:
        raise
    except Exception as error:  # a stranger's bytes: whatever the library makes of them is a refusal
        raise BadCeremony("not_verified") from error
    if len(done.credential_id) > LONGEST_ID:
        raise BadCeremony("not_verified")
    return Passkey(done.credential_id, done.credential_public_key, done.sign_count)


def used(base: str, answer: Answer, asked: Challenge, passkey: Passkey) -> int:
    """How often the passkey says it was used, this time included. Raises BadCeremony.

    A count that does not grow means a copy of the passkey, or of its answer, is about (WebAuthn 6.1.1): refused, once
    the signature shows that it is no mere invention. Passkeys that are kept on several devices always say 0.
    """
    try:
        told = parse_authentication_credential_json(answer.credential).response
        _at_home(base, told.client_data_json, parse_authenticator_data(told.authenticator_data).rp_id_hash)
        done = verify_authentication_response(
            credential=answer.credential,
            expected_challenge=asked.data,
            expected_rp_id=host(base),
            expected_origin=base,
            credential_public_key=passkey.key,
            credential_current_sign_count=0,  # compared below, so that the log can name it
            require_user_verification=True,
        )
    except BadCeremony:
        raise
    except Exception as error:  # a stranger's bytes: whatever the library makes of them is a refusal
        raise BadCeremony("not_verified") from error
    if done.credential_id != passkey.credential:
        raise BadCeremony("unknown_passkey")
    if (done.new_sign_count or passkey.count) and done.new_sign_count <= passkey.count:
        raise BadCeremony("sign_count")
    return done.new_sign_count


def _at_home(base: str, client_data: bytes, rp_id_hash: bytes) -> None:
    """Name the two refusals a person should hear of: another website asked, or it asked for another site's passkey."""
    client = parse_client_data_json(client_data)
    if client.origin != base or client.cross_origin:
        raise BadCeremony("wrong_origin")
    if rp_id_hash != sha256(host(base).encode()).digest():
        raise BadCeremony("other_site")


def _descriptors(account: AccountFacts) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=way.passkey.credential) for way in account.ways if way.passkey]


def _with_prf(options: str, base: str) -> str:
    told: dict[str, Any] = json.loads(options)
    told["extensions"] = {"prf": {"eval": {"first": b64(prf_salt(host(base)))}}}
    return json.dumps(told)


def _named(answer: Answer, path: Iterable[str], longest: int) -> bytes:
    try:
        told: Any = json.loads(answer.credential)
        for part in path:
            told = told[part]
        data = unb64(told)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return b""
    return data if len(data) <= longest else b""
