"""Consent receipts: ISO/IEC TS 27560 fields in DPV's eu-gdpr profile, canonical JSON, sealed as a JWS.

One document for the citizen and for the controller, with one digest; it tells the terms, never any data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from consent import categories, purposes
from consent.errors import OAuthError
from consent.jws import BadJws, make, read
from consent.terms import Datum, Terms
from keys.text import b64, canonical

SCHEMA_VERSION: Final = "urn:kluis:receipt:1"
TYP: Final = "consent-receipt+jwt"
_STATES: Final[Mapping[str, str]] = {
    "requested": "dpv:ConsentRequested",
    "given": "dpv:ConsentGiven",
    "renewed": "dpv:RenewedConsentGiven",
    "amended": "dpv:RenewedConsentGiven",
    "refused": "dpv:ConsentRefused",
    "withdrawn": "dpv:ConsentWithdrawn",
    "ended": "dpv:ConsentRevoked",
    "expired": "dpv:ConsentExpired",
    "used_up": "dpv:ConsentExpired",
    "invalidated": "dpv:ConsentInvalidated",
    "objected": "eu-gdpr:A21",
}
_AUTHORITIES: Final = (
    {"name": "Gegevensbeschermingsautoriteit", "url": "https://www.gegevensbeschermingsautoriteit.be"},
    {"name": "Vlaamse Toezichtcommissie"},
)
_EXPRESSED: Final = "dpv:ExplicitlyExpressedConsent"
_RIGHTS: Final = tuple(f"eu-gdpr:A{article}" for article in ("15", "16", "17", "18", "20", "21", "77"))


@dataclass(frozen=True, slots=True)
class Notice:
    """What was on the screen: SHA-256 of the shown notice (base64url), its language, and the version of the page."""

    digest: str
    language: str = "nl"
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A finished receipt: the document, its digest (SHA-256 of canonical JSON, base64url) and its compact JWS."""

    document: Mapping[str, Any]
    digest: str
    jws: str


def issue(
    key: Mapping[str, Any], terms: Terms, grant: str, state: str, now: datetime, notice: Notice | None = None
) -> Receipt:
    """Make and seal the receipt of one step of a grant; ``key`` is our private ES256 JWK, ``grant`` its shown id."""
    document = receipt(terms, grant, state, now, notice)
    return Receipt(document, digest(document), seal_receipt(document, key))


def receipt(terms: Terms, grant: str, state: str, now: datetime, notice: Notice | None = None) -> dict[str, Any]:
    """The receipt of one step (``given``, ``withdrawn``, ...); raises ``KeyError`` for a state without a DPV name."""
    shown = None if notice is None else {"digest": notice.digest, "version": notice.version}
    return {
        "@context": {"dpv": purposes.DPV, "eu-gdpr": purposes.GDPR, "pd": purposes.PD, "kluis": "urn:kluis:ns:"},
        "schema_version": SCHEMA_VERSION,
        "record_id": grant,
        "pii_principal_id": terms.pod,
        "privacy_notice": shown,
        "language": notice.language if notice else "nl",
        "pii_processing": [_processing(terms)],
        "party_identification": _parties(terms),
        "event": _event(terms, state, now),
    }


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON, in base64url; the same for every copy of the receipt."""
    return b64(sha256(canonical(dict(document))).digest())


def seal_receipt(document: Mapping[str, Any], key: Mapping[str, Any]) -> str:
    """The receipt as a compact JWS (ES256) over canonical JSON; ``key`` is a private JWK with ``kid``."""
    return make({"typ": TYP}, document, key)


def open_receipt(sealed: str, jwk: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a sealed receipt, verified under our public key; raises ``OAuthError`` ``invalid_request``."""
    try:
        jws = read(sealed)
        jws.verify(jwk, frozenset({"ES256"}))
    except BadJws as bad:
        raise OAuthError("invalid_request", "The receipt does not verify.") from bad
    if jws.header.get("typ") != TYP:
        raise OAuthError("invalid_request", "This is not a receipt.")
    return dict(jws.claims)


def _processing(terms: Terms) -> dict[str, Any]:
    return {
        "purpose": dict(terms.purpose_text),
        "purpose_type": terms.purpose_code,
        "purpose_version": terms.purpose_version,
        "lawful_basis": terms.legal_basis,
        "pii_information": [_information(datum) for datum in terms.data],
        "containers": list(terms.containers),
        "access_modes": list(terms.modes),
        "actions": list(terms.actions),
        "pii_controllers": [terms.controller],
        "collection_method": "pod",
        "processing_method": list(terms.processing),
        "automated_decision": terms.automated,
        "storage_locations": None if terms.storage is None else dict(terms.storage),
        "retention_period": terms.retention,
        "recipient_third_parties": [dict(one) for one in terms.recipients],
        "withdrawal_method": "/me/access",
        "may_withdraw": purposes.withdrawable(terms.legal_basis),
        "privacy_rights": list(_RIGHTS),
        "jurisdiction": "BE",
        "authority_party": [dict(one) for one in _AUTHORITIES],
    }


def _information(datum: Datum) -> dict[str, Any]:
    """One row in the data language of our registry."""
    title, detail = categories.describe(datum.category, datum.fields, datum.derived)
    return {
        "pii_type": datum.category,
        "pii_attribute": datum.key,
        "label": title,
        "detail": detail,
        "rung": datum.rung,
        "window": datum.window,
        "since": datum.since,
        "resources": None if datum.resources is None else len(datum.resources),
        "pii_optional": datum.necessity == "optional",
        "sensitive_pii_category": datum.special,
    }


def _parties(terms: Terms) -> list[dict[str, str]]:
    app = {"party_id": terms.client, "party_name": terms.client_name, "party_role": "app"}
    return [{"party_id": terms.controller, "party_role": "dpv:DataController"}, app]


def _event(terms: Terms, state: str, now: datetime) -> dict[str, Any]:
    return {
        "event_time": _moment(now),
        "event_type": state,
        "event_state": _STATES[state],
        "validity_until": _moment(datetime.fromtimestamp(terms.expires / 1000, UTC)),
        "consent_type": _EXPRESSED if terms.legal_basis in purposes.CONSENT_BASES else None,
        "recurrence": {"mode": terms.mode, "max_uses": terms.max_uses, "max_per_day": terms.max_per_day},
    }


def _moment(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
