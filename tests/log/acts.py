"""What people, apps, sources and the operator do: one function an act, that prepares, begins, and acts."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import httpx

from consent import solid
from consent.accounts import passphrase, people
from consent.accounts.people import enroll
from consent.oauth.clients import ASSERTION_TYPE
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.house import ALL_INTERESTS, Granted
from tests.log.stage import SAME, Stage
from tests.web.test_sealed_deposits import Source, loan
from tests.web.test_sources import deliver, loans
from web.timekeeper import Timekeeper

Act = Callable[[Stage], Awaitable[object]]
POSTAL = {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "required"}
ONGOING = {"recurrence": {"mode": "ongoing"}}
PHRASE = "zeven groene fietsen"
A = "/pods/an/interests/a.jsonld"
NOTE = "/pods/an/public/a.txt"
TEXT = {"content-type": "text/plain"}
PURPOSES = [{"code": "dpv:ProvideEventRecommendations", "text": {"nl": "x"}, "categories": ["pd:Interest"]}]


async def ok(answer: Awaitable[httpx.Response], *statuses: int) -> httpx.Response:
    """An answer with one of these statuses, 200 if none is named."""
    got = await answer
    assert got.status_code in (statuses or (200,)), (got.status_code, got.headers.get("location"), got.text[:500])
    return got


async def granted(stage: Stage, *data: dict[str, object]) -> Granted:
    """An allowed the app something; what comes now is the act."""
    data = data or (ALL_INTERESTS, POSTAL)
    found = await stage.house.grant(*data, **ONGOING)
    await stage.begin()
    return found


# ---------------------------------------------------------------- a grant, seen by the citizen


def on_grant(path: str, status: int = 303, *data: dict[str, object], method: str = "POST", **fields: str) -> Act:
    """An presses something about the grant."""

    async def act(stage: Stage) -> None:
        held = await granted(stage, *data)
        await ok(stage.mine(method, path.format(grant=b64(held.id)), **fields), status)

    return act


async def resumed(stage: Stage) -> None:
    held = await stage.house.grant(ALL_INTERESTS)
    await stage.mine("POST", f"/me/access/{b64(held.id)}/restrict")
    await stage.begin()
    await ok(stage.mine("POST", f"/me/access/{b64(held.id)}/resume"), 303)


# ---------------------------------------------------------------- the app


def reads(path: str, *data: dict[str, object], method: str = "GET", status: int = 200, **headers: str) -> Act:
    """The app reads with its token."""

    async def act(stage: Stage) -> None:
        held = await granted(stage, *data)
        await ok(stage.app(method, path, held, **headers), status)

    return act


def reads_after_withdrawal(path: str) -> Act:
    async def act(stage: Stage) -> None:
        held = await stage.house.grant(ALL_INTERESTS, POSTAL, **ONGOING)
        await stage.house.withdraw(held)
        await stage.begin()
        await ok(stage.app("GET", path, held), 401)

    return act


def without_token(method: str, path: str, status: int = 401, **headers: str) -> Act:
    """Somebody with nothing."""

    async def act(stage: Stage) -> None:
        await stage.begin()
        await ok(stage.house.http.request(method, path, headers=_spelled(headers)), status)

    return act


# ---------------------------------------------------------------- OAuth


async def sends(stage: Stage, path: str, **form: str) -> httpx.Response:
    at = int(stage.house.clock().timestamp())
    own = sample.assertion(jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
    said = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": own, **form}
    return await stage.house.http.post(path, data=said, headers={"dpop": stage.house.proof("POST", path)})


async def _pushed(stage: Stage) -> str:
    details = json.dumps([sample.detail(datatypes=[ALL_INTERESTS, POSTAL])])
    answer = await ok(
        sends(stage, "/oauth/par", response_type="code", redirect_uri=sample.RETURN, code_challenge=sample.CHALLENGE,
              code_challenge_method="S256", state="s", authorization_details=details), 201)  # fmt: skip
    return str(answer.json()["request_uri"])


async def _shown(stage: Stage) -> dict[str, str]:
    query = {"client_id": "cultuurgids", "request_uri": await _pushed(stage)}
    cookie = {"cookie": f"kluis={stage.house.cookie}", "accept": "text/html"}
    page = await ok(stage.house.http.get("/oauth/authorize", params=query, headers=cookie))
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))


async def pushes(stage: Stage) -> None:
    await stage.begin()
    await _pushed(stage)


def is_no_client(path: str) -> Act:
    """Somebody signs as the app with a key that is not the app's, and somebody shows nothing."""

    async def act(stage: Stage) -> None:
        await stage.begin()
        at = int(stage.house.clock().timestamp())
        other = sample.assertion(key=sample.PROOF_KEY, jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
        said = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": other, "token": "x",
                "grant_type": "refresh_token", "refresh_token": "x"}  # fmt: skip
        proof = {"dpop": stage.house.proof("POST", path)}
        await ok(stage.house.http.post(path, data=said, headers=proof), 401)

    return act


