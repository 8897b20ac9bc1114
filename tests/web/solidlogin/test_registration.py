"""Clients that register, read, change and delete themselves (RFC 7591, 7592), and what that does to what they hold."""

from typing import Any

import httpx
import pytest

from consent import clients, dynamic
from consent.tables import ClientRow, Registered
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household
from tests.web.solidlogin.app import SolidApp, answer

pytestmark = pytest.mark.enable_socket
WISH = {"redirect_uris": ["http://localhost:3000/back"], "client_name": "Notities",
        "grant_types": ["authorization_code", "refresh_token"], "id_token_signed_response_alg": "ES256"}  # fmt: skip


async def register(house: Household, **changes: Any) -> httpx.Response:
    said = {name: value for name, value in (WISH | changes).items() if value is not None}
    return await house.http.post("/oauth/register", json=said)


async def manage(house: Household, method: str, made: dict[str, Any], token: str = "", **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token or made['registration_access_token']}"}
    path = made["registration_client_uri"].removeprefix(BASE)
    return await house.http.request(method, path, headers=headers, json=body or None)


@pytest.fixture
async def dynamic_app(app: SolidApp) -> SolidApp:
    """The same app, without a document."""
    made = (await register(app.house, redirect_uris=[app.back])).json()
    app.client_id = made["client_id"]
    app.document = made
    return app


async def test_anybody_registers_a_solid_app_and_gets_no_secret(house: Household) -> None:
    made = await register(house, token_endpoint_auth_method="client_secret_basic")
    assert (made.status_code, made.headers["access-control-allow-origin"]) == (201, "*")
    told = made.json()
    assert (told["token_endpoint_auth_method"], told["client_name"]) == ("none", "Notities")
    assert "client_secret" not in told
    row = house.vault.db.read.get(Registered, told["client_id"])
    assert row is not None
    assert told["registration_access_token"].encode() not in row.auth
    assert house.told()[-1]["action"] != "register app"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://app.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://app.example/#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://app.example@evil.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://app.example/"}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://app.example/"] * 17}, "invalid_client_metadata"),
        ({"redirect_uris": [5]}, "invalid_client_metadata"),
        ({"post_logout_redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"client_name": "st\u0430d"}, "invalid_client_metadata"),
        ({"client_name": 5}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ],
)
async def test_what_may_not_be_registered_is_named(house: Household, changes: dict[str, Any], error: str) -> None:
    refused = await register(house, **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, error)


async def test_a_registered_app_logs_in_like_one_with_a_document(dynamic_app: SolidApp) -> None:
    got = await dynamic_app.allowed(["/public/"], ["read"])
    assert (await dynamic_app.call("GET", "/pods/an/public/", got["access_token"])).status_code == 200
    assert (await dynamic_app.refresh(got["refresh_token"])).status_code == 200
    assert answer(await dynamic_app.ask(prompt="none"))["code"]


async def test_a_client_reads_changes_and_deletes_itself_with_its_own_token_alone(house: Household) -> None:
    one, other = (await register(house)).json(), (await register(house)).json()
    assert (await manage(house, "GET", one)).json() == one
    for token in (other["registration_access_token"], "x", one["registration_access_token"] + "x"):
        for method in ("GET", "PUT", "DELETE"):
            refused = await manage(house, method, one, token, **WISH)
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
            assert refused.headers["www-authenticate"].startswith("Bearer")
    changed = await manage(house, "PUT", one, **(WISH | {"client_id": one["client_id"], "client_name": "Anders"}))
    assert (changed.status_code, changed.json()["client_name"]) == (200, "Anders")
    wrong = await manage(house, "PUT", one, **(WISH | {"client_id": other["client_id"]}))
    assert wrong.json()["error"] == "invalid_client_metadata"
    assert (await manage(house, "DELETE", one)).status_code == 204
    assert (await manage(house, "GET", one)).status_code == 401
    assert house.vault.db.read.get(ClientRow, one["client_id"]) is None


async def test_after_a_change_of_what_she_saw_old_grants_give_nothing_until_she_is_asked_again(
    dynamic_app: SolidApp,
) -> None:
    app, house = dynamic_app, dynamic_app.house
    got, wish = await app.allowed(), WISH | {"redirect_uris": [app.back]}
    await manage(house, "PUT", app.document, **wish)
    assert (await app.refresh(got["refresh_token"])).status_code == 200
    await manage(house, "PUT", app.document, **(wish | {"client_name": "Bank"}))
    assert (await app.refresh(got["refresh_token"])).json()["error"] == "invalid_grant"
    assert answer(await app.ask(prompt="none"))["error"] == "consent_required"
    await manage(house, "DELETE", app.document)
    assert (await app.refresh(got["refresh_token"])).json()["error"] == "invalid_client"


async def test_unused_registrations_are_forgotten_and_used_ones_live_as_long_as_their_grant(
    dynamic_app: SolidApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = dynamic_app.house
    await dynamic_app.allowed(duration="P6M")
    unused = (await register(house)).json()["client_id"]
    house.clock.forward(days=31)
    await dynamic.sweep(house.vault, house.clock())
    assert clients.find(house.vault, unused) is None
    assert clients.find(house.vault, dynamic_app.client_id) is not None
    monkeypatch.setattr(dynamic, "MOST", 3)
    made = []
    for _ in range(6):
        made.append((await register(house)).json()["client_id"])
        house.clock.forward(seconds=1)
    assert [clients.find(house.vault, one) is not None for one in made] == [False] * 3 + [True] * 3
    assert clients.find(house.vault, dynamic_app.client_id) is not None


async def test_a_changed_app_that_asks_for_data_is_refused_its_old_grant_and_the_office_hears_of_it(
    house: Household,
) -> None:
    granted = await house.grant(ALL_INTERESTS)
    token = await dynamic.entrust(house.vault, sample.APP)
    made = {"registration_client_uri": f"{BASE}/oauth/register/cultuurgids", "registration_access_token": token}
    told = (await manage(house, "GET", made)).json()
    assert (told["client_id"], told["require_pushed_authorization_requests"]) == ("cultuurgids", True)
    asked = {name: told[name] for name in ("redirect_uris", "jwks", "controller")} | {"client_name": "Bank"}
    asked["purposes"] = [{name: one[name] for name in ("code", "version", "text", "categories")}
                         for one in told["purposes"]]  # fmt: skip
    kind = await manage(house, "PUT", made, **WISH)
    assert kind.json()["error"] == "invalid_client_metadata"
    changed = await manage(house, "PUT", made, **asked)
    assert (changed.status_code, changed.json()["client_name"]) == (200, "Bank")
    at = int(house.clock().timestamp())
    form = {"grant_type": "refresh_token", "refresh_token": granted.refresh,
            "client_assertion_type": sample.ASSERTION_TYPE,
            "client_assertion": sample.assertion(jti="r", iat=at, exp=at + 60)}  # fmt: skip
    again = await house.http.post("/oauth/token", data=form, headers={"dpop": house.proof("POST", "/oauth/token")})
    assert again.json()["error"] == "invalid_grant"
    assert house.told()[-1]["rule"] == "client changed"
    assert b64(granted.id) == house.told()[-1]["grant"]
