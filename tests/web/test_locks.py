"""New locks, sealing a folder, and erasing everything, as pages: a fresh proof each time, nothing lost without it."""

import asyncio
import re

import httpx
import pytest

from consent.accounts import passphrase
from consent.accounts.sessions import find
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Household
from vault.pod import compartments
from web import guard

PAGES = ["/me/security/locks", "/me/security/rooms/settings", "/me/erase"]


def headers(house: Household) -> dict[str, str]:
    return {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}"}


async def look(house: Household, path: str) -> str:
    answer = await house.http.get(path, headers=headers(house))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.text


async def press(house: Household, path: str, **fields: str) -> httpx.Response:
    answer = await house.http.post(path, data={"csrf": house.session.csrf} | fields, headers=headers(house))
    if fresh := find(house.vault, answer.cookies.get("kluis", ""), house.clock()):
        house.cookie, house.session = answer.cookies["kluis"], fresh
    return answer


async def prove(house: Household, path: str, **fields: str) -> httpx.Response:
    return await press(house, path, proof=house.codes[0], **fields)


def generations(house: Household) -> dict[str, tuple[int, str]]:
    found = compartments(house.vault, house.session.pod)
    return {one.container: (one.generation, one.custody) for one in found}


async def test_new_locks_for_everything_end_other_sessions_and_keep_grants(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    other = await passphrase.login(house.vault, "an", house.codes[1], house.clock())
    before = generations(house)
    done = await prove(house, "/me/security/locks")
    assert (done.status_code, done.headers["location"]) == (303, "/me/security?done=locks")
    after = generations(house)
    assert all(after[name][0] > before[name][0] for name in before)
    assert other is not None and find(house.vault, other[0], house.clock()) is None
    shown = await look(house, "/me/security?done=locks")
    assert "Al je sloten zijn nieuw" in shown and "Laatst gedaan op" in shown
    answer = await house.call("GET", "/api/records?category=pd:Interest", granted.access)
    assert answer.status_code == 200 and "jazz" in answer.text


async def test_the_page_links_the_very_line_that_says_when_the_locks_were_changed(house: Household) -> None:
    assert "Laatst gedaan op" not in await look(house, "/me/security")
    await prove(house, "/me/security/locks")
    shown = await look(house, "/me/security")
    there = re.search(r'href="(/me/log\?before=\d+)#(line-\d+)"', shown)
    assert there is not None
    log = await look(house, there[1])
    line = log[log.index(f'id="{there[2]}"') :]
    assert "vernieuwde je hoofdsleutel" in line[: line.index("</li>")]
    said = await look(house, "/me/log")
    assert "Van een verzegelde lade" in said and "Van een beheerde map" in said and ">sealed<" not in said


async def test_a_password_keeper_is_told_the_name_that_she_logs_in_with(house: Household) -> None:
    for path in ("/me/security", "/me/security/locks", "/me/take-away", "/me/erase"):
        told = re.findall(r'name="username" value="([^"]*)"', await look(house, path))
        assert told and set(told) == {"an"}


async def test_a_copy_of_the_very_cookie_that_changed_all_locks_opens_nothing_any_more(house: Household) -> None:
    copied, before = headers(house), house.session
    done = await prove(house, "/me/security/locks")
    assert find(house.vault, copied["cookie"].partition("=")[2], house.clock()) is None
    assert house.vault.shares.count("session", before.handle) == 0
    assert house.session.handle != before.handle and "HttpOnly" in done.headers["set-cookie"]
    assert "geheim" in await look(house, "/me/data/interests")
    async with httpx.AsyncClient(transport=house.http._transport, base_url=BASE) as thief:
        answer = await thief.get("/me/data/interests", headers=copied)
    assert (answer.status_code, "geheim" in answer.text) == (303, False)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("proof", ["", "niet de goede zin"])
async def test_without_a_proof_nothing_changes_and_the_page_says_so(house: Household, path: str, proof: str) -> None:
    before, kept = generations(house), house.vault.shares.count("session", house.session.handle)
    answer = await press(house, path, proof=proof, custody="sealed")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, path)
    shown = await look(house, answer.headers["location"])
    assert re.search(r"We konden niet nagaan of jij het bent\. Er is niets (veranderd|gewist)\.", shown)
    assert (generations(house), house.vault.shares.count("session", house.session.handle)) == (before, kept)


@pytest.mark.parametrize("path", PAGES)
async def test_every_form_needs_our_own_page_its_token_and_a_session(house: Household, path: str) -> None:
    fields, own = {"proof": house.codes[0], "custody": "sealed"}, {"csrf": house.session.csrf}
    far = headers(house) | {"sec-fetch-site": "cross-site"}
    assert (await house.http.post(path, data=fields, headers=headers(house))).status_code == 403
    assert (await house.http.post(path, data=fields | own, headers=far)).status_code == 403
    nobody = await house.http.post(path, data=fields | own, headers={"sec-fetch-site": "same-origin"})
    assert (nobody.status_code, nobody.headers["location"]) == (303, "/login?next=%2Fme")
    assert house.vault.pod("an") is not None


