"""The rules of consent towards a person, U1 to U20, each a test named after it; those that need no browser stand here.

| rule | what it asks | where beside this file |
|---|---|---|
| U1 | refusing and allowing: same size, contrast, place | browser/test_ux_rules, web/test_pages |
| U2 | nothing ticked, no focus given, Enter does not consent | browser/test_ux_rules, web/test_pages |
| U3 | stopping takes no more steps than giving, and at most 2 | browser/test_ux_rules, web/test_pages |
| U4 | a stop works at once | |
| U5 | one purpose, one decision; optional data one by one | web/test_pages |
| U6 | data in the registry's words, an app's own in their box | web/test_pages, web/test_asking, consent/test_request |
| U7 | sentences at level B1 | |
| U8 | who, why, what, how long, where, who else, how to stop | browser/test_ux_rules, web/test_pages |
| U9 | shortest time by default, never more than 12 months | web/test_pages, consent/test_rules |
| U10 | a receipt at giving, changing and stopping | web/test_rebuilt |
| U11 | reminders, and unused grants proposed for closing | web/test_rebuilt, consent/test_reminders |
| U12 | a change marks what changes, and nothing else | browser/test_ux_rules, web/test_managing |
| U13 | stopping says what follows, and takes the wish that a copy goes | web/test_rebuilt |
| U14 | no nagging: 30 days after a refusal | web/test_requests |
| U15 | WCAG 2.2 AA, keyboard, 400 % zoom | browser/test_ux_rules |
| U16 | one language, whole | |
| U17 | no count-downs, no colours of alarm, no shaming | |
| U18 | the same page for every app | |
| U19 | the values themselves, as the app then gets them | web/test_pages, consent/test_grant_limits |
| U20 | at most 7 purposes; no other ground after a refusal | web/test_requests, consent/test_rules |
"""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from consent.categories import CATEGORIES
from consent.oauth.clients import Client
from consent.purposes import PURPOSES
from keys.text import b64
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household
from tests.web.dutch_reading import Blocks, measure, scripted, sentences, written
from tests.web.pages_sample import CONSENT, GRANT, SAMPLES
from tests.web.test_asking import UNKNOWN, page as consent_page
from tests.web.test_managing import ABOUT, DISTRICT, LOANS, app, browser, details, said
from tests.web.test_oauth import HTML, SAME, App, Browser
from tests.web.test_pages import EVERY, Document, read
from web import asking
from web.pages import views
from web.pages.consenting import APP_WORDS_CAP, ConsentPage
from web.pages.door import Door

__all__ = ["app", "browser"]
TESTS = Path(__file__).parents[1]
HERE = Path("web/test_ux_rules.py")
FIRST_LAYER = ("who", "why", "what", "how-long", "where", "who-else", "stop", "complaint")
DECIDING = ("consent", "work", "access", "less", "requests", "receipt")
DOORS = (Door(), Door("{}", True, True, "explicit", "an"), Door("", True, False, "passkey", "an"))


def rules() -> dict[str, tuple[str, list[Path]]]:
    """The table above: what each rule asks, and the files with its tests."""
    found = {}
    for name, asks, where in re.findall(r"^\| (U\d+) \| (.+?) \|(.*)\|$", __doc__ or "", re.MULTILINE):
        files = [Path(f"{one.strip()}.py") for one in where.split(",") if one.strip()]
        found[name] = (asks, files)
    return found


