"""The rules of consent towards a person that only a real browser can judge (all 20: tests/web/test_ux_rules.py)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.entering import log_in, window
from tests.browser.gallery import gallery, states
from tests.browser.town import Person, Town
from tests.consent import sample
from tests.web.test_pages import contrast
from web.pages import views

SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
ABOUT = {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"}
LOANS = {"category": "kluis:LibraryLoan", "derived": "interest_topics_k10", "necessity": "optional"}
DECISION = "urn:ietf:params:oauth:request_uri"
BUTTON = """id => { const one = document.getElementById(id), box = one.getBoundingClientRect(),
  style = getComputedStyle(one);
  return {x: box.x, y: box.y, width: box.width, height: box.height, color: style.color, ground: style.backgroundColor,
    font: [style.fontFamily, style.fontSize, style.fontWeight, style.textTransform, style.border, style.opacity],
    tag: one.tagName, top: document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === one}; }"""


@contextmanager
def asked(chromium: Browser, town: Town, who: Person, *, scripts: bool = True) -> Iterator[Page]:
    """The consent page as an app's request really brings it up, on a small phone, after the login."""
    town.furnish(who)
    with window(chromium, scripts=scripts) as page:
        page.set_viewport_size({"width": 360, "height": 640})
        log_in(page, town, who)
        page.goto(town.ask(sample.APP, sample.detail(datatypes=[ABOUT, LOANS])))
        yield page


def given(page: Page, town: Town) -> list[str]:
    """The states of all her grants."""
    answer: dict[str, list[dict[str, str]]] = page.request.get(f"{town.base}/api/grants").json()
    return [one["state"] for one in answer["grants"]]


@contextmanager
def to_the_app(page: Page) -> Iterator[None]:
    """What is pressed meanwhile sends the browser back to the app, which need not be there."""
    with page.expect_request(lambda request: request.url.startswith(f"{sample.RETURN}?code=")):
        yield


def hexed(colour: str) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", colour)[:3])


def assert_equal_in_weight(page: Page, height: int) -> None:
    """Both buttons in the first view, alike but for their place beside each other."""
    deny, allow = (page.evaluate(BUTTON, name) for name in ("deny", "allow"))
    assert page.evaluate("scrollY") == 0
    for side in ("width", "height"):
        assert abs(deny[side] - allow[side]) <= 0.05 * deny[side]
    assert deny["y"] == allow["y"] and deny["font"] == allow["font"] and deny["tag"] == allow["tag"]
    ratios = [contrast(hexed(one["color"]), hexed(one["ground"])) for one in (deny, allow)]
    assert abs(ratios[0] - ratios[1]) <= 0.1 * ratios[0] and min(ratios) >= 4.5
    for one in (deny, allow):
        assert one["top"] and one["y"] >= 0 and one["y"] + one["height"] <= height, one