async def test_a_folder_is_sealed_and_given_back(house: Household) -> None:
    await house.keep("/settings/a.jsonld", {"schema:name": "Mijn keuze"})
    shown = await look(house, "/me/security/rooms/settings")
    assert "Oude kopieën van de server houden de oude manier nog" in shown
    for wanted, said in (("sealed", "Die map is verzegeld"), ("managed", "Die map is weer beheerd")):
        done = await prove(house, "/me/security/rooms/settings", custody=wanted)
        assert done.headers["location"] == f"/me/security?done={wanted}"
        assert generations(house)["settings"][1] == wanted
        assert said in await look(house, f"/me/security?done={wanted}")
        assert "Mijn keuze" in await look(house, "/me/data/settings")


async def test_the_same_form_twice_seals_once(house: Household) -> None:
    for _ in range(2):
        done = await prove(house, "/me/security/rooms/settings", custody="sealed")
        assert done.headers["location"] == "/me/security?done=sealed"
    assert generations(house)["settings"] == (2, "sealed")


@pytest.mark.parametrize("place", ["public", "loans", "interests", "profile", "nergens", "%2e%2e"])
async def test_what_all_must_reach_and_what_is_registered_keeps_its_kind_of_lock(house: Household, place: str) -> None:
    before = generations(house)
    there = f"/me/security/rooms/{place}"
    assert (await house.http.get(there, headers=headers(house))).status_code == 404
    for wanted in ("managed", "sealed"):
        assert (await prove(house, there, custody=wanted)).status_code == 404
    assert (await prove(house, "/me/security/rooms/settings", custody="open")).status_code == 400
    assert generations(house) == before


# ---- erasing


async def test_the_page_offers_to_take_along_first_and_says_what_stays(house: Household) -> None:
    shown = await look(house, "/me/erase")
    assert shown.index('href="/me/take-away"') < shown.index('id="erase-form"')
    for said in ("het openbare logboek", "bewijzen bij apps", "7 dagen", "30 dagen"):
        assert said in shown


async def test_erasing_ends_on_a_page_without_a_word_of_hers(house: Household) -> None:
    before = house.vault.log.ledger.size
    done = await prove(house, "/me/erase")
    assert (done.status_code, done.headers["location"]) == (303, "/goodbye")
    assert house.vault.pod("an") is None
    jar = {part.partition("=")[0]: part for part in done.headers.get_list("set-cookie")}
    assert 'kluis=""' in jar["kluis"] and "Max-Age=600" in jar["kluis-gone"]
    kept = jar["kluis-gone"].partition(";")[0]
    page = await house.http.get("/goodbye", headers={"cookie": kept})
    assert "De kluis is gewist" in page.text and page.headers["clear-site-data"] == '"storage"'
    assert int(kept.partition("=")[2]) >= before and f"nr. {kept.partition('=')[2]}" in page.text
    for hers in ("An Peeters", "/pods/an", house.session.pod.id.hex(), "Afmelden"):
        assert hers not in page.text
    back = await house.http.get("/me/erase", headers={"cookie": kept})
    assert (back.status_code, back.headers["location"]) == (303, "/goodbye")


async def test_the_same_form_twice_says_what_happened_instead_of_asking_to_log_in(house: Household) -> None:
    hidden = re.search(r'name="pod" value="([^"]+)"', await look(house, "/me/erase"))
    assert hidden is not None
    for _ in range(2):
        done = await prove(house, "/me/erase", pod=hidden[1])
        assert (done.status_code, done.headers["location"]) == (303, "/goodbye")
    page = await house.http.get("/goodbye", headers={"cookie": "kluis-gone=-"})
    assert "De kluis is gewist" in page.text and "Regel nr." not in page.text


async def test_two_presses_at_once_erase_once_and_both_say_so(house: Household) -> None:
    hidden = re.search(r'name="pod" value="([^"]+)"', await look(house, "/me/erase"))
    assert hidden is not None
    before = len(house.vault.shares.deleted_owners("custody"))
    answers = await asyncio.gather(*(prove(house, "/me/erase", pod=hidden[1]) for _ in range(2)))
    assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, "/goodbye")] * 2
    assert len(house.vault.shares.deleted_owners("custody")) == before + 1


async def test_a_session_that_merely_ended_is_not_told_that_anything_was_erased(house: Household) -> None:
    hidden = re.search(r'name="pod" value="([^"]+)"', await look(house, "/me/erase"))
    assert hidden is not None
    house.clock.forward(minutes=16)
    answer = await prove(house, "/me/erase", pod=hidden[1])
    assert answer.headers["location"] == "/login?next=%2Fme" and "set-cookie" not in answer.headers
    assert house.vault.pod("an") is not None


@pytest.mark.parametrize("said", ["<script>", "٣", "9" * 5000, ""])
async def test_a_forged_goodbye_shows_no_word_of_its_own(house: Household, said: str) -> None:
    async with httpx.AsyncClient(transport=house.http._transport, base_url=BASE) as stranger:
        assert (await stranger.get("/goodbye")).headers["location"] == "/"
        page = await stranger.get("/goodbye", headers={"cookie": f"kluis-gone={said}".encode()})
    assert page.status_code in (200, 303) and "<script>" not in page.text and "Regel nr." not in page.text


@pytest.mark.parametrize("path", [*PAGES, "/me/data/loans", "/me/access/x/less"])
async def test_only_a_citizen_gets_these_pages(house: Household, path: str) -> None:
    answer = await house.http.get(path, headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
    assert guard.SESSION not in answer.cookies
