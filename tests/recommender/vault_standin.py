"""A vault's front door in one function: the real checks of the consent floor, and two records behind them."""

import json
from base64 import urlsafe_b64decode
from datetime import datetime
from urllib.parse import parse_qsl

import httpx

from consent.errors import OAuthError
from consent.jws import make
from consent.oauth.clients import ASSERTION_TYPE, Client, Registration as Registered, check_assertion
from consent.oauth.dpop import check_proof, shown_token
from consent.oauth.par import REQUEST_URI, check_par, single
from consent.oauth.rar import granted
from consent.questions import LIFE, TYP, digest
from consent.request import choose
from consent.signals import TYP as SET, Signal, claims
from keys.sign import new_es256
from recommender.wallet import Registration, public
from recommender.wishes import WISHES

BASE = "http://localhost:8400"
TEXT = {"nl": "Voorstellen die bij je passen."}
REGISTRATION = Registration(BASE, "https://stad.example/org/cultuur", "1", TEXT)
CATEGORIES = ("pd:Interest", "kluis:LibraryLoan", "kluis:Ticket", "kluis:Derived", "pd:PostalCode")


class Vault:
    """Answers PAR, token, records and append; `deny` is what it says about a live token."""

    def __init__(
        self, jwk: dict, ticked: set[str], records: dict[str, list[dict]],
        code: str = REGISTRATION.purpose_code, text: dict[str, str] = TEXT, categories: tuple[str, ...] = CATEGORIES,
    ) -> None:  # fmt: skip
        purpose = Registered(code, "1", text, categories, "city")
        self.notes: set[str] = set()
        name, back = REGISTRATION.client_id, REGISTRATION.redirect_uri
        self.client = Client(name, "Suggesties", REGISTRATION.controller, (back,), (jwk,), (purpose,))
        self.ticked, self.records = ticked, records
        self.now: datetime | None = None
        self.pushed, self.terms, self.live = None, None, 0
        self.withdrawn, self.nonce, self.down = False, "", False
        self.seen: list[str] = []
        self.jtis: set[bytes] = set()
        self.appended: list[dict] = []
        self.issuer, self.minted = new_es256(), 0
        self.wishes: dict | None = None
        self.waiting: dict[str, str] = {}
        self.attested: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("nobody there")
        self.seen.append(f"{request.method} {request.url.path}")
        try:
            return self.route(request)
        except OAuthError as error:
            return httpx.Response(400, json={"error": error.code, "detail": str(error)})

    def route(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/jwks":
            return httpx.Response(200, json={"keys": [public(self.issuer)]})
        if request.url.path == "/oauth/signals":
            return self.poll(request)
        headers = [v.encode() for v in request.headers.get_list("Authorization")]
        token = shown_token(headers)
        proof = check_proof(
            [v.encode() for v in request.headers.get_list("DPoP")],
            request.method, str(request.url), self.now, token, self.pushed and self.pushed.jkt,
        )  # fmt: skip
        assert proof.jti_hash not in self.jtis, "a proof was used twice"
        self.jtis.add(proof.jti_hash)
        if self.nonce and self.nonce not in _claims(request):
            return httpx.Response(400, json={"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": self.nonce})
        path = request.url.path
        if path.startswith("/oauth/"):
            form = single(parse_qsl(request.content.decode()))
            done = check_assertion(form["client_assertion"], self.client, BASE, self.now)
            assert done.jti_hash not in self.jtis, "an assertion was used twice"
            self.jtis.add(done.jti_hash)
            if path.endswith("/attest"):
                self.attested.append(form["attestation"])
                return httpx.Response(200, json={})
            return self.par(form, proof) if path == "/oauth/par" else self.token(form)
        if token != f"access-{self.live}".encode() or self.withdrawn:
            return httpx.Response(401, json={"error": "invalid_token"})
        return self.resource(request, path)

    def permit(self, **question) -> dict:
        """The question with a permit for it, as the server mints one."""
        changes = question.pop("changes", {})
        at = int(self.now.timestamp() * 1000)
        self.minted += 1
        said = {"iss": BASE, "aud": REGISTRATION.client_id, "sub": question.get("pod", ""), "client": "citizen",
                "purpose": "", "question": digest(question), "state": "s", "jti": f"permit-{self.minted}", "at": at,
                "exp": at // 1000 + LIFE}  # fmt: skip
        key = changes.pop("key", self.issuer)
        typ = changes.pop("typ", TYP)
        return question | {"permit": make({"typ": typ}, said | changes, key)}

    def tell(self, event: str, grant: str, detail=(), **changes) -> None:
        """Something happens to a grant that its app has to be told."""
        jti = f"set-{len(self.waiting)}"
        signal = Signal(jti, grant, REGISTRATION.client_id, event, dict(detail), int(self.now.timestamp() * 1000))
        self.waiting[jti] = make({"typ": SET}, claims(signal, BASE) | changes, self.issuer)

    def poll(self, request):
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": request.headers["authorization"][7:]}
        done = check_assertion(form["client_assertion"], self.client, BASE, self.now)
        assert done.jti_hash not in self.jtis, "an assertion was used twice"
        self.jtis.add(done.jti_hash)
        for jti in json.loads(request.content)["ack"]:
            self.waiting.pop(jti, None)
        return httpx.Response(200, json={"sets": self.waiting, "moreAvailable": False})

    def par(self, form, proof):
        self.pushed = check_par(form, self.client, proof, BASE, self.now)
        return httpx.Response(201, json={"request_uri": REQUEST_URI + "a" * 22, "expires_in": 60})

    def token(self, form):
        if self.withdrawn or form.get("code", "good") != "good" or form.get("refresh_token", "refresh") != "refresh":
            raise OAuthError("invalid_grant", "no")
        if form["grant_type"] == "authorization_code":
            self.terms = choose(self.pushed.terms, self.ticked, None, self.now)
        self.live += 1
        told = {"access_token": f"access-{self.live}", "token_type": "DPoP", "expires_in": 300}
        return httpx.Response(
            200,
            json=told
            | {"refresh_token": "refresh", "grant_id": "grant-1", "authorization_details": granted(self.terms, BASE)},
        )

    def resource(self, request, path):
        open_ = {datum.category for datum in self.terms.data}
        if path.endswith("/derived/"):
            self.appended.append(json.loads(request.content))
            return httpx.Response(201)
        if path.endswith(WISHES):
            found = 403 if "kluis:Derived" not in open_ else 404 if self.wishes is None else 200
            return httpx.Response(found, json={"kluis:wishes": self.wishes})
        if path == "/api/answers/postal_district":
            [found] = self.records.get("pd:PostalCode") or [{}]
            return httpx.Response(200, json=found, headers={"Kluis-Entry": "7"})
        self.notes |= {request.headers.get("Kluis-Note", "")} - {""}
        category = request.url.params["category"]
        if category not in open_:
            return httpx.Response(403, json={"error": "insufficient_authorization_details"})
        return httpx.Response(200, json={"@graph": self.records.get(category, [])}, headers={"Kluis-Entry": "7"})


def _claims(request: httpx.Request) -> str:
    return urlsafe_b64decode(request.headers["DPoP"].split(".")[1] + "==").decode()
