"""What a line of the log says about a grant or a request, in one place, so that all lines of an app read alike."""

from dataclasses import replace
from typing import Any

from consent.call import Call
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


def of_call(call: Call, kind: str, rule: str, **more: Any) -> Facts:
    """The facts of one call at the gate; `kind` is "denial" for one that was refused."""
    decision = "denied" if kind == "denial" else "allowed"
    told = {"category": call.category.curie, "resources": (call.place,), "request": call.request, "note": call.note}
    return Facts(kind, call.action, decision, rule, **(told | more))


def elsewhere(facts: Facts, call: Call) -> Facts:
    """The same, for the log of a pod that the call is not about: the address instead of a path of that pod."""
    return replace(facts, resources=(), category="", note=call.url)


def why_of(terms: Terms) -> dict[str, Any]:
    """Why somebody comes, as these terms say."""
    return {"purpose": terms.purpose_code, "legal_basis": terms.legal_basis, "client_name": terms.client_name}