async def introspects(stage: Stage) -> None:
    held = await granted(stage)
    await ok(sends(stage, "/oauth/introspect", token=held.access))


async def is_shown(stage: Stage) -> None:
    await stage.begin()
    await _shown(stage)


def answers(decision: str) -> Act:
    async def act(stage: Stage) -> None:
        hidden = await _shown(stage)
        await stage.begin()
        await ok(stage.mine("POST", "/oauth/authorize", **(hidden | {"decision": decision})), 303)

    return act


async def _code(stage: Stage) -> dict[str, str]:
    hidden = await _shown(stage)
    answer = await stage.mine("POST", "/oauth/authorize", **(hidden | {"decision": "allow"}))
    code = re.findall(r"[?&]code=([^&]+)", answer.headers["location"])[0]
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": sample.RETURN,
            "code_verifier": sample.VERIFIER}  # fmt: skip


async def redeems(stage: Stage) -> None:
    form = await _code(stage)
    await stage.begin()
    await ok(sends(stage, "/oauth/token", **form))


async def redeems_twice(stage: Stage) -> None:
    form = await _code(stage)
    await ok(sends(stage, "/oauth/token", **form))
    await stage.begin()
    await ok(sends(stage, "/oauth/token", **form), 400)


async def refreshes(stage: Stage) -> None:
    told = (await ok(sends(stage, "/oauth/token", **await _code(stage)))).json()
    await stage.begin()
    await ok(sends(stage, "/oauth/token", grant_type="refresh_token", refresh_token=told["refresh_token"]))


async def logs_a_program_in(stage: Stage) -> None:
    await stage.house.jwt()
    await stage.begin()
    await stage.house.jwt()


async def gives_back(stage: Stage) -> None:
    held = await granted(stage)
    await ok(sends(stage, "/oauth/revoke", token=held.refresh))


async def lists_receipts(stage: Stage) -> None:
    held = await granted(stage)
    await ok(sends(stage, "/api/log/receipts", grant=b64(held.id)))


async def takes_receipt(stage: Stage) -> None:
    held = await granted(stage)
    answer = await ok(stage.app("GET", A, held, prefer="receipt"))
    await stage.house.vault.publish()
    await stage.begin()
    path, key = f"/api/log/receipts/{answer.headers['kluis-entry']}", answer.headers["kluis-receipt"]
    await ok(sends(stage, path, key=key))


def manages(method: str, status: int) -> Act:
    async def act(stage: Stage) -> None:
        held = await granted(stage)
        await ok(stage.app(method, f"/oauth/grants/{b64(held.id)}", held), status)

    return act


async def registers_openly(stage: Stage) -> None:
    await stage.begin()
    await ok(stage.house.http.post("/oauth/register", json={"client_name": "x"}), 400, 401)


async def registers_as_developer(stage: Stage) -> None:
    house = stage.house
    made = await enroll(house.vault, "dev", "Dev", "developer", None, PHRASE, house.clock())
    assert made
    opened = await passphrase.login(house.vault, "dev", PHRASE, house.clock())
    assert opened is not None
    await stage.begin()
    told = {"client_name": "Proef", "redirect_uris": [sample.RETURN], "jwks": {"keys": [sample.public(sample.APP_KEY)]},
            "token_endpoint_auth_method": "private_key_jwt", "controller": "https://stad.example/x",
            "purposes": PURPOSES}  # fmt: skip
    headers = SAME | {"cookie": f"kluis={opened[0]}", "kluis-form": opened[1].csrf}
    await ok(house.http.post("/oauth/register", json=told, headers=headers), 201)


