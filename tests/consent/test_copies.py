"""The app's copy after the end: a rule over terms, end, question and answer; and the signed answer itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent import copies, endings, events, grants, outbox
from consent.copies import Copy, standing
from consent.terms import Terms
from keys.sign import new_es256
from keys.text import b64
from tests.consent import sample
from tests.house import Household
from tests.web.pushing import LASTING, given
from vault.gates import DAY_MS

END = 1_800_000_000_000
SAME = {"sec-fetch-site": "same-origin"}


def at(days: float) -> datetime:
    return datetime.fromtimestamp(END / 1000, UTC) + timedelta(days=days)


def terms(copy: str, retention: str = "P10D") -> Terms:
    made = sample.terms(storage={"country": "BE", "copy": copy}, retention=retention)
    assert isinstance(made, Terms)
    return made


@pytest.mark.parametrize(
    ("copy", "retention", "asked", "deleted", "days", "expected"),
    [
        ("durable", "P10D", None, None, 9, Copy("kept", END + 10 * DAY_MS)),
        ("durable", "P10D", None, None, 10, Copy("overdue", END + 10 * DAY_MS)),
        ("cache", "P0D", None, None, 2, Copy("kept", END + 3 * DAY_MS)),  # three days at the least
        ("cache", "P0D", None, None, 3, Copy("overdue", END + 3 * DAY_MS)),
        ("durable", "P5Y", 0, None, 29, Copy("kept", END + 30 * DAY_MS, END)),  # a month once she asked
        ("durable", "P5Y", 0, None, 31, Copy("overdue", END + 30 * DAY_MS, END)),
        (
            "durable",
            "P10D",
            11,
            None,
            12,
            Copy("overdue", END + 10 * DAY_MS, END + 11 * DAY_MS),
        ),  # asking gives no time
        ("durable", "P10D", None, 4, 99, Copy("deleted", END + 10 * DAY_MS, None, END + 4 * DAY_MS)),
        ("none", "P0D", None, None, 99, None),
        ("none", "P0D", 0, None, 5, Copy("kept", END + 30 * DAY_MS, END)),
    ],
)
def test_how_it_stands_with_a_copy_follows_from_terms_end_question_and_answer(
    copy: str, retention: str, asked: int | None, deleted: int | None, days: float, expected: Copy | None
) -> None:
    moments = [None if one is None else END + one * DAY_MS for one in (asked, deleted)]
    assert standing(terms(copy, retention), END, *moments, at(days)) == expected


def statement(house: Household, grant: bytes, key: Any = sample.APP_KEY, **changes: Any) -> str:
    claims = {"iss": "cultuurgids", "aud": house.vault.base, "sub": b64(grant),
              "deleted_at": int(house.clock().timestamp())}  # fmt: skip
    header = {"typ": changes.pop("typ", copies.TYP), "alg": "ES256", "kid": key["kid"]}
    return str(sample.compact(header, {**claims, **changes}, key))


async def attest(house: Household, grant: bytes, said: str | None, jti: str, client: str = "cultuurgids") -> Any:
    moment = int(house.clock().timestamp())
    own = sample.assertion(iss=client, sub=client, jti=jti, iat=moment, exp=moment + 60)
    form = {"client_assertion_type": sample.ASSERTION_TYPE, "client_assertion": own}
    form |= {} if said is None else {"attestation": said}
    return await house.http.post(f"/oauth/grants/{b64(grant)}/attest", data=form)


async def ended(house: Household) -> bytes:
    grant = await given(house, sample.APP, **LASTING)
    assert await endings.withdraw(house.vault, house.session, grant, house.clock())
    return grant


async def shown(house: Household, grant: bytes) -> Any:
    cookie = {"cookie": f"kluis={house.cookie}"}
    return (await house.http.get(f"/api/grants/{b64(grant)}", headers=cookie)).json()


async def test_what_an_app_signed_about_its_copy_is_kept_as_evidence_and_ends_the_deadline(house: Household) -> None:
    grant = await ended(house)
    assert (await shown(house, grant))["copy"]["state"] == "kept"
    house.clock.forward(minutes=5)
    said = statement(house, grant)
    answer = await attest(house, grant, said, "1")
    assert answer.status_code == 200 and answer.json()["deleted_at"] == int(house.clock().timestamp())
    copy = (await shown(house, grant))["copy"]
    assert (copy["state"], copy["evidence"]) == ("deleted", said)
    line = house.told()[-1]
    assert (line["action"], line["rule"], line["signature"]) == ("attest deletion", "client", said)
    assert (await attest(house, grant, said, "2")).json() == answer.json()  # once is enough
    steps = events.history(house.vault, house.session.pod, grant)
    assert [step.state for step in steps].count("attested") == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"sub": "AAAAAAAAAAAAAAAAAAAAAA"}, "sub"), ({"iss": "other"}, "from the app"),
     ({"aud": "https://x.example"}, "issuer"), ({"typ": "jwt"}, "type"),
     ({"deleted_at": 1}, "before the end"), ({"deleted_at": 2**40}, "no moment"),
     ({"deleted_at": True}, "no moment"), ({"deleted_at": "now"}, "no moment"),
     ({"key": new_es256()}, "not acceptable")],
)  # fmt: skip
async def test_a_statement_that_is_not_the_apps_own_about_this_grant_is_refused(
    house: Household, changes: dict[str, Any], why: str
) -> None:
    grant = await ended(house)
    answer = await attest(house, grant, statement(house, grant, **changes), "1")
    assert answer.status_code == 400 and why in answer.json()["error_description"], answer.text
    assert (await shown(house, grant))["copy"]["state"] == "kept"


async def test_a_live_grant_another_apps_grant_and_nothing_signed_are_refused(house: Household) -> None:
    live = await given(house)
    said = statement(house, live)
    assert (await attest(house, live, said, "1")).json()["error_description"] == "The grant has not ended."
    assert (await attest(house, live, None, "2")).status_code == 400
    assert (await attest(house, b"x" * 16, said, "3")).status_code == 404
    other = replace(sample.APP, client_id="other")
    from consent import clients

    await clients.register(house.vault, other, house.clock())
    assert (await attest(house, live, said, "4", "other")).status_code == 404
    form = {"attestation": said}
    assert (await house.http.post(f"/oauth/grants/{b64(live)}/attest", data=form)).status_code == 401


async def test_she_asks_the_app_to_delete_its_copy_once_and_it_is_told_until_when(house: Household) -> None:
    grant = await ended(house)
    for _ in range(2):
        assert await copies.ask(house.vault, house.session, grant, house.clock())
    told = {one.signal.event: one.signal.detail for one in outbox.of_pod(house.vault, house.session.pod)}
    assert told.keys() == {"withdrawn", "delete"}
    assert told["delete"]["deadline"] == told["withdrawn"]["deadline"]  # ten days come before a month
    assert house.told()[-1]["action"] == "ask deletion"
    assert [one["action"] for one in house.told()].count("ask deletion") == 1


async def test_nobody_is_asked_about_a_grant_that_lives_or_is_somebody_elses(house: Household) -> None:
    live = await given(house)
    assert not await copies.ask(house.vault, house.session, live, house.clock())
    assert not await copies.ask(house.vault, house.session, b"x" * 16, house.clock())
    assert outbox.of_pod(house.vault, house.session.pod) == []


async def test_the_page_shows_the_deadline_the_question_and_that_it_is_too_late(house: Household) -> None:
    granted = await house.grant({"category": "pd:Interest", "necessity": "required"}, **LASTING)
    await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    await house.withdraw(granted)
    cookie, path = {"cookie": f"kluis={house.cookie}"}, f"/me/access/{b64(granted.id)}/copy/delete"

    async def page(query: str = "") -> str:
        return (await house.http.get(f"/me/access{query}", headers=cookie)).text

    assert "De app mag een kopie houden tot" in await page() and path in await page()
    assert "kreeg de vraag" not in await page(f"?asked={b64(granted.id)}")  # a link does not make it so
    answer = await house.press(path)
    assert answer.status_code == 303
    after = await page(answer.headers["location"].removeprefix("/me/access"))
    assert "kreeg de vraag om je kopie te wissen" in after and "De app heeft tijd tot" in after and path not in after
    assert "We laten dit aan de app weten" in after
    found = grants.load(house.vault, granted.id)
    assert found is not None
    late = copies.of_grant(house.vault, found, house.clock() + timedelta(days=10))
    assert late is not None and late.state == "overdue"


async def test_the_api_asks_as_the_page_does(house: Household) -> None:
    grant = await ended(house)
    headers = SAME | {"cookie": f"kluis={house.cookie}", "kluis-form": house.session.csrf}
    answer = await house.http.post(f"/api/grants/{b64(grant)}/copy/delete", headers=headers)
    assert answer.status_code == 200 and answer.json()["copy"]["asked"] is not None
    assert [one["event"] for one in (await shown(house, grant))["told"]] == ["withdrawn", "delete"]
    assert (await house.http.post(f"/api/grants/{b64(b'x' * 16)}/copy/delete", headers=headers)).status_code == 404
