"""Who has access: less, a freeze and an end, as plain forms; what the page says was done is read from the grant."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from consent import endings, grants, receipts
from consent.terms import Terms
from keys.text import b64
from tests.house import ALL_INTERESTS, INTERESTS, Granted, Household
from web import proven
from web.pages import views
from web.pages.granted import AccessPage, GrantCard

LOANS = {"category": "kluis:LibraryLoan", "necessity": "required"}


def headers(house: Household) -> dict[str, str]:
    return {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}"}


async def look(house: Household, path: str = "/me/access") -> str:
    answer = await house.http.get(path, headers=headers(house))
    assert answer.status_code == 200
    return answer.text


async def press(house: Household, path: str, **fields: Any) -> httpx.Response:
    data = {"csrf": house.session.csrf} | fields
    return await house.http.post(f"/me/access/{path}", data=data, headers=headers(house))


def terms(house: Household, granted: Granted) -> Terms:
    found = grants.load(house.vault, granted.id)
    assert found is not None
    return found.terms


def version(shown: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', shown)
    assert found is not None
    return found[1]


async def test_a_restricted_app_reads_nothing_until_it_may_go_on(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    done = await house.press(f"/me/access/{b64(granted.id)}/restrict")
    shown = await look(house, done.headers["location"])
    assert "is bevroren" in shown and "1 is bevroren" in shown and "Verder laten gaan" in shown
    assert (await house.call("GET", "/api/records?category=pd:Interest", granted.access)).status_code == 403
    again = await house.press(f"/me/access/{b64(granted.id)}/restrict")
    assert again.headers["location"] == done.headers["location"]
    done = await house.press(f"/me/access/{b64(granted.id)}/resume")
    shown = await look(house, done.headers["location"])
    assert "mag weer verder" in shown and "Bevriezen" in shown
    assert (await house.call("GET", "/api/records?category=pd:Interest", granted.access)).status_code == 200


async def test_a_category_is_taken_out_at_once_and_the_proof_of_it_is_one_press_away(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, LOANS)
    here = f"{b64(granted.id)}/less"
    shown = await look(house, f"/me/access/{here}")
    assert "checked" not in shown and "selected" not in shown
    done = await press(house, here, version=version(shown), drop="kluis:LibraryLoan")
    assert [datum.key for datum in terms(house, granted).data] == ["pd:Interest"]
    told = await look(house, done.headers["location"])
    assert "ziet nu minder" in told and "Je leningen" not in told.partition('id="gestopt"')[0]
    newest = b64(grants.kept_receipts(house.vault, house.session.pod)[-1].id)
    assert f'href="/me/receipts/{newest}">Bekijk het bewijs' in told
    answer = await house.call("GET", "/api/records?category=kluis:LibraryLoan", granted.access)
    assert answer.status_code == 403
    assert (await press(house, here, version=version(shown), drop="kluis:LibraryLoan")).headers == done.headers


async def test_every_proof_goes_on_telling_what_it_proves_after_less_and_after_the_end(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, LOANS)
    here = f"{b64(granted.id)}/less"
    await press(house, here, version=version(await look(house, f"/me/access/{here}")), drop="kluis:LibraryLoan")
    await press(house, f"{b64(granted.id)}/withdraw")
    kept = grants.kept_receipts(house.vault, house.session.pod)
    gave, less, stopped = [await look(house, f"/me/receipts/{b64(one.id)}") for one in kept if one.grant == granted.id]
    assert "Je gaf toestemming aan" in gave and "Je leningen" in gave and "Wat niet" not in gave
    assert "Je veranderde wat" in less and less.index("Wat niet") < less.index("Je leningen")
    assert "Je stopte de toegang van" in stopped and "Je leningen" not in stopped and "Stoppen" not in stopped


async def test_every_step_that_a_receipt_can_be_of_has_words(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    said = receipts.receipt(terms(house, granted), "g", "given", house.clock())
    for step in {"given", "renewed", "amended", "withdrawn"} | endings.ENDED:
        said["event"]["event_type"] = step
        page = proven.page("r", said, house.clock(), "stad", "doel", ())
        assert page.app in page.title and page.kind


async def test_a_grant_ends_sooner_but_never_later(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    here, before = f"{b64(granted.id)}/less", terms(house, granted).expires
    shown = await look(house, f"/me/access/{here}")
    assert 'name="drop"' not in shown
    await press(house, here, version=version(shown), until="P7D")
    week = int(house.clock().timestamp() * 1000) + 7 * 86_400_000
    assert terms(house, granted).expires == week < before
    shown = await look(house, f"/me/access/{here}")
    assert 'value="P7D"' not in shown
    for longer in ("P1M", "P1Y", "asked", "x"):
        answer = await press(house, here, version=version(shown), until=longer)
        assert answer.headers["location"].endswith("failed=nothing")
    assert terms(house, granted).expires == week


@pytest.mark.parametrize(
    ("fields", "failed", "said"),
    [
        ({}, "nothing", "Je koos niets. Er is niets veranderd."),
        ({"drop": "pd:Location"}, "nothing", "Je koos niets. Er is niets veranderd."),
        ({"drop": ["pd:Interest", "kluis:LibraryLoan"]}, "all", "Dan blijft er niets over. Er is niets veranderd."),
    ],
)
async def test_a_choice_that_changes_nothing_or_leaves_nothing_is_told_and_loses_nothing(
    house: Household, fields: dict[str, Any], failed: str, said: str
) -> None:
    granted = await house.grant(ALL_INTERESTS, LOANS)
    here, before = f"{b64(granted.id)}/less", terms(house, granted)
    answer = await press(house, here, version=version(await look(house, f"/me/access/{here}")), **fields)
    assert answer.headers["location"] == f"/me/access/{here}?failed={failed}"
    assert said in await look(house, answer.headers["location"])
    assert terms(house, granted) == before


async def test_from_now_on_is_said_for_what_it_is(house: Household) -> None:
    await house.grant({**LOANS, "since": "grant"}, INTERESTS)
    shown = await look(house)
    assert "Alleen wat er sinds 21 november 2026 bij komt. Voor wat er al lag, kreeg de app geen sleutel." in shown
    assert "Alleen: Onderwerpen." in shown


async def test_how_far_back_an_app_sees_is_said(house: Household) -> None:
    await house.grant({**LOANS, "window": "P6M"})
    shown = await look(house)
    assert "Alleen de laatste 6 maanden." in shown and "geen sleutel" not in shown


async def test_stopping_pausing_and_giving_less_weigh_the_same_and_stopping_is_one_press(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, LOANS)
    shown, name = await look(house), b64(granted.id)
    buttons = ("withdraw", "restrict", "less")
    classes = {kind: re.search(rf'class="([^"]+)" id="{kind}-{name}"', shown) for kind in buttons}
    assert {found[1] for found in classes.values() if found} == {"btn"} and all(classes.values())
    done = await house.press(f"/me/access/{name}/withdraw")
    assert "is gestopt" in await look(house, done.headers["location"])


async def test_a_link_cannot_make_the_page_say_what_was_not_done(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    name, plain = b64(granted.id), await look(house)
    for lie in (f"stopped={name}", f"restricted={name}", f"less={name}", "less=x", "resumed=<b>"):
        assert await look(house, f"/me/access?{lie}") == plain


@pytest.mark.parametrize("step", ["restrict", "resume", "less", "withdraw", "other"])
async def test_nobody_elses_grant_and_no_step_that_there_is_not(house: Household, step: str) -> None:
    granted = await house.grant(ALL_INTERESTS)
    for name in (b64(b"x" * 16), "x"):
        assert (await press(house, f"{name}/{step}")).status_code in (400, 404)
    bare = await house.http.post(f"/me/access/{b64(granted.id)}/{step}", headers=headers(house))
    assert bare.status_code in (400, 403)
    found = grants.load(house.vault, granted.id)
    assert found is not None and found.state == "live"


async def test_a_restricted_app_can_get_less_and_one_that_ended_cannot(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, LOANS)
    here = f"{b64(granted.id)}/less"
    await house.press(f"/me/access/{b64(granted.id)}/restrict")
    shown = await look(house, f"/me/access/{here}")
    done = await press(house, here, version=version(shown), drop="kluis:LibraryLoan")
    told = await look(house, done.headers["location"])
    assert "ziet nu minder" in told and "1 is bevroren" in told
    await house.press(f"/me/access/{b64(granted.id)}/withdraw")
    ended = await house.http.get(f"/me/access/{here}", headers=headers(house))
    assert (ended.status_code, ended.headers["location"]) == (303, "/me/access")


def test_what_lasts_for_a_session_is_not_shown_as_if_it_went_on_after_it() -> None:
    until = datetime(2026, 11, 29, tzinfo=UTC)
    card = GrantCard("g", "Notities", "notities.example", "Werken", "toestemming", (), until, 0, session=True)
    text = views.render("access", AccessPage((card,)), person="An", user="an", role="citizen", csrf="t")
    assert "je je afmeldt op het toestel waar je dit toestond" in text
    without = views.render("access", AccessPage((replace(card, session=False),)), person="An", csrf="t")
    assert "je je afmeldt" not in without
