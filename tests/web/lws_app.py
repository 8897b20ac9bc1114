"""An app that speaks Linked Web Storage, what it may not say, and An who decides about it in her browser."""

import re
from typing import Any

import httpx
import orjson

from consent import odrl
from consent.oauth.clients import ASSERTION_TYPE
from consent.schema import RAR_TYPE
from keys.secret import fresh_bytes
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import Household
from vault.solid import lws

POD = f"{BASE}/pods/an/"
ASKED = "/lws/requests/"
LD = {"content-type": lws.MEDIA}
SAME = {"sec-fetch-site": "same-origin"}
MORE = {"legal_basis": "eu-gdpr:A6-1-a-explicit-consent", "retention": "P0D", "recurrence": {"mode": "ongoing"}}
PURPOSE = "https://w3id.org/dpv#ProvideEventRecommendations"
END = "2027-05-01T00:00:00Z"


def limit(what: str, right: Any, operator: str = "") -> dict[str, Any]:
    return {"leftOperand": what, "operator": operator or odrl.OPERATORS.get(what, "eq"), "rightOperand": right}


def policy(**changes: Any) -> dict[str, Any]:
    whole = {
        "type": ["AccessPolicy"],
        "action": ["read"],
        "assignee": sample.APP.controller,
        "target": {"type": "StorageResource", "value": [f"{POD}interests/"]},
        "constraint": [limit("purpose", PURPOSE), limit("dateTime", END)],
        RAR_TYPE: MORE,
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def pushed(house: Household, **changes: Any) -> dict[str, Any]:
    at = int(house.clock().timestamp())
    own = sample.assertion(jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
    whole = {
        "client_assertion_type": ASSERTION_TYPE, "client_assertion": own, "response_type": "code",
        "redirect_uri": sample.RETURN, "code_challenge": sample.CHALLENGE, "code_challenge_method": "S256",
        "state": "s",
    }  # fmt: skip
    return {name: value for name, value in (whole | changes).items() if value is not None}


def wish(house: Household, par: dict[str, Any] | None = None, access: Any = None, **changes: Any) -> dict[str, Any]:
    whole = {
        "@context": [lws.CONTEXT],
        "type": ["AccessRequest"],
        "storage": POD,
        "access": [policy()] if access is None else access,
        odrl.PAR: pushed(house) if par is None else par,
    }
    return whole | changes


async def ask(house: Household, said: dict[str, Any] | None = None, *, proof: bool = True) -> httpx.Response:
    body = orjson.dumps(wish(house) if said is None else said)
    shown = {"dpop": house.proof("POST", ASKED)} if proof else {}
    return await house.http.post(ASKED, content=body, headers=LD | shown)


async def mine(house: Household, method: str, place: str, key: Any = sample.PROOF_KEY) -> httpx.Response:
    """The app about a request of its own: with a proof and nothing else."""
    path = place.removeprefix(BASE)
    return await house.http.request(method, path, headers={"dpop": house.proof(method, path, key=key)})


async def hers(house: Household, path: str, **form: Any) -> httpx.Response:
    """An, in her browser."""
    headers = SAME | {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    if form:
        return await house.http.post(path, data={"csrf": house.session.csrf} | form, headers=headers)
    return await house.http.get(path, headers=headers)


async def listed(house: Household) -> list[str]:
    """The addresses of the consent pages on her list."""
    page = (await hers(house, "/me/requests")).text
    return [found.replace("&amp;", "&") for found in re.findall(r'href="(/oauth/authorize[^"]+)"', page)]


async def decide(house: Household, decision: str) -> httpx.Response:
    """She opens the first request on her list and presses a button."""
    page = await hers(house, (await listed(house))[0])
    assert page.status_code == 200
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
    return await hers(house, "/oauth/authorize", **(hidden | {"decision": decision}))


def state(house: Household) -> list[Any]:
    run = house.vault.db.read.run
    return [run("SELECT count(*) FROM gate"), run('SELECT count(*) FROM "grant"'), run("SELECT count(*) FROM token")]


BAD: dict[str, dict[str, Any]] = {
    "an action that is not known": {"access": [policy(action=["read", "archive"])]},
    "an action as a text": {"access": [policy(action="read")]},
    "no action": {"access": [policy(action=[])]},
    "a constraint that is not known": {
        "access": [policy(constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("spatial", "BE")])]},
    "a media type": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("mediaType", "image/png")])]},
    "any of several purposes": {
        "access": [policy(constraint=[limit("purpose", [PURPOSE], "isAnyOf"), limit("dateTime", END)])]},
    "a beginning": {"access": [policy(constraint=[limit("purpose", PURPOSE), limit("dateTime", END, "gteq")])]},
    "two ends": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("dateTime", END)])]},
    "no end": {"access": [policy(constraint=[limit("purpose", PURPOSE)])]},
    "an end too far away": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", "2036-05-01T00:00:00Z")])]},
    "another client": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("client", "other")])]},
    "a purpose that is not registered": {"access": [policy(
        constraint=[limit("purpose", "https://w3id.org/dpv#Marketing"), limit("dateTime", END)])]},
    "no constraint": {"access": [policy(constraint=None)]},
    "everybody": {"access": [policy(assignee="http://xmlns.com/foaf/0.1/Agent")]},
    "somebody else": {"access": [policy(assignee="https://other.example/")]},
    "no target": {"access": [policy(target=None)]},
    "the whole storage": {"access": [policy(target={"type": "StorageResource", "value": [POD]})]},
    "a listing alone": {"access": [policy(target={"type": "Container", "value": [f"{POD}interests/"]})]},
    "a container as a resource": {"access": [policy(target={"type": "DataResource", "value": [f"{POD}interests/"]})]},
    "a container below": {"access": [policy(target={"type": "StorageResource", "value": [f"{POD}interests/x/"]})]},
    "steps upwards": {"access": [policy(
        target={"type": "DataResource", "value": [f"{POD}interests/../loans/a.jsonld"]})]},
    "somebody else's storage": {"access": [policy(
        target={"type": "StorageResource", "value": [f"{BASE}/pods/bo/interests/"]})]},
    "a category that is not registered for the purpose": {"access": [policy(
        target={"type": "StorageResource", "value": [f"{POD}card/"]})]},
    "an address twice": {"access": [policy(
        target={"type": "StorageResource", "value": [f"{POD}interests/", f"{POD}interests/a.jsonld"]})]},
    "two policies": {"access": [policy(), policy()]},
    "a prohibition": {"access": [policy(prohibition=[])]},
    "a word that our detail does not have": {"access": [policy(**{RAR_TYPE: MORE | {"actions": ["delete"]}})]},
    "no legal basis": {"access": [policy(**{RAR_TYPE: {"retention": "P0D"}})]},
    "no words of ours": {"access": [policy(**{RAR_TYPE: None})]},
    "an inbox": {"inbox": "https://app.example/inbox/"},
    "another type": {"type": ["AccessGrant"]},
    "an unknown type": {"type": ["AccessRequest", "https://e.example/Order"]},
    "no context": {"@context": ["https://www.w3.org/ns/odrl.jsonld"]},
    "another server": {"storage": "https://other.example/pods/an/"},
    "the storage of whoever decides": {"storage": f"{BASE}/pods/"},
    "no storage": {"storage": 7},
}  # fmt: skip
