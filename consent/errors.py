"""Errors of the consent floor: one class per meaning, each with a stable code, none of them knowing HTTP.

The table in ``web/problems.py`` maps codes to statuses; ``OAUTH_CODES`` lets a test prove that table complete.
"""

from collections.abc import Mapping
from typing import Final

OAUTH_CODES: Final = frozenset(
    {
        "access_denied",  # RFC 6749 4.1.2.1
        "consent_required",  # OpenID Connect Core 3.1.2.6
        "insufficient_authorization_details",  # a valid token whose grant does not cover the request
        "insufficient_user_authentication",  # RFC 9470
        "invalid_authorization_details",  # RFC 9396 5
        "invalid_client",
        "invalid_client_metadata",  # RFC 7591 3.2.2
        "invalid_dpop_proof",  # RFC 9449 5
        "invalid_grant",
        "invalid_grant_id",  # Grant Management for OAuth 2.0
        "invalid_redirect_uri",  # RFC 7591 3.2.2
        "invalid_request",
        "invalid_request_uri",  # RFC 9101 6.2
        "invalid_scope",
        "invalid_target",  # RFC 8707 2
        "invalid_token",  # RFC 6750 3.1
        "login_required",  # OpenID Connect Core 3.1.2.6
        "registration_not_supported",  # OpenID Connect Core 3.1.2.6
        "request_not_supported",  # OpenID Connect Core 3.1.2.6
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
        "use_dpop_nonce",  # RFC 9449 8
    }
)


class ConsentError(Exception):
    """Something on the consent floor was refused; ``code`` is stable and safe to show."""

    code = "consent_error"


class Busy(ConsentError):
    """Too many ask at this moment for what takes its time; nothing was tried and nothing counted."""

    code = "busy"


class UnknownCategory(ConsentError):
    """A data category that is not in the registry."""

    code = "unknown_category"


class UnknownPurpose(ConsentError):
    """A purpose that is not in the registry."""

    code = "unknown_purpose"


class BadAccess(ConsentError):
    """An access request that is no policy we can ask a citizen about; its text says where."""

    code = "bad_access"


class BadPeriod(ConsentError):
    """A text that is not an ISO 8601 duration."""

    code = "bad_period"


class BadDays(ConsentError):
    """Two days that are no period, or one that nothing is known of."""

    code = "bad_days"


class BadReason(ConsentError):
    """A question about people without a reason in words, or with one that is too long."""

    code = "bad_reason"


class UnknownApp(ConsentError):
    """An app, source or agent that this vault does not know."""

    code = "unknown_app"


class BadTerms(ConsentError):
    """Stored terms that contradict themselves: they are never evaluated."""

    code = "bad_terms"


class BadChoice(ConsentError):
    """A decision that no consent page offers, such as a ticked row that was never asked for."""

    code = "bad_choice"


class OAuthError(ConsentError):
    """An OAuth error answer (RFC 6749 5.2): a registered ``code`` and a description in plain ASCII.

    The description never repeats what the client sent. ``detail`` is machine-readable help, such as the
    authorization details that would be needed.
    """

    def __init__(self, code: str, description: str, detail: Mapping[str, object] | None = None) -> None:
        if code not in OAUTH_CODES:
            raise ValueError(f"not an OAuth error code of ours: {code}")
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.detail = dict(detail or {})


class CodeReused(OAuthError):
    """An authorization code was shown twice: ``invalid_grant``, and what it gave before must be revoked."""

    def __init__(self) -> None:
        super().__init__("invalid_grant", "The code was used before; what it gave is revoked.")


class BadName(ConsentError):
    """A user, pod name or passphrase that no account can have."""

    code = "bad_name"


class BadCeremony(ConsentError):
    """A passkey's answer that is not taken; `rule` is the stable code of why, as the log writes it.

    stale_challenge, replay, wrong_origin, other_site, unknown_passkey, not_verified, sign_count or no_prf.
    """

    code = "bad_ceremony"

    def __init__(self, rule: str) -> None:
        super().__init__(f"this passkey's answer is not taken: {rule}")
        self.rule = rule
