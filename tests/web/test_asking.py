"""The consent page speaks in words that somebody answers for; an app's own stand in their box (consent.md, U6)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from consent import clients
from consent.asks import Asked
from consent.oauth.clients import Client, Registration
from consent.oauth.par import Pushed
from consent.request import parse
from consent.terms import Terms
from keys.text import b64
from tests.conftest import Clock
from tests.consent import sample
from tests.house import INTERESTS, Household
from web import asking
from web.pages.consenting import ConsentPage
from web.pages.views import render

PRIZE = "Gratis prijs: klik op Toestaan!"
TEXT = {"nl": PRIZE, "en": "Free prize", "fr": "Prix gratuit"}
PURPOSE = replace(sample.APP.purposes[0], text=TEXT, approved_by="")
UNKNOWN = replace(sample.APP, trust="unverified", purposes=(PURPOSE,))


def page(
    client: Client = sample.APP, records: Mapping[str, list[dict[str, Any]]] | None = None, **changes: Any
) -> ConsentPage:
    text = client.purposes[0].text
    purpose = {"code": PURPOSE.code, "version": PURPOSE.version, "text": text}
    terms = parse(sample.detail(purpose=purpose, **changes), client, sample.BASE, sample.NOW)
    return shown(client, terms, records or {})


def shown(client: Client, terms: Terms, records: Mapping[str, list[dict[str, Any]]]) -> ConsentPage:
    said = Pushed(client.client_id, sample.RETURN, sample.CHALLENGE, sample.JKT, terms)
    return asking.page(Asked(b"h" * 16, said, 0, 2**50), client, records, sample.NOW)


def test_u6_an_app_that_nobody_reviewed_asks_in_the_registrys_words_and_its_own_stand_in_their_box() -> None:
    made = page(UNKNOWN)
    assert (made.purpose, made.words) == ("Activiteiten voorstellen die bij je passen", PRIZE)
    html = render("consent", made)
    assert html.count(PRIZE) == 1
    assert f"<blockquote>“{PRIZE}”</blockquote>" in html
    assert "Free prize" not in html and "Prix gratuit" not in html


def test_a_purpose_that_the_city_reviewed_is_told_as_it_was_reviewed() -> None:
    made = page()
    assert (made.purpose, made.words) == (sample.TEXT["nl"], "")


@pytest.mark.parametrize(
    ("country", "words"),
    [
        ("BE", "In België."),
        ("SE", asking.NEARBY),
        ("NO", asking.NEARBY),
        ("US", asking.ELSEWHERE),
        ("QQ", asking.ELSEWHERE),
    ],
)
def test_where_the_data_stands_is_told_in_the_registrys_words(country: str, words: str) -> None:
    assert page(storage={"country": country}).storage == words


def test_of_recipients_and_controller_only_the_host_is_shown() -> None:
    path = "https://hulp.example:8443/gratis-prijs?klik=Toestaan"
    made = page(recipients=[{"id": path, "role": "third_party"}])
    assert made.recipients == ("hulp.example (een andere dienst)",)
    assert made.controller == "stad.example"
    html = render("consent", made)
    assert "gratis-prijs" not in html and "klik=" not in html


@pytest.mark.parametrize("address", ["urn:gratis:prijs", "http://[", "Gratis prijs", ""])
def test_an_address_without_a_host_is_never_repeated_even_if_it_was_stored_before(address: str) -> None:
    terms = replace(sample.terms(), recipients=({"id": address, "role": "processor"},))
    made = shown(replace(sample.APP, controller=address), terms, {})
    assert made.recipients == (f"{asking.NO_HOST} (werkt voor de app)",)
    assert made.controller == asking.NO_HOST


def test_a_value_that_another_app_wrote_is_one_short_line() -> None:
    hostile = "\u202eKlik\n\n\nop\tToestaan " + "x" * 5000
    record = {"schema:about": [hostile, {"schema:name": "jazz", "@id": "x", "": "leeg"}]}
    made = page(records={"pd:Interest": [record]})
    first, *rest = made.data[0].preview
    assert first.startswith("Klik op Toestaan xxx") and len(first) == asking.LONGEST
    assert rest == ["jazz", "leeg"]


def test_a_value_that_nests_without_end_does_not_stop_the_page() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert page(records={"pd:Interest": [{"schema:about": deep, "": deep}]}).data[0].preview == ()


def test_a_preview_tells_dates_in_dutch_leaves_addresses_out_and_says_how_many_values_follow() -> None:
    told = ["2026-10-01", "2026-10-01T23:30:00+00:00", "https://id.example/9", "2026-13-01", *map(str, range(10))]
    first = page(records={"pd:Interest": [{"schema:about": told}]}).data[0].preview
    assert first[:3] == ("1 oktober 2026", "2 oktober 2026", "2026-13-01")
    assert first[-1] == "en nog 7 waarden" and not any("id.example" in one for one in first)
    only = page(records={"pd:Interest": [{"schema:about": ["https://id.example/9"]}]}).data[0].preview
    assert only == ("https://id.example/9",)


def test_where_the_browser_goes_afterwards_is_told_as_such() -> None:
    assert page().domain == "keert terug naar 127.0.0.1"


async def test_only_the_last_two_days_of_a_grant_are_called_almost_over(house: Household, clock: Clock) -> None:
    await house.grant(INTERESTS, expires="2026-11-25T10:00:00Z")
    own = {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    assert "loopt bijna af" not in (await house.call("GET", "/me/access", headers=own)).text
    soon = await house.grant(INTERESTS, expires="2026-11-23T09:00:00Z")
    page_ = (await house.call("GET", "/me/access", headers=own)).text
    assert page_.count("loopt bijna af") == 1
    assert f"grant-{b64(soon.id)}" in page_


async def test_programs_of_her_own_are_not_shown_as_an_app_that_nobody_reviewed(house: Household) -> None:
    await house.jwt()
    page_ = (await house.call("GET", "/me/access", headers={"cookie": f"kluis={house.cookie}"})).text
    assert "Door jezelf beheerd" in page_ and "nog niet nagekeken door de stad" not in page_


async def test_a_request_that_is_over_is_told_so_on_a_page_that_keeps_her_menu(house: Household) -> None:
    query = "client_id=cultuurgids&request_uri=urn:ietf:params:oauth:request_uri:AAAAAAAAAAAAAAAAAAAAAA"
    own = {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    over = (await house.call("GET", f"/oauth/authorize?{query}", headers=own)).text
    assert over.count("Deze aanvraag is al beantwoord of verlopen.") == 1
    assert "Kijk bij Wie heeft toegang." in over
    other = (await house.call("GET", "/me/receipts/x", headers=own)).text
    assert "An Peeters" in other and 'href="/me/log"' in other
    heading, lead = re.findall(r'<h1>(.*?)</h1><p class="lead">(.*?)</p>', other)[0]
    assert heading != lead


async def test_the_page_of_who_has_access_repeats_no_words_of_an_app_that_nobody_reviewed(house: Household) -> None:
    granted = await house.grant(INTERESTS)
    purposes = (Registration(PURPOSE.code, PURPOSE.version, sample.TEXT, PURPOSE.categories),)
    own = {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    assert sample.TEXT["nl"] in (await house.call("GET", "/me/access", headers=own)).text
    unknown = replace(sample.APP, trust="unverified", purposes=purposes)

    def swap(tx: Any) -> None:
        tx.run("DELETE FROM client WHERE id = :i", i=unknown.client_id)
        clients.put(house.vault, tx, unknown)

    await house.vault.db.write(swap)
    for _ in ("live", "ended"):
        page_ = (await house.call("GET", "/me/access", headers=own)).text
        assert sample.TEXT["nl"] not in page_
        assert "Activiteiten voorstellen die bij je passen" in page_
        await house.withdraw(granted)
