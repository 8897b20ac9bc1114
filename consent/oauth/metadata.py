"""What the server says about itself: RFC 8414, OpenID Connect Discovery 1.0 (Solid-OIDC), RFC 9728.

Only what works is listed; ``base`` is the configured base URL without a trailing slash, and the issuer.
"""

from typing import Any

from consent import assurance
from consent.oauth import management
from consent.schema import RAR_TYPE


def authorization_server(base: str) -> dict[str, Any]:
    """Authorization server metadata (RFC 8414 2)."""
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "pushed_authorization_request_endpoint": f"{base}/oauth/par",
        "introspection_endpoint": f"{base}/oauth/introspect",
        "acr_values_supported": [assurance.PASSKEY],
        "revocation_endpoint": f"{base}/oauth/revoke",
        "registration_endpoint": f"{base}/oauth/register",
        "grant_management_endpoint": f"{base}/oauth/grants",
        "grant_management_actions_supported": list(management.SUPPORTED),
        "grant_management_action_required": False,
        "jwks_uri": f"{base}/oauth/jwks",
        "require_pushed_authorization_requests": False,  # those that ask for data must: their registration says so
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic"],
        "introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "introspection_signing_alg_values_supported": ["ES256"],
        "client_id_metadata_document_supported": True,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "RS256"],
        "authorization_details_types_supported": [RAR_TYPE],
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": ["openid", "webid", "offline_access"],
        "service_documentation": f"{base}/docs",
        "ui_locales_supported": ["nl"],
    }


def openid_configuration(base: str) -> dict[str, Any]:
    """OpenID provider metadata, with what Solid-OIDC 0.1 section 10 adds."""
    return {
        **authorization_server(base),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "at_hash", "cnf", "webid"],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "end_session_endpoint": f"{base}/oauth/logout",
        "solid_oidc_supported": "https://solidproject.org/TR/solid-oidc",
    }


def protected_resource(base: str) -> dict[str, Any]:
    """Protected resource metadata (RFC 9728 2) of everything under ``base``."""
    return {
        "resource": base,
        "authorization_servers": [base],
        "jwks_uri": f"{base}/oauth/jwks",
        "scopes_supported": ["webid"],
        "bearer_methods_supported": ["header"],
        "dpop_bound_access_tokens_required": True,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "RS256"],
        "authorization_details_types_supported": [RAR_TYPE],
        "resource_name": "Kluis",
        "resource_documentation": f"{base}/docs",
    }