def named(path: Path) -> set[str]:
    """The rules that tests of a file are named after."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {f"U{found[1]}" for name in names if (found := re.match(r"test_u(\d+)_", name))}


def pages(*names: str) -> list[tuple[str, str]]:
    """(name, HTML) of every sample of these pages, the consent pages with everything that may stand in their door."""
    frame = {"person": "An Peeters", "role": "citizen", "csrf": "tok"}
    return [
        (name, views.render(name, one, door, **frame))
        for name in names
        for one in SAMPLES[name]
        for door in (DOORS if name in ("consent", "work") else DOORS[:1])
    ]


def skeleton(html: str) -> list[tuple[str, ...]]:
    """Tags, classes and names, without any text or value."""
    kept = ("class", "id", "name", "type", "role", "data-test", "hidden")
    return [(e["tag"], *(f"{key}={e[key]}" for key in kept if key in e)) for e in Document(html).all]


def test_each_of_the_20_rules_is_in_the_table_with_every_file_that_tests_it() -> None:
    table, found = rules(), dict[str, set[Path]]()
    for path in sorted(TESTS.rglob("test_*.py")):
        for rule in named(path.relative_to(TESTS)):
            found.setdefault(rule, set()).add(path.relative_to(TESTS))
    assert list(table) == [f"U{number}" for number in range(1, 21)]
    assert set(found) == set(table)
    assert {rule: files - {HERE} for rule, files in found.items()} == {
        rule: set(files) for rule, (_, files) in table.items()
    }


# ---- giving and stopping ----


async def test_u4_the_first_request_after_the_answer_of_the_stop_button_gets_nothing(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    there = "/api/records?category=pd:Interest"
    assert (await house.call("GET", there, granted.access)).status_code == 200
    assert (await house.press(f"/me/access/{b64(granted.id)}/withdraw")).status_code == 303
    assert (await house.call("GET", there, granted.access)).status_code == 401


async def test_u5_with_everything_optional_left_alone_the_app_still_starts(
    house: Household, app: App, browser: Browser
) -> None:
    shown = await browser.open(await app.push(authorization_details=details(ABOUT, LOANS)))
    told = (await app.redeem(said(await browser.press(shown, "allow"))["code"])).json()
    (granted,) = told["authorization_details"]
    assert [row["category"] for row in granted["datatypes"]] == ["pd:Interest"]
    read_ = await house.call("GET", "/api/records?category=pd:Interest", told["access_token"])
    assert read_.status_code == 200


@pytest.mark.parametrize("html", [html for _, html in pages("work")])
def test_u2_and_u8_hold_on_the_page_of_a_solid_app_too(html: str) -> None:
    document = Document(html)
    assert not [e for e in document.all if {"checked", "selected", "autofocus"} & set(e)]
    (form,) = [e for e in document.find("form") if e["action"] == "/oauth/authorize"]
    first, deny, allow = [e for e in document.find("button") if form in e["inside"]]
    assert (first["value"], "hidden" in first, deny["id"], allow["id"]) == ("none", True, "deny", "allow")
    for answer in FIRST_LAYER:
        (found,) = document.find(data_test=answer)
        assert len(str(found["text"]).split()) > 3, answer


async def test_u8_the_page_that_an_app_really_gets_answers_everything(
    house: Household, app: App, browser: Browser
) -> None:
    shown = Document((await browser.open(await app.push(authorization_details=details(ABOUT, LOANS)))).text)
    for answer in FIRST_LAYER:
        (found,) = shown.find(data_test=answer)
        assert len(str(found["text"]).split()) > 3, answer


async def test_u19_what_the_page_shows_is_what_the_app_then_reads_first(
    house: Household, app: App, browser: Browser
) -> None:
    await house.keep("/interests/b.jsonld", {"@type": "pd:Interest", "schema:about": ["koken"], "schema:name": "x"})
    loan = {"category": "kluis:LibraryLoan", "fields": ["schema:name", "schema:startTime"], "necessity": "required"}
    page = await browser.open(await app.push(authorization_details=details(ABOUT, loan, DISTRICT)))
    previews = [e["text"].split(", ") for e in Document(page.text).find("strong") if _inside(e, "see")]
    token = (await app.redeem(said(await browser.press(page, "allow"))["code"])).json()["access_token"]
    got = []
    for there in ("records?category=pd:Interest", "records?category=kluis:LibraryLoan", "answers/postal_district"):
        told = (await house.call("GET", f"/api/{there}", token)).json()
        frame = asking.FRAME | ({"schema:name"} if there.startswith("answers") else set())  # the name of the answer
        got.append([text for one in told.get("@graph", [told]) for text in _values(one, frame)])
    assert [sorted(one) for one in previews] == [sorted(one) for one in got]
    assert got[0] and got[1] and got[2]


def _inside(element: dict[str, Any], name: str) -> bool:
    return any(name in str(around.get("class", "")).split() for around in element["inside"])


def _values(record: dict[str, Any], frame: frozenset[str]) -> list[str]:
    kept = [value for key, value in record.items() if key[:1] != "@" and key not in frame]
    return [text for value in kept for text in asking.texts(value)]


# ---- words ----


def _without_box(made: ConsentPage) -> str:
    html = views.render("consent", made, csrf="tok")
    return re.sub(r"<figure.*?</figure>", "", html, flags=re.DOTALL)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=400) | st.sampled_from(["<b>Gratis prijs!</b>", "\u202eslag", "a\n" * 90]))
def test_u6_whatever_an_app_writes_changes_nothing_outside_its_box(words: str) -> None:
    text = {"nl": f"Gratis prijs {words}"}
    loud = replace(UNKNOWN, purposes=(replace(UNKNOWN.purposes[0], text=text),))
    made = consent_page(loud)
    assert _without_box(made) == _without_box(consent_page(UNKNOWN))
    (box,) = Document(views.render("consent", made, csrf="tok")).find("figure", data_test="app-words")
    assert len(made.quoted) <= APP_WORDS_CAP and "Gratis prijs" in str(box["text"])


_OFFICE = """
aangaande alsmede alvorens authenticatie autorisatie behoudens betreffende conform consent dient dienen derhalve
desbetreffende eveneens gebruikmaken gelieve geschieden hieromtrent indien ingevolge inzake krachtens middels mits
nopens omtrent opt-in privacybeleid reeds teneinde behoeve tevens thans token uiterlijk verwerkingsverantwoordelijke
verwerking voormeld voornoemd zulks zodoende
"""
TOO_HARD = frozenset(_OFFICE.split())
"""Words of offices and of programmers that have an everyday one."""
LONGEST = 20
EVERYTHING = [*views.PAGES, "code in Python", "code in scripts"]


def told(name: str) -> list[str]:
    """Every sentence of a page, or of the code that fills pages in."""
    if name == "code in Python":
        return [*written(Path(views.HERE).parent), *(text for words in _registered() for text in words)]
    if name == "code in scripts":
        return list(scripted(views.STATIC))
    return list(dict.fromkeys(text for _, html in pages(name) for text in Blocks(html).told))


def _registered() -> list[list[str]]:
    kinds = [
        [c.label["nl"], c.whole["nl"], *(w["nl"] for w in c.fields.values())]
        + [text for a in c.answers.values() for text in (a.tells["nl"], a.hides["nl"])]
        for c in CATEGORIES.values()
    ]
    return [*kinds, [purpose.label["nl"] for purpose in PURPOSES.values()]]


@pytest.mark.parametrize("name", EVERYTHING)
def test_u7_a_page_is_written_at_level_b1(name: str) -> None:
    texts = told(name)
    found = measure(texts)
    assert found.mean <= 15 and found.long <= 0.10 and found.ease >= 60, found
    assert len(found.longest.split()) <= LONGEST, found.longest
    words = {word.lower() for text in texts for sentence in sentences(text) for word in sentence}
    assert words & TOO_HARD == set()


def test_u7_the_counter_knows_hard_from_easy() -> None:
    easy = measure(["Je kluis is op slot. Alleen jij hebt de sleutel. Wil je stoppen? Druk dan op de knop."])
    hard = measure([(
        "De verwerkingsverantwoordelijke verwerkt persoonsgegevens overeenkomstig de toepasselijke bepalingen teneinde"
        " gepersonaliseerde aanbevelingen te genereren op basis van geregistreerde interactiegegevens van betrokkenen."
    )])  # fmt: skip
    assert easy.ease > 90 and easy.long == 0
    assert hard.ease < 30 and hard.long > 0.3 and hard.mean > 15
    assert [len(list(part)) for part in (written(Path(views.HERE).parent), scripted(views.STATIC))] > [100, 10]


OTHER_WORDS = re.compile(r"\b(the|your|and|you|with|please|les|des|vous|votre|avec|und|nicht|Sie|der)\b")


@pytest.mark.parametrize(("name", "one"), EVERY)
def test_u16_every_page_is_dutch_throughout_and_offers_no_half_translated_language(name: str, one: object) -> None:
    document = read(name, one)
    (root,) = document.find("html")
    assert root["lang"] == "nl"
    assert not [e for e in document.all if "hreflang" in e or e.get("name") in ("lang", "language")]
    foreign = [e for e in document.all if e["tag"] != "html" and e.get("lang") not in (None, "nl")]
    assert all(e["lang"] == "en" and e["tag"] == "span" for e in foreign)
    text = " ".join(Blocks(views.render(name, one, person="An", role="citizen", csrf="t")).told)
    assert OTHER_WORDS.findall(text) == []


async def test_u16_a_browser_in_another_language_gets_the_same_page(
    house: Household, app: App, browser: Browser
) -> None:
    pushed = await app.push(authorization_details=details(ABOUT, LOANS))
    query = {"client_id": "cultuurgids", "request_uri": pushed.json()["request_uri"]}
    told_ = []
    for language in ("nl-BE", "fr-BE", "de", "en", "ar"):
        headers = HTML | SAME | {"accept-language": language}
        told_.append((await house.http.get("/oauth/authorize", params=query, headers=headers)).text)
    assert len(set(told_)) == 1


STIRRING = re.compile(
    r"!|\b(aanbevolen|actie|beperkte tijd|deadline|dringend|enkel vandaag|gemiste?|gevaar|gratis|haast|helaas|"
    r"iedereen doet|jammer|laatste kans|let op|mis je|nog maar|nu of nooit|onmiddellijk|opgelet|profiteer|resterend|"
    r"seconden|snel|spijt|spijtig|verlies|verliezen|verpas|waarschuwing|weet je het zeker|zonde)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize(("name", "html"), pages(*DECIDING), ids=lambda one: one if one in DECIDING else "")
def test_u17_nothing_on_the_pages_of_a_decision_hurries_shames_or_alarms(name: str, html: str) -> None:
    assert STIRRING.findall(" ".join(Blocks(html).told)) == []
    document = Document(html)
    assert not document.find("meta", **{"http-equiv": "refresh"}) and not document.find("progress")
    for element in document.all:
        assert "bad" not in str(element.get("class", "")).split() or element.get("role") == "alert", element
    for button in document.find("button"):
        assert not {"bad", "quiet"} & set(str(button.get("class", "")).split()), button


def test_u17_the_script_of_a_decision_knows_no_clock_and_no_button_has_a_colour_of_alarm() -> None:
    script = (views.STATIC / "passkey.js").read_text()
    assert not re.search(r"setInterval|setTimeout|Date\b|requestAnimationFrame", script)
    sheet = (views.STATIC / "kluis.css").read_text()
    for rule in re.findall(r"[^{}]*\.btn[^{}]*\{[^{}]*\}", sheet):
        assert "--bad" not in rule and "--brass" not in rule, rule
    assert "@keyframes" not in sheet and "animation" not in sheet


def test_u18_the_page_has_one_shape_whoever_asks() -> None:
    strangers: list[Client] = [sample.APP, replace(sample.APP, name="Andere"), UNKNOWN, replace(UNKNOWN, name="B")]
    shapes = {tuple(skeleton(_without_box(consent_page(client)))) for client in strangers}
    assert len(shapes) == 1


def test_u18_what_a_request_brings_along_adds_rows_and_changes_no_order() -> None:
    order = [e["data-test"] for e in read("consent", CONSENT).all if "data-test" in e]
    for made in SAMPLES["consent"]:
        found = [e["data-test"] for e in read("consent", made).all if "data-test" in e]
        assert [one for one in found if one in order] == [one for one in order if one in found]


# ---- stopping ----


def test_u13_stopping_is_told_in_the_same_calm_words_on_both_pages_that_can() -> None:
    less = read("less", SAMPLES["less"][0])
    access = read("access", SAMPLES["access"][0])
    means = "Na stoppen leest de app niets meer. Wat ze al las, kan ze nog hebben."
    wish = "Vraag bij het stoppen ook om de kopie te wissen"
    for document in (less, access):
        assert [e for e in document.find("p") if e["text"] == means]
        (box,) = document.find("input", name="erase")
        (label,) = document.find("label", **{"for": box["id"]})
        assert label["text"].startswith(wish) and "checked" not in box
    stops = [one.find("button") for one in (less, access)]
    texts = [{e["text"].split(GRANT.app)[0].split("App")[0].strip() for e in found} for found in stops]
    assert all("Toegang stoppen van" in found for found in texts)
