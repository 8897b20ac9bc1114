"""What a plain Solid app does through the browser, and what clients do about themselves, one step each."""

import re
from typing import Any
from urllib.parse import urlencode

from consent import dynamic
from tests.consent import sample
from tests.house import Household
from tests.log.acts import Act, ok
from tests.log.stage import Stage

WISH = {"redirect_uris": [sample.RETURN], "client_name": "Notities"}
ROOM = {"data": "/public/", "mode": "read"}


async def registered(house: Household) -> dict[str, Any]:
    """A Solid app that has just registered itself."""
    return dict((await house.http.post("/oauth/register", json=WISH)).json())


async def registers(stage: Stage) -> None:
    await stage.begin()
    await ok(stage.house.http.post("/oauth/register", json=WISH), 201)


def manages_itself(method: str, status: int) -> Act:
    """A Solid app reads, changes or deletes what is registered about it."""

    async def act(stage: Stage) -> None:
        made = await registered(stage.house)
        await stage.begin()
        await _manage(stage, method, made["client_id"], made["registration_access_token"], WISH, status)

    return act


def an_app_for_data_manages_itself(method: str, status: int) -> Act:
    """The same for an app that asks for data; the office hears of it."""

    async def act(stage: Stage) -> None:
        token = await dynamic.entrust(stage.house.vault, sample.APP)
        said = dynamic.metadata(sample.APP)
        wish = {name: said[name] for name in ("client_name", "redirect_uris", "jwks", "controller", "purposes")}
        await stage.begin()
        await _manage(stage, method, sample.APP.client_id, token, wish, status)

    return act


async def _manage(stage: Stage, method: str, client: str, token: str, body: object, status: int) -> None:
    headers = {"authorization": f"Bearer {token}"}
    sent = stage.house.http.request(method, f"/oauth/register/{client}", headers=headers, json=body)
    await ok(sent, status)


def _address(client: str, state: str, prompt: str) -> str:
    asked = {"client_id": client, "redirect_uri": sample.RETURN, "response_type": "code", "prompt": prompt,
             "scope": "openid webid offline_access", "code_challenge": sample.CHALLENGE,
             "code_challenge_method": "S256", "state": state}  # fmt: skip
    return "/oauth/authorize?" + urlencode(asked)


async def _shown(stage: Stage) -> dict[str, str]:
    made = await registered(stage.house)
    page = await ok(stage.mine("GET", _address(made["client_id"], "s", "consent")))
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text.partition("<footer")[0]))


async def is_shown(stage: Stage) -> None:
    made = await registered(stage.house)
    await stage.begin()
    await ok(stage.mine("GET", _address(made["client_id"], "s", "consent")))


def answers(decision: str) -> Act:
    """An allows it one room, or refuses."""

    async def act(stage: Stage) -> None:
        hidden = await _shown(stage)
        await stage.begin()
        await ok(stage.mine("POST", "/oauth/authorize", **(hidden | ROOM | {"decision": decision})), 303)

    return act


async def _allowed(stage: Stage) -> tuple[str, str]:
    hidden = await _shown(stage)
    answer = await ok(stage.mine("POST", "/oauth/authorize", **(hidden | ROOM | {"decision": "allow"})), 303)
    (code,) = re.findall(r"[?&]code=([^&]+)", answer.headers["location"])
    return hidden["client_id"], code


async def comes_back(stage: Stage) -> None:
    """The same app, while what she allowed it stands."""
    client, _ = await _allowed(stage)
    await stage.begin()
    await ok(stage.mine("GET", _address(client, "2", "none")), 303)


async def redeems(stage: Stage) -> None:
    client, code = await _allowed(stage)
    await stage.begin()
    await _redeem(stage, client, code)


async def refreshes(stage: Stage) -> None:
    client, code = await _allowed(stage)
    got = await _redeem(stage, client, code)
    await stage.begin()
    await _token(stage, client_id=client, grant_type="refresh_token", refresh_token=got["refresh_token"])


async def refreshes_after_a_change(stage: Stage) -> None:
    """The app calls itself otherwise than when she allowed it."""
    client, code = await _allowed(stage)
    got, house = await _redeem(stage, client, code), stage.house
    await dynamic.change(house.vault, dynamic.described(WISH | {"client_name": "Bank"}, client), house.clock())
    await stage.begin()
    await _token(stage, 400, client_id=client, grant_type="refresh_token", refresh_token=got["refresh_token"])


async def _redeem(stage: Stage, client: str, code: str) -> dict[str, Any]:
    return await _token(stage, client_id=client, grant_type="authorization_code", code=code,
                        redirect_uri=sample.RETURN, code_verifier=sample.VERIFIER)  # fmt: skip


async def _token(stage: Stage, status: int = 200, **form: str) -> dict[str, Any]:
    proof = {"dpop": stage.house.proof("POST", "/oauth/token")}
    return dict((await ok(stage.house.http.post("/oauth/token", data=form, headers=proof), status)).json())
