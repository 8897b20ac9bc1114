"""What a line of the log says about a grant or a request, in one place, so that all lines of an app read alike."""

from typing import Any

from consent.terms import Terms
from keys.text import b64
from vault.log.entry import Facts


def told(terms: Terms, grant: bytes, kind: str, action: str, rule: str, **more: Any) -> Facts:
    """The facts of an entry; `grant` is b"" while there is only a request.

    The DPO sees the app only if it is one, never a person's own credentials.
    """
    return Facts(
        kind,
        action,
        rule=rule,
        client=terms.client,
        client_name=terms.client_name,
        app=terms.client if terms.kind == "rar" else "",
        purpose=terms.purpose_code,
        legal_basis=terms.legal_basis,
        grant=b64(grant),
        grant_version=1 if grant else 0,
        **more,
    )
