"""What a citizen does to get in and on her own pages: one function an act, that prepares, begins, and acts."""

import html
import json
import re

import httpx

from consent import gate
from consent.accounts import links, passphrase, people, tries
from consent.accounts.people import enroll
from keys.text import b64
from keys.unlock import new_code
from tests.consent.authenticator import Device
from tests.log.acts import PHRASE, Act, ok
from tests.log.stage import SAME, Stage
from vault import store

# ---------------------------------------------------------------- getting in


async def logs_in(stage: Stage) -> None:
    await stage.begin()
    answer = await ok(stage.form("/login", user="an", passphrase=stage.house.codes[0]), 303)
    assert "failed" not in answer.headers["location"]


async def logs_in_wrongly(stage: Stage) -> None:
    await stage.begin()
    answer = await ok(stage.form("/login", user="an", passphrase=new_code()), 303)
    assert "failed" in answer.headers["location"]


async def nobody_logs_in(stage: Stage) -> None:
    await stage.begin()
    await ok(stage.form("/login", user="niemand", passphrase=new_code()), 303)


def tries_too_often(user: str) -> Act:
    """Two tries while the name rests, after wrong ones; nobody is told whether there is such a name."""

    async def act(stage: Stage) -> None:
        for _ in range(tries.FREE_TRIES):
            await stage.form("/login", user=user, passphrase=new_code())
        await stage.begin()
        for _ in range(2):
            answer = await ok(stage.form("/login", user=user, passphrase=new_code()), 303)
            assert "failed" in answer.headers["location"]

    return act


async def _passkey(stage: Stage) -> Device:
    device = Device()
    await ok(_adds_passkey(stage, device), 303)
    return device


async def _adds_passkey(stage: Stage, device: Device) -> httpx.Response:
    page = await stage.mine("GET", "/me/security")
    credential, prf = device.create(_options(page, "create"))
    answer = await stage.mine("POST", "/me/security/passkeys", proof=stage.house.codes[0], new_credential=credential,
                              new_prf=prf)  # fmt: skip
    assert "done=passkey" in answer.headers["location"], answer.headers["location"]
    return answer


def _options(page: httpx.Response, name: str) -> str:
    return html.unescape(re.findall(rf'data-{name}="([^"]+)"', page.text)[0])


async def adds_passkey(stage: Stage) -> None:
    await stage.begin()
    await _adds_passkey(stage, Device())


def logs_in_by_passkey(*, good: bool) -> Act:
    async def act(stage: Stage) -> None:
        device, http = await _passkey(stage), stage.house.http
        await stage.begin()
        page = await http.get("/login")
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        used = device if good else Device(user=device.user, id=device.id)
        credential, prf = used.get(_options(page, "ask"))
        fields = {"csrf": token, "next": "/me", "credential": credential, "prf": prf}
        answer = await ok(http.post("/login/passkey", data=fields, headers=SAME), 303)
        http.cookies.clear()
        assert ("failed" in answer.headers["location"]) is not good

    return act


async def follows_link(stage: Stage) -> None:
    house = stage.house
    made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock(), demo=True)
    opened = await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
    assert opened is not None
    house.cookie, house.session = opened
    (house.house.settings.data / "demo").mkdir()
    (house.house.settings.data / "demo" / "unlockers.json").write_text(json.dumps({b64(made.account): made.demo}))
    link = await links.new_link(house.vault, made.account, house.clock.now.replace(year=2027))
    await stage.begin()
    answer = await ok(house.http.get(f"/login/demo/{link}"), 303)
    assert answer.headers["location"] == "/me"
    house.http.cookies.clear()


async def logs_out(stage: Stage) -> None:
    await stage.begin()
    await ok(stage.mine("POST", "/logout"), 303)


# ---------------------------------------------------------------- her own pages


def presses(path: str, status: int = 303, *, proven: bool = True, method: str = "POST", **fields: str) -> Act:
    """An fills in a form of a page of hers, with a proof that holds or with none."""

    async def act(stage: Stage) -> None:
        await stage.begin()
        proof = {"proof": stage.house.codes[0] if proven else "niet de goede zin"} if method == "POST" else {}
        await ok(stage.mine(method, path, **(proof | fields)), status)

    return act


async def removes_a_way(stage: Stage) -> None:
    await _passkey(stage)
    account = people.by_id(stage.house.vault, stage.house.session.account)
    assert account is not None
    await stage.begin()
    way = b64(account.ways_of("passkey")[0])
    answer = await stage.mine("POST", f"/me/security/unlockers/{way}/remove", proof=stage.house.codes[0], stay="1")
    assert "done=removed" in answer.headers["location"]


async def ends_another_session(stage: Stage) -> None:
    other = await passphrase.login(stage.house.vault, "an", stage.house.codes[1], stage.house.clock())
    assert other is not None
    await stage.begin()
    await ok(stage.mine("POST", f"/me/sessions/{b64(other[1].handle)}/end"), 303)


async def takes_away(stage: Stage) -> bytes:
    await stage.begin()
    taken = await ok(stage.mine("POST", "/me/take-away", passphrase=PHRASE, again=PHRASE, what="data"))
    return taken.content


async def takes_kit(stage: Stage) -> None:
    await stage.begin()
    proof = stage.house.codes[0]
    await ok(stage.mine("POST", "/me/take-away", passphrase=PHRASE, again=PHRASE, what="kit", proof=proof))


async def brings_back(stage: Stage) -> None:
    house, taken = stage.house, await takes_away(stage)
    permit, _ = gate.own(house.session, "interests", "delete", "/interests/a.jsonld")
    await store.remove(house.vault, permit, "/interests/a.jsonld", house.clock())
    await stage.begin()
    same = SAME | {"cookie": f"kluis={house.cookie}"}
    form = {"csrf": house.session.csrf, "passphrase": PHRASE}
    await ok(house.http.post("/me/take-away/back", data=form, files={"file": ("a.age", taken)}, headers=same))


async def erases_by_program(stage: Stage) -> None:
    await stage.begin()
    await ok(stage.mine("POST", "/api/erase", secret=stage.house.codes[0]))
