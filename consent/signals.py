"""What an app is told about its grant: one signed Security Event Token (RFC 8417, OpenID SSF 1.0) per event.

An end of access is CAEP's `session-revoked`; for the rest there is no standard event, so it is a URN of ours. The
subject is the grant's id, which the app knows already; no token names a pod or a person, nor says what lies in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from consent.errors import BadChoice
from consent.jws import make

TYP: Final = "secevent+jwt"
MEDIA: Final = f"application/{TYP}"
REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
URN: Final = "urn:kluis:event:"
PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"
# What happened -> who began it (CAEP 1.0 section 2, `initiating_entity`).
ENDS: Final[Mapping[str, str]] = {
    "withdrawn": "user",
    "objected": "user",
    "expired": "policy",
    "used_up": "policy",
    "invalidated": "admin",
    "ended": "system",
}
CHANGES: Final[Mapping[str, str]] = {
    "restricted": "user",
    "resumed": "user",
    "narrowed": "user",
    "amended": "user",
    "corrected": "user",  # art. 16: something under the grant was changed or removed; read it again
    "delete": "user",  # art. 17 and 19: what the app keeps of it must be gone by `deadline`
}
MEMBERS: Final = frozenset({"deadline", "version", "category"})
"""All that a detail may hold: a moment (ms), a number, a category the grant covers. Nothing of what lies in a pod."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that happened to a grant: its jti, the grant's shown id, the app, the event, its detail, when (ms)."""

    jti: str
    grant: str
    client: str
    event: str
    detail: Mapping[str, Any]
    at: int


def check(event: str, detail: Mapping[str, Any]) -> None:
    """Raises BadChoice for an event that there is not, or a detail that no app may be told."""
    if event not in ENDS and event not in CHANGES:
        raise BadChoice(f"no such event: {event}")
    if not detail.keys() <= MEMBERS:
        raise BadChoice("an app is told a deadline, a version or a category, and nothing else")


def uri(event: str) -> str:
    """The event's type, as it stands in a token."""
    return REVOKED if event in ENDS else URN + event


def supported() -> list[str]:
    """Every type of event that is sent."""
    return [REVOKED, *(URN + event for event in CHANGES)]


def claims(signal: Signal, issuer: str) -> dict[str, Any]:
    """What a token says, the same at every try; times in seconds UTC. Neither `sub` nor `exp` (SSF 1.0 section 4.1).

    `at` is the moment in ms: tokens come in any order, and the later of two that contradict each other holds.
    """
    told = {name: _seconds(value) if name == "deadline" else value for name, value in signal.detail.items()}
    by = ENDS.get(signal.event) or CHANGES[signal.event]
    when = {"event_timestamp": _seconds(signal.at), "at": signal.at}
    body = {**when, "initiating_entity": by, "grant_event": signal.event, **told}
    return {
        "iss": issuer,
        "aud": signal.client,
        "jti": signal.jti,
        "iat": _seconds(signal.at),
        "txn": signal.grant,
        "sub_id": {"format": "opaque", "id": signal.grant},
        "events": {uri(signal.event): body},
    }


def sealed(signal: Signal, issuer: str, key: Mapping[str, Any]) -> str:
    """The token as a compact JWS (ES256); `key` is our private JWK with `kid`."""
    return make({"typ": TYP}, claims(signal, issuer), key)


def metadata(base: str) -> dict[str, Any]:
    """The transmitter's metadata (SSF 1.0 section 7.1). A stream is what an app registered: there is no API to it."""
    return {
        "spec_version": "1_0",
        "issuer": base,
        "jwks_uri": f"{base}/oauth/jwks",
        "delivery_methods_supported": [PUSH, POLL],
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:7523"}],
        "default_subjects": "ALL",
        "events_supported": supported(),
        "poll_endpoint": f"{base}/oauth/signals",
    }


def _seconds(ms: int) -> int:
    return ms // 1000
