"""How sure the server was of who decided: a class and a moment, signed with the terms and asked for again by the gate.

Classes are OpenID's where there is one (`phr`, OpenID EAP ACR values: phishing-resistant, here a passkey with the
person verified by her device), else ours. What a grant over a special category needs is a passkey used for that very
request; without it the gate says what is missing (RFC 9470). Ordinary consent needs a proof of the last half hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from consent import special
from consent.accounts.seats import Beginning, How
from consent.terms import Datum, Terms
from vault import gates

PASSKEY: Final = "phr"
ACR: Final[Mapping[How, str]] = {
    "passkey": PASSKEY,
    "passphrase": "urn:kluis:acr:passphrase",
    "recovery": "urn:kluis:acr:recovery-code",
    "demo": "urn:kluis:acr:demo",
}
REQUEST_MS: Final = 5 * 60_000
"""How long a passkey's answer counts for the request it was made for, and how old it may be when a grant is given."""
FRESH_MS: Final = 30 * 60_000
"""How long after showing who she is somebody may decide about ordinary data without showing it again."""


@dataclass(frozen=True, slots=True)
class Assurance:
    """Of which class the proof was, and when (ms UTC)."""

    acr: str
    at: int

    def on(self, terms: Terms) -> Terms:
        """The terms with how sure we were of who decided them."""
        return replace(terms, acr=self.acr, auth_time=self.at)


def now_with(how: How, now: datetime) -> Assurance:
    """A proof that was shown right now."""
    return Assurance(ACR[how], gates.ms(now))


def of(began: Beginning) -> Assurance:
    """What a session stands on: its login, or the last proof since."""
    return Assurance(ACR[began.how], began.proved)


def stale(began: Beginning, now: datetime) -> bool:
    """Whether she showed who she is too long ago to decide."""
    return gates.ms(now) - began.proved >= FRESH_MS


def lacking(terms: Terms, datum: Datum | None, created: int) -> bool:
    """Whether a row that would be read needs a surer proof than the one its grant of `created` (ms) was given on.

    A grant that was decided about again later stands on the proof of that later decision.
    """
    if datum is None or not special.rows((datum,)):
        return False
    return terms.acr != PASSKEY or created - terms.auth_time > REQUEST_MS


def wanted() -> Mapping[str, str]:
    """What an app asks for to get it (RFC 9470 3): the class, and the age in seconds."""
    return {"acr_values": PASSKEY, "max_age": str(REQUEST_MS // 1000)}


def shown(terms: Terms) -> Mapping[str, object]:
    """What introspection says about who decided (RFC 9470 6.2); nothing of a grant from before it was kept."""
    return {"acr": terms.acr, "auth_time": terms.auth_time // 1000} if terms.acr else {}
