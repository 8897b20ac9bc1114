"""One app, one request, one key: the smallest real parts that the tests of this floor vary."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from hashlib import sha256

from consent.oauth.clients import ASSERTION_TYPE, Client, Registration, secret_hash
from consent.oauth.dpop import Proof
from consent.oauth.server import TokenRequest
from consent.request import RAR_TYPE, parse
from keys.sign import new_es256, sign_es256, thumbprint
from keys.text import b64

BASE = "http://localhost:8400"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
APP_KEY = new_es256()
PROOF_KEY = new_es256()
JKT = thumbprint(PROOF_KEY)
TEXT = {"nl": "Activiteiten voorstellen die bij u passen.", "en": "Suggest activities that suit you."}
RETURN = "http://127.0.0.1:8401/back"
VERIFIER = "a" * 43
CHALLENGE = b64(sha256(VERIFIER.encode()).digest())


def public(key):
    return {name: value for name, value in key.items() if name != "d"}


APP = Client(
    client_id="cultuurgids",
    name="Cultuurgids",
    controller="https://stad.example/org/cultuur",
    redirect_uris=(RETURN,),
    jwks=(public(APP_KEY),),
    purposes=(
        Registration(
            "dpv:ProvideEventRecommendations",
            "2026-11-01",
            TEXT,
            ("pd:Interest", "kluis:LibraryLoan", "pd:PostalCode", "kluis:Derived", "pd:Age"),
            "city",
        ),
    ),
    trust="city",
)
OTHER_APP = Client("other", "Other", "https://other.example/", (RETURN,), (public(APP_KEY),), APP.purposes)
SECRET = "x" * 43
CREDENTIAL = Client(
    "an-laptop",
    "Laptop",
    f"{BASE}/pods/an/profile/card#me",
    kind="solid",
    secret_hash=secret_hash(SECRET),
    webid=f"{BASE}/pods/an/profile/card#me",
)

DETAIL = {
    "type": RAR_TYPE,
    "locations": [f"{BASE}/pods/an/"],
    "actions": ["read"],
    "datatypes": [
        {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"},
        {
            "category": "kluis:LibraryLoan",
            "derived": "interest_topics_k10",
            "window": "P1Y",
            "necessity": "optional",
        },
        {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "optional"},
    ],
    "purpose": {"code": "dpv:ProvideEventRecommendations", "text": TEXT, "version": "2026-11-01"},
    "legal_basis": "eu-gdpr:A6-1-a-explicit-consent",
    "controller": "https://stad.example/org/cultuur",
    "recipients": [{"id": "https://host.example", "role": "processor", "country": "BE"}],
    "processing": ["dpv:Profiling"],
    "automated_decision": "profiling",
    "storage": {"country": "BE", "copy": "none"},
    "retention": "P0D",
    "expires": "2027-05-01T00:00:00Z",
    "recurrence": {"mode": "ongoing", "max_per_day": 48},
}


def detail(**changes):
    return {**deepcopy(DETAIL), **changes}


def terms(**changes):
    return parse(detail(**changes), APP, BASE, NOW)


def compact(header, claims, key):
    """A JWS as a client would make it, faults included."""
    signing_input = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signing_input}.{b64(sign_es256(key, signing_input.encode()))}"


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


def assertion(drop="", key=APP_KEY, header=None, **changes):
    at = int(NOW.timestamp())
    claims = {"iss": "cultuurgids", "sub": "cultuurgids", "aud": BASE, "iat": at, "exp": at + 60, "jti": "one"}
    head = {"alg": "ES256", "kid": key["kid"], **(header or {})}
    return compact(head, without({**claims, **changes}, drop), key)


def token_request(drop="", basic=None, assert_=None, **form):
    at = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assert_ or assertion()}
    headers = {} if basic is None else {"Authorization": basic}
    fields = {**({} if basic else at), **form}
    return TokenRequest(without(fields, drop), headers, "POST", f"{BASE}/oauth/token", BASE)


PROOF = Proof(JKT, b"j" * 32, 0)
