"""Rich authorization requests (RFC 9396) around ``consent.request``: text in, terms out; terms as what was granted."""

from datetime import UTC, datetime
from typing import Any, Final

from consent import incoming
from consent.errors import OAuthError
from consent.request import Registered, parse
from consent.schema import RAR_TYPE
from consent.terms import Datum, Terms

_LONGEST: Final = 32_768


def read_details(text: str, client: Registered, base: str, now: datetime) -> Terms:
    """Terms of the ``authorization_details`` parameter: a JSON array of exactly one detail of our type.

    One purpose is one decision. Raises ``OAuthError`` ``invalid_authorization_details``.
    """
    if len(text) > _LONGEST:
        raise OAuthError("invalid_authorization_details", "The request is too long.")
    try:
        details = incoming.read(text)
    except ValueError as broken:
        raise OAuthError("invalid_authorization_details", "The request is not JSON.") from broken
    if not isinstance(details, list) or len(details) != 1:
        raise OAuthError("invalid_authorization_details", "Exactly one authorization detail is needed.")
    return parse(details[0], client, base, now)


def granted(terms: Terms, base: str) -> list[dict[str, Any]]:
    """The ``authorization_details`` of a token answer: what the citizen really gave, with the real pod."""
    if terms.kind == "solid":
        return []
    location = f"{base}/pods/{terms.pod}/"
    detail = {
        "type": RAR_TYPE,
        "locations": [location],
        "actions": list(terms.actions),
        "datatypes": [_datatype(datum, location) for datum in terms.data],
        "purpose": {
            "code": terms.purpose_code,
            "text": dict(terms.purpose_text),
            "version": terms.purpose_version,
        },
        "legal_basis": terms.legal_basis,
        "controller": terms.controller,
        "recipients": [dict(one) for one in terms.recipients],
        "processing": list(terms.processing),
        "automated_decision": terms.automated,
        "retention": terms.retention,
        "expires": datetime.fromtimestamp(terms.expires / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "recurrence": _some(mode=terms.mode, max_uses=terms.max_uses, max_per_day=terms.max_per_day),
    }
    return [{**detail, **_some(storage=None if terms.storage is None else dict(terms.storage))}]


def _datatype(datum: Datum, location: str) -> dict[str, object]:
    resources = None if datum.resources is None else [location + path[1:] for path in datum.resources]
    narrowed = _some(
        fields=None if datum.fields is None else list(datum.fields),
        derived=datum.derived,
        resources=resources,
        window=datum.window,
        since=datum.since,
        special=datum.special or None,
    )
    return {"category": datum.category, "necessity": datum.necessity, **narrowed}


def _some(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
