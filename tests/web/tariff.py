"""An app that asks for something sensitive, over HTTP: the swimming pool that wants to know of the social tariff."""

import html
import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson

from consent import clients, compartments
from consent.accounts import passkeys, people, renewal
from consent.accounts.passkeys import Answer, Purpose
from consent.oauth.clients import ASSERTION_TYPE, Client, Registration
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.consent.authenticator import Device
from tests.house import Household

TARIFF = "kluis:SocialTariff"
TEXT = {"nl": "Je laten zwemmen aan kansentarief."}
POOL = replace(
    sample.APP,
    client_id="zwembad",
    name="Zwembad",
    purposes=(Registration("dpv:RequestedServiceProvision", "1", TEXT, (TARIFF, "kluis:Card"), "city"),),
)
ROW = {"category": TARIFF, "fields": ["kluis:entitled"], "necessity": "required", "special": True}
CARD = {"category": "kluis:Card", "fields": ["kluis:points"], "necessity": "required"}
SAME = {"sec-fetch-site": "same-origin"}
RECORDS = f"/api/records?category={TARIFF}"


def detail(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the pool asks."""
    return sample.detail(**{
        "datatypes": list(rows), "purpose": {"code": "dpv:RequestedServiceProvision", "text": TEXT, "version": "1"},
        "legal_basis": "eu-gdpr:A9-2-a", "processing": [], "automated_decision": "none", **changes,
    })  # fmt: skip


@dataclass
class Pool:
    """The pool's server, and An's browser in front of it."""

    house: Household
    client: Client = POOL

    def own(self, **form: str) -> dict[str, str]:
        """A form with a fresh assertion."""
        at, who = int(self.house.clock().timestamp()), self.client.client_id
        made = sample.assertion(iss=who, sub=who, jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": made, **form}

    async def push(self, *rows: dict[str, Any], more: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
        """Send the request ahead; `more` are further fields of its form."""
        asked = detail(*(rows or (ROW,)), **changes)
        form = self.own(response_type="code", redirect_uri=sample.RETURN, code_challenge=sample.CHALLENGE,
                        code_challenge_method="S256", state="s",
                        authorization_details=orjson.dumps([asked]).decode(), **(more or {}))  # fmt: skip
        proof = {"dpop": self.house.proof("POST", "/oauth/par")}
        return await self.house.http.post("/oauth/par", data=form, headers=proof)

    async def open(self, pushed: httpx.Response, cookie: str = "") -> httpx.Response:
        """An opens the request."""
        query = {"client_id": self.client.client_id, "request_uri": pushed.json()["request_uri"]}
        own = {"cookie": f"kluis={cookie or self.house.cookie}", "accept": "text/html"}
        return await self.house.http.get("/oauth/authorize", params=query, headers=own)

    async def press(self, page: httpx.Response, decision: str = "allow", *ticked: str, **more: str) -> httpx.Response:
        """An presses a button, with the special rows in `ticked` ticked."""
        hidden: dict[str, Any] = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        fields = hidden | {"decision": decision, "explicit": list(ticked)} | more
        own = SAME | {"cookie": f"kluis={self.house.cookie}", "accept": "text/html"}
        return await self.house.http.post("/oauth/authorize", data=fields, headers=own)

    async def redeem(self, pressed: httpx.Response) -> dict[str, Any]:
        """The pool gets its tokens."""
        code = parse_qs(urlsplit(pressed.headers["location"]).query)["code"][0]
        form = self.own(grant_type="authorization_code", code=code, redirect_uri=sample.RETURN,
                        code_verifier=sample.VERIFIER)  # fmt: skip
        proof = {"dpop": self.house.proof("POST", "/oauth/token")}
        done = await self.house.http.post("/oauth/token", data=form, headers=proof)
        assert done.status_code == 200, done.text
        told: dict[str, Any] = done.json()
        return told


async def pool(house: Household) -> Pool:
    """The pool as the city knows it, and An's tariff in her pod."""
    await clients.register(house.vault, POOL, house.clock())
    await compartments.add(house.vault, house.session, "tariff", TARIFF, house.clock())
    pod = house.vault.pod_by_id(house.session.pod.id)
    assert pod is not None
    house.session = replace(house.session, pod=pod)
    await house.keep("/tariff/a.jsonld", {"@type": TARIFF, "kluis:entitled": True, "schema:validThrough": "2027-01-01"})
    return Pool(house)


async def passkey(house: Household) -> Device:
    """An adds a passkey."""
    device, session = Device(), house.session
    account = people.by_id(house.vault, session.account)
    assert account is not None
    asked = passkeys.challenge(Purpose(renewal.ADD, session.handle), house.clock())
    made = device.create(passkeys.creation_options(house.vault.base, account, asked))
    await renewal.add_passkey(house.vault, session, Answer(*made), house.clock())
    return device


def touched(device: Device, page: httpx.Response) -> dict[str, str]:
    """The fields that the page's script fills in once she touched her passkey."""
    found = re.search(r'data-decide="([^"]+)"', page.text)
    assert found is not None, "the page asks for no passkey"
    credential, prf = device.get(html.unescape(found[1]))
    return {"credential": credential, "prf": prf}
