"""The JSON schema of one ``urn:kluis:rar:pod-access:1`` authorization detail (RFC 9396), as data, and its check.

Formats are checked with the standard library, so that no optional package can silently switch them off.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

from consent.errors import OAuthError
from consent.purposes import LEGAL_BASES

RAR_TYPE: Final = "urn:kluis:rar:pod-access:1"
ACTIONS: Final = ("read", "append", "write", "delete", "derive", "recommend")
MODES: Final = ("once", "session", "ongoing")
ANSWERS: Final = ("age_over_18", "age_over_13", "age_band", "postal_district", "is_resident", "interest_topics_k10")

_TEXT: Final = {"type": "string"}
_URI: Final = {"type": "string", "format": "uri"}
_PERIOD: Final = {"type": "string", "pattern": "^P"}
_COUNT: Final = {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}  # what canonical JSON can hold (RFC 8785)
_COUNTRY: Final = {"type": "string", "pattern": "^[A-Z]{2}$", "maxLength": 2}
_WEB: Final = {"type": "string", "format": "web-address", "pattern": "^https?://", "maxLength": 300}

_DATATYPE: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["category", "necessity"],
    "properties": {
        "category": {"type": "string", "pattern": "^(pd|kluis):[A-Za-z]+$"},
        "shape": _URI,
        "fields": {"type": "array", "minItems": 1, "items": _TEXT},
        "derived": {"enum": list(ANSWERS)},
        "window": _PERIOD,
        "necessity": {"enum": ["required", "optional"]},
        "special": {"type": "boolean"},
        "resources": {"type": "array", "minItems": 1, "maxItems": 50, "items": _URI},
        "since": {"anyOf": [{"const": "grant"}, {"type": "string", "format": "date"}]},
    },
}
_PURPOSE: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["code", "text", "version"],
    "properties": {
        "code": {"type": "string", "pattern": "^dpv:[A-Za-z]+$"},
        "text": {
            "type": "object",
            "required": ["nl"],
            "additionalProperties": {"type": "string", "maxLength": 300},
        },
        "version": _TEXT,
    },
}
_RECIPIENT: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "role"],
    "properties": {
        "id": _WEB,
        "role": {"enum": ["processor", "third_party", "joint_controller"]},
        "country": _COUNTRY,
    },
}
_STORAGE: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["country"],
    "properties": {"country": _COUNTRY, "copy": {"enum": ["none", "cache", "durable"]}},
}
_RECURRENCE: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["mode"],
    "properties": {"mode": {"enum": list(MODES)}, "max_uses": _COUNT, "max_per_day": _COUNT},
}
_ONCE_IS_ONE_USE: Final = {
    "if": {"properties": {"recurrence": {"properties": {"mode": {"const": "once"}}}}},
    "then": {"properties": {"recurrence": {"properties": {"max_uses": {"const": 1}}, "required": ["max_uses"]}}},
}
_SPECIAL_NEEDS_ARTICLE_9: Final = {
    "if": {
        "properties": {"datatypes": {"contains": {"properties": {"special": {"const": True}}, "required": ["special"]}}}
    },
    "then": {"properties": {"legal_basis": {"const": "eu-gdpr:A9-2-a"}}},
}

SCHEMA: Final[Mapping[str, object]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": RAR_TYPE,
    "type": "object",
    "additionalProperties": False,
    "required": [
        "type",
        "locations",
        "actions",
        "datatypes",
        "purpose",
        "legal_basis",
        "controller",
        "retention",
        "expires",
        "recurrence",
    ],
    "properties": {
        "type": {"const": RAR_TYPE},
        "locations": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {"type": "string", "format": "uri", "pattern": "^https?://"},
        },
        "actions": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(ACTIONS)}},
        "datatypes": {"type": "array", "minItems": 1, "maxItems": 12, "uniqueItems": True, "items": _DATATYPE},
        "purpose": _PURPOSE,
        "legal_basis": {"enum": sorted(LEGAL_BASES)},
        "controller": _URI,
        "recipients": {"type": "array", "maxItems": 20, "items": _RECIPIENT},
        "processing": {"type": "array", "maxItems": 20, "items": {"type": "string", "pattern": "^dpv:[A-Za-z]{1,60}$"}},
        "automated_decision": {"enum": ["none", "profiling", "solely_automated"]},
        "storage": _STORAGE,
        "retention": _PERIOD,
        "expires": {"type": "string", "format": "date-time"},
        "recurrence": _RECURRENCE,
    },
    "allOf": [_ONCE_IS_ONE_USE, _SPECIAL_NEEDS_ARTICLE_9],
}

_FORMATS: Final = FormatChecker(formats=())
_HOST: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?|[0-9A-Fa-f:.]+")


def _is_uri(value: object) -> bool:
    """An absolute URI; raises nothing, whatever the text."""
    if not isinstance(value, str):
        return True
    try:
        plain = all("!" <= c <= "~" and c not in '<>"\\^`{|}' for c in value)
        return bool(urlsplit(value).scheme) and plain
    except ValueError:
        return False


def is_web_address(value: object) -> bool:
    """An http(s) URL of at most 300 characters whose host is a name or a number and nothing else, without user."""
    if not isinstance(value, str):
        return True
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = _is_uri(value) and parts.scheme in ("http", "https") and "@" not in parts.netloc
    return plain and len(value) <= 300 and _HOST.fullmatch(host or "") is not None


def _is_instant(value: object) -> bool:
    """An RFC 3339 instant with a zone."""
    return not isinstance(value, str) or ("T" in value.upper() and instant(value) is not None)


def _is_date(value: object) -> bool:
    """A calendar date ``YYYY-MM-DD``."""
    return not isinstance(value, str) or (len(value) == 10 and date.fromisoformat(value) is not None)


_FORMATS.checks("uri")(_is_uri)
_FORMATS.checks("web-address")(is_web_address)
_FORMATS.checks("date-time", raises=ValueError)(_is_instant)
_FORMATS.checks("date", raises=ValueError)(_is_date)
_VALIDATOR: Final = Draft202012Validator(SCHEMA, format_checker=_FORMATS)


def instant(text: str) -> datetime:
    """An RFC 3339 instant, in UTC; raises ``ValueError`` for anything else, a missing zone included."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("an instant needs its zone")
    try:
        return found.astimezone(UTC)
    except OverflowError as beyond:
        raise ValueError("an instant beyond the calendar") from beyond


def check(detail: object) -> dict[str, object]:
    """The detail if the schema holds; raises ``OAuthError`` ``invalid_authorization_details`` naming the place."""
    fault = best_match(_VALIDATOR.iter_errors(detail))
    if fault is None and isinstance(detail, dict):
        return detail
    where = "/".join(str(step) for step in (fault.schema_path if fault else ()))
    raise OAuthError("invalid_authorization_details", f"The request breaks its schema at {where}.")