@SCHEMES
@pytest.mark.parametrize("size", [(360, 640), (1200, 800)], ids=str)
@pytest.mark.parametrize("name", ["consent", "work"])
def test_u1_refusing_and_allowing_have_the_same_size_contrast_and_place(
    chromium: Browser, name: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    with gallery(chromium, *size, scheme) as show:
        judged = 0
        for html in states(name):
            if 'id="allow"' in html:
                assert_equal_in_weight(show(html), size[1])
                judged += 1
        assert judged >= 3


def test_u1_on_the_page_of_a_real_request_too(chromium: Browser, town: Town, citizen: Person) -> None:
    with asked(chromium, town, citizen) as page:
        assert_equal_in_weight(page, 640)


def test_u2_nothing_is_chosen_beforehand_and_enter_consents_to_nothing(
    chromium: Browser, town: Town, citizen: Person
) -> None:
    with asked(chromium, town, citizen) as page:
        before = given(page, town)
        assert page.locator(":checked").count() == 0 and page.locator("[autofocus]").count() == 0
        assert page.evaluate("document.activeElement === document.body")
        here = page.url
        page.keyboard.press("Enter")
        assert page.url == here and DECISION in page.url.replace("%3A", ":")
        for field in ("[name=data]", "[name=duration] >> nth=0"):
            page.focus(field)
            page.keyboard.press("Enter")
            expect(page.locator("[role=status]")).to_contain_text("Er is nog niets beslist")
            assert page.locator(":checked").count() == 0
        assert given(page, town) == before


def stopped_in(page: Page, *steps: str) -> int:
    """Stop an app with these presses, with nothing to fill in and no question in between; how many there were."""
    for step in steps:
        assert page.locator("[type=password], dialog, [required]").count() == 0
        page.locator(step).first.click()
    expect(page.locator("[role=status]")).to_contain_text("is gestopt")
    return len(steps)


def test_u3_stopping_takes_no_more_presses_than_giving_and_nothing_stands_in_between(
    chromium: Browser, town: Town, citizen: Person
) -> None:
    with asked(chromium, town, citizen) as page:
        with to_the_app(page):
            page.click("#allow")
        giving, hers = 1, page.context.new_page()
        assert given(hers, town) == ["live", "live"]
        hers.goto(f"{town.base}/me/access")
        assert stopped_in(hers, "[id^=withdraw-]") <= giving
        hers.goto(f"{town.base}/me")
        assert stopped_in(hers, "nav a:has-text('Toegang')", "[id^=withdraw-]") <= 2
        assert given(hers, town) == ["withdrawn", "withdrawn"]


def test_u8_every_answer_stands_open_in_the_first_layer(chromium: Browser, town: Town, citizen: Person) -> None:
    with asked(chromium, town, citizen, scripts=False) as page:
        for answer in ("who", "why", "what", "how-long", "where", "who-else", "stop", "complaint"):
            expect(page.locator(f"[data-test={answer}]")).to_be_visible()
        assert page.locator("main details").count() == 0


def test_u12_each_change_is_marked_where_it_stands_and_what_stays_is_not(chromium: Browser) -> None:
    words = {"added": "Nieuw", "removed": "Gaat weg", "changed": "Verandert"}
    with gallery(chromium, 360, 640) as show:
        page = show(states("consent")[0])
        rows = page.locator("[data-test=what] .pick").all()
        assert len(rows) == 4
        for row in rows:
            mark, tag = row.get_attribute("data-mark"), row.locator(".tag.new")
            assert tag.all_inner_texts() == ([words[mark]] if mark else [])
            assert not mark or tag.is_visible()
        places = page.locator("[data-test][data-mark=changed]")
        assert {one.get_attribute("data-test") for one in places.all()} == {"how-long", "doing", "where"}
        assert page.locator("[data-test]:not([data-test=what]) .tag.new").count() == places.count() == 3


# ---- for everybody (WCAG 2.2 AA) ----


@SCHEMES
@pytest.mark.parametrize("width", [360, 1200])
def test_u15_axe_finds_nothing_wrong_with_the_pages_of_a_real_citizen(
    chromium: Browser, town: Town, citizen: Person, width: int, scheme: Literal["light", "dark"]
) -> None:
    axe.source()
    with asked(chromium, town, citizen) as page:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        found = {"consent": axe.violations(page)}
        page.click("#later")
        for there in ("/me/requests", "/me", "/me/access", "/me/log", "/me/security", "/me/data"):
            page.goto(town.base + there)
            found[there] = axe.violations(page)
        assert {there: faults for there, faults in found.items() if faults} == {}


@pytest.mark.parametrize("name", sorted(views.PAGES))
def test_u15_axe_finds_nothing_wrong_with_any_state_of_a_page(chromium: Browser, name: str) -> None:
    axe.source()
    each = list(dict.fromkeys(states(name)))
    with gallery(chromium, 360, 800) as phone, gallery(chromium, 1200, 800, "dark") as desk:
        for html in each:
            assert axe.violations(phone(html)) == []
        for html in (each[0], each[-1]):
            assert axe.violations(desk(html)) == []


@pytest.mark.parametrize("name", sorted(views.PAGES))
def test_u15_no_page_scrolls_sideways_on_a_phone_on_a_desk_or_at_400_percent(chromium: Browser, name: str) -> None:
    each = list(dict.fromkeys(states(name)))
    for (width, height), shown in (((320, 256), each), ((360, 640), each[:2]), ((1200, 800), each[:2])):
        with gallery(chromium, width, height) as show:  # the first is 1280 x 1024 at 400 %
            for html in shown:
                page = show(html)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                fixed = "[...document.querySelectorAll('.decide, .tabs')].map(e => getComputedStyle(e).position)"
                assert height > 256 or not {"sticky", "fixed"} & set(page.evaluate(fixed))


NAMES = """() => [...document.querySelectorAll('main button, main a, main label')].filter(e => e.checkVisibility())
  .map(e => { const seen = e.cloneNode(true); seen.querySelectorAll('.vh, svg').forEach(x => x.remove());
    return [seen.textContent.replace(/\\s+/g, ' ').trim(), e.textContent.replace(/\\s+/g, ' ').trim(),
            e.getAttribute('aria-label')]; })"""


@pytest.mark.parametrize("name", sorted(views.PAGES))
def test_u15_what_is_read_aloud_begins_with_what_is_seen(chromium: Browser, name: str) -> None:
    with gallery(chromium, 360, 640) as show:
        for html in dict.fromkeys(states(name)):
            for seen, spoken, label in show(html).evaluate(NAMES):
                assert label is None and spoken.startswith(seen), (seen, spoken, label)


FOCUS = """() => { const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const there = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {id: one.id, text: one.textContent.trim(), ring: parseFloat(style.outlineWidth),
    seen: one.contains(there) || there?.contains(one) === true}; }"""


def tab_to(page: Page, wanted: str) -> list[dict[str, Any]]:
    """Press Tab until the element is reached; everything passed on the way has a ring and is not covered."""
    passed: list[dict[str, Any]] = []
    while not page.locator(f"{wanted}:focus").count():
        page.keyboard.press("Tab")
        passed.append(page.evaluate(FOCUS))
        assert passed[-1]["ring"] >= 2 and passed[-1]["seen"], passed[-1]
        assert len(passed) < 40, "the keyboard does not get there"
    return passed


def test_u15_giving_and_stopping_work_with_the_keyboard_alone(chromium: Browser, town: Town, citizen: Person) -> None:
    with asked(chromium, town, citizen) as page:
        before = given(page, town)
        tab_to(page, "[name=data]")
        page.keyboard.press("Space")
        assert page.get_by_role("switch", name="Onderwerpen van je leningen").is_checked()
        tab_to(page, "[name=duration]")
        page.keyboard.press("ArrowDown")
        tab_to(page, "#deny")
        tab_to(page, "#allow")
        with to_the_app(page):
            page.keyboard.press("Enter")
        hers = page.context.new_page()
        assert len(given(hers, town)) == len(before) + 1
        hers.goto(town.base + "/me/access")
        tab_to(hers, "[id^=withdraw-]")
        hers.keyboard.press("Enter")
        expect(hers.locator("[role=status]")).to_contain_text("is gestopt")
        assert given(hers, town).count("live") == 1