# ---------------------------------------------------------------- sources and the operator


async def delivers(stage: Stage) -> None:
    await deliver(stage.house, b"[]", {"pod": "an"})
    await stage.begin()
    answer, _ = await deliver(stage.house, loans("1", "2"), {"pod": "an"})
    assert answer.status_code == 200, answer.text


async def delivers_for_another(stage: Stage) -> None:
    await deliver(stage.house, loans("1"), {"pod": "an"})
    await stage.begin()
    answer, _ = await deliver(stage.house, loans("2"), {"pod": "mia"})
    assert answer.status_code == 401, answer.text


async def asks_for_box(stage: Stage) -> None:
    await Source(stage.house).box("een")
    await stage.begin()
    await Source(stage.house).box("twee")


async def delivers_sealed(stage: Stage) -> None:
    source = Source(stage.house)
    box = await source.box("twee", "drie")
    items = [source.seal(box, item, loan(name)) for item, name in zip(box["items"], ("twee", "drie"), strict=True)]
    await stage.begin()
    await ok(source.post("deposits", source.delivery(box, items)))


def operates(path: str, status: int = 200, method: str = "POST", **more: object) -> Act:
    async def act(stage: Stage) -> None:
        await stage.begin()
        await ok(stage.operator(method, path, **more), status)

    return act


async def clock_jumps(stage: Stage) -> None:
    """The clock jumps ahead, and the operator says that it is right."""
    house = stage.house
    wall = house.clock.now
    keeper = Timekeeper(lambda: wall, lambda: 0.0, wall)
    wall += timedelta(days=4)
    await stage.begin()
    before = stage.house.house
    stage.house.house = replace(before, keeper=keeper)
    await ok(stage.operator("POST", "/api/operator/clock/accept"))
    stage.house.house = before


# ---------------------------------------------------------------- pods, by a program of An's


def program(method: str, path: str, status: int = 200, content: bytes | None = None, **headers: str) -> Act:
    """A program with An's own credentials, in a pod with one note."""

    async def act(stage: Stage) -> None:
        token = await stage.house.jwt()
        await ok(stage.house.call("PUT", NOTE, token, TEXT, b"dag"), 201, 204)
        await stage.begin()
        await ok(stage.house.call(method, path, token, _spelled(headers), content), status)

    return act


def _spelled(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def refreshes_after_withdrawal(stage: Stage) -> None:
    held = await stage.house.grant(ALL_INTERESTS, **ONGOING)
    await stage.house.withdraw(held)
    await stage.begin()
    await ok(sends(stage, "/oauth/token", grant_type="refresh_token", refresh_token=held.refresh), 400)


async def citizen_delivers(stage: Stage) -> None:
    await stage.begin()
    headers = SAME | {"cookie": f"kluis={stage.house.cookie}", "kluis-form": stage.house.session.csrf}
    await ok(stage.house.http.post("/api/sources/mijnbib/deposits?pod=an", content=loans("7"), headers=headers))


async def citizen_delivers_to_another(stage: Stage) -> None:
    await stage.begin()
    headers = SAME | {"cookie": f"kluis={stage.house.cookie}", "kluis-form": stage.house.session.csrf}
    await ok(stage.house.http.post("/api/sources/mijnbib/deposits?pod=mia", content=loans("1"), headers=headers), 403)


async def operator_delivers(stage: Stage) -> None:
    await stage.begin()
    await ok(stage.operator("POST", "/api/sources/mijnbib/deposits?pod=an", content=loans("8")))


def another_programs(method: str, path: str, status: int = 403, **headers: str) -> Act:
    """A program of Bo's at An's pod."""

    async def act(stage: Stage) -> None:
        house = stage.house
        made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
        opened = await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
        assert opened is not None
        account = people.find(house.vault, "bo")
        assert account is not None
        hers = await solid.credentials(house.vault, opened[1].pod, account.webid, "Bo's", house.clock())
        bos = replace(house, secrets={"id": hers.client_id, "secret": hers.client_secret})
        token = await bos.jwt()
        await stage.begin()
        await ok(house.call(method, path, token, _spelled(headers)), status)

    return act
