"""C7: an app that wants more than it was given is refused, its try is in her log, and the grant stays what it was.

A row: what is tried, the answer, and the rule of the line. Other purposes, wider tokens, others' grants, changed apps.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson

from consent import clients, grants
from consent.oauth.clients import ASSERTION_TYPE, Client
from consent.tables import ClientRow
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.house import INTERESTS, Granted, Household
from tests.proof import figure
from tests.web.solidlogin.app import SolidApp, solid_app

BATCH, ONE = "/api/records?category=pd:Interest", "/pods/an/interests/a.jsonld"
DISTRICT = {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "required"}
WIDER = {"category": "pd:Interest", "necessity": "required"}
ADS = replace(sample.APP.purposes[0], code="dpv:ServicePersonalisation")
SECOND = replace(sample.APP, purposes=(*sample.APP.purposes, ADS))
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
EVIL = "https://evil.example/"


@dataclass
class Trial:
    """An's grant to one app, and another app that has one too."""

    house: Household
    granted: Granted

    def form(self, client: str = "cultuurgids", **fields: str) -> dict[str, str]:
        at = int(self.house.clock().timestamp())
        own = sample.assertion(iss=client, sub=client, jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
        return {"client_id": client, "client_assertion_type": ASSERTION_TYPE, "client_assertion": own, **fields}

    async def read(self, path: str, **headers: str) -> httpx.Response:
        return await self.house.call("GET", path, self.granted.access, headers)

    async def post(self, path: str, client: str = "cultuurgids", **fields: str) -> httpx.Response:
        proof = {"dpop": self.house.proof("POST", path)}
        return await self.house.http.post(path, data=self.form(client, **fields), headers=proof)

    async def renew(self, **fields: str) -> httpx.Response:
        return await self.post("/oauth/token", grant_type="refresh_token", refresh_token=self.granted.refresh, **fields)

    async def exchange(self, token: str, **fields: str) -> httpx.Response:
        """Token exchange (RFC 8693), to another purpose and another audience."""
        said = {"subject_token": token, "subject_token_type": ACCESS_TOKEN, "audience": EVIL} | fields
        return await self.post("/oauth/token", grant_type=EXCHANGE, **said)

    async def push(self, client: str = "cultuurgids", *rows: dict[str, Any], **changes: Any) -> httpx.Response:
        """A pushed request that would change An's grant."""
        manage = {name: changes.pop(name, usual) for name, usual in (("action", "merge"), ("grant", self.name))}
        detail = orjson.dumps([sample.detail(datatypes=list(rows) or [INTERESTS], **changes)]).decode()
        return await self.post("/oauth/par", client, response_type="code", redirect_uri=sample.RETURN,
                               code_challenge=sample.CHALLENGE, code_challenge_method="S256",
                               authorization_details=detail, grant_management_action=manage["action"],
                               grant_id=manage["grant"])  # fmt: skip

    @property
    def name(self) -> str:
        return b64(self.granted.id)

    def other(self, code: str = ADS.code) -> dict[str, Any]:
        """Another purpose that the app is registered for as well."""
        return {"purpose": {"code": code, "text": sample.TEXT, "version": ADS.version}}


OTHERS = {"controller": sample.OTHER_APP.controller}
Row = tuple[str, Callable[[Trial], Awaitable[httpx.Response]], int, str, str]
NO = "insufficient_authorization_details"
DETAILS = "invalid_authorization_details"


def purpose(code: str, path: str) -> Row:
    return (f"header {code or 'empty'} {path}", lambda t: t.read(path, **{"kluis-purpose": code}), 403, NO, "purpose")


def wider(name: str, value: str, error: str) -> Row:
    return (f"refresh {name}", lambda t: t.renew(**{name: value}), 400, error, error)


def wide(*rows: dict[str, Any]) -> str:
    return orjson.dumps([sample.detail(datatypes=list(rows))]).decode()


ROWS: list[Row] = [
    # another purpose than the grant's
    *(purpose("dpv:TargetedAdvertising", path) for path in (BATCH, ONE, "/pods/an/interests/")),
    purpose("dpv:TargetedAdvertising", "/api/answers/postal_district"),
    *(purpose(code, BATCH) for code in (ADS.code, "dpv:ProvidePersonalisedRecommendations", "dpv:Purpose", "x")),
    ("exchange access token", lambda t: t.exchange(t.granted.access), 400, "unsupported_grant_type",
     "unsupported_grant_type"),
    ("exchange refresh token", lambda t: t.exchange(t.granted.refresh, scope="purpose:dpv:TargetedAdvertising"), 400,
     "unsupported_grant_type", "unsupported_grant_type"),
    ("exchange to other resource", lambda t: t.exchange(t.granted.access, resource=EVIL), 400, "invalid_target",
     "invalid_target"),
    ("merge other purpose", lambda t: t.push(**t.other()), 400, DETAILS, "other purpose"),
    ("replace other purpose", lambda t: t.push(action="replace", **t.other()), 400, DETAILS, "other purpose"),
    ("merge other basis", lambda t: t.push(legal_basis="eu-gdpr:A6-1-e"), 400, DETAILS, "other purpose"),
    # a wider token
    wider("authorization_details", wide(WIDER), DETAILS),
    wider("authorization_details", wide(INTERESTS, DISTRICT), DETAILS),
    wider("scope", "openid webid", "invalid_scope"),
    wider("scope", "admin", "invalid_scope"),
    wider("resource", EVIL, "invalid_target"),
    wider("resource", "http://localhost:8400.evil.example/pods/", "invalid_target"),
    # somebody else's grant or token
    ("merge of others", lambda t: t.push("other", **OTHERS), 400, "invalid_grant_id", "other client"),
    ("replace of others", lambda t: t.push("other", action="replace", **OTHERS), 400, "invalid_grant_id",
     "other client"),
    ("query of others", lambda t: t.post(f"/oauth/grants/{t.name}", "other"), 404, "", "other client"),
    ("revoke token of others", lambda t: t.post("/oauth/revoke", "other", token=t.granted.refresh), 200, "",
     "other client"),
    ("revoke access of others", lambda t: t.post("/oauth/revoke", "other", token=t.granted.access), 200, "",
     "other client"),
    ("refresh of others", lambda t: t.post("/oauth/token", "other", grant_type="refresh_token",
                                           refresh_token=t.granted.refresh), 400, "invalid_grant", "other client"),
]  # fmt: skip
SOLID = [{"client_name": "Bank"}, {"redirect_uris": ["{back}", "{back}/2"]}]
"""What the document of a plain Solid app says after she allowed it."""
CHANGES: list[dict[str, Any]] = [
    {"name": "Bank"},
    {"redirect_uris": (sample.RETURN, sample.RETURN + "/2")},
    {"purposes": sample.APP.purposes},
    {"purposes": (replace(sample.APP.purposes[0], text={"nl": "Reclame."}), ADS)},
]
"""What the registration of Cultuurgids says after she allowed it."""


async def trial(house: Household) -> Trial:
    """Cultuurgids, registered for two purposes, with a grant of An; and an app of somebody else."""
    await clients.register(house.vault, sample.OTHER_APP, house.clock())
    await registered_anew(house, SECOND)
    return Trial(house, await house.grant(INTERESTS, DISTRICT, app=SECOND, recurrence={"mode": "ongoing"}))


async def registered_anew(house: Household, app: Client) -> None:
    """The registration of Cultuurgids is another one from now on."""

    def write(tx: Any) -> None:
        tx.remove(ClientRow, id=app.client_id)
        clients.put(house.vault, tx, app)

    await house.vault.db.write(write)


def fault(found: httpx.Response, status: int, error: str, rule: str, new: list[dict[str, Any]]) -> str:
    """What is not as it should be about one try: its answer, or its line."""
    said = found.json() if found.content else {}
    code = said.get("error") or str(said.get("type", "")).rpartition(":")[2]
    if found.status_code != status or (error and code != error):
        return f"answered {found.status_code} {code}"
    lines = [(line["type"], line["decision"], line["rule"]) for line in new]
    return "" if ("denial", "denied", rule) in lines else f"not logged: {lines}"


async def test_c7_whoever_wants_more_than_was_given_is_refused_and_it_is_in_her_log(house: Household) -> None:
    tried, wrong = await trial(house), list[str]()
    before = grants.load(house.vault, tried.granted.id)
    assert before is not None
    for name, act, status, error, rule in ROWS:
        length = len(house.told())
        found = await act(tried)
        bad = fault(found, status, error, rule, house.told()[length:])
        wrong += [f"{name}: {bad}"] if bad else []
        after = grants.load(house.vault, tried.granted.id)
        assert after is not None and (after.terms, after.state, after.epoch) == (before.terms, "live", before.epoch)
    assert (await tried.read(BATCH)).status_code == 200
    for method in ("GET", "DELETE"):  # another grant of its own does not lead to this one
        wrong += await with_own_token(tried, method)
    wrong += [bad for change in CHANGES for bad in await re_registered(tried, change)]
    async with solid_app(house) as app:
        wrong += [bad for change in SOLID for bad in await changed(app, change)]
    count = len(ROWS) + 2 + len(CHANGES) + len(SOLID)
    figure("C7", len(wrong), count)
    assert wrong == []


async def with_own_token(tried: Trial, method: str) -> list[str]:
    """The other app, with a live token of its own, asks about or ends An's grant to Cultuurgids."""
    house, path = tried.house, f"/oauth/grants/{tried.name}"
    mine = await house.grant(INTERESTS, app=SECOND)  # the same app's other grant: no way to this one either
    found = await house.call(method, path, mine.access)
    after = grants.load(house.vault, tried.granted.id)
    held = found.status_code == 404 and after is not None and after.state == "live"
    return [] if held else [f"{method} with a token of another grant: {found.status_code}"]


async def changed(app: SolidApp, change: dict[str, Any]) -> list[str]:
    """The app's own document says something else than what An saw: its refresh token gives nothing."""
    app.describe()
    got = await app.allowed()
    app.describe(**orjson.loads(orjson.dumps(change).decode().replace("{back}", app.back)))
    app.house.clock.forward(minutes=6)
    length = len(app.house.told())
    found = await app.refresh(got["refresh_token"])
    app.house.clock.forward(minutes=6)
    bad = fault(found, 400, "invalid_grant", "client changed", app.house.told()[length:])
    return [f"{change}: {bad}"] if bad else []


async def re_registered(tried: Trial, change: dict[str, Any]) -> list[str]:
    """The registration says something else than what An saw: the refresh token gives nothing."""
    await registered_anew(tried.house, replace(SECOND, **change))
    length = len(tried.house.told())
    found = await tried.renew()
    await registered_anew(tried.house, SECOND)
    bad = fault(found, 400, "invalid_grant", "client changed", tried.house.told()[length:])
    return [f"{change}: {bad}"] if bad else []
