"""What the pages promise: consent.md U1, U2, U5, U6, U8, U9; plain HTML under a strict CSP; nothing from elsewhere."""

import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError

from consent.report import Row
from tests.web.pages_sample import CONSENT, FREE_PRIZE, GRANT, LINES, NOW, SAMPLES
from vault.log.withheld import Count
from web import telling
from web.pages import dutch, views
from web.pages.consenting import APP_WORDS_CAP
from web.pages.logbook import LogPage

EVERY = [pytest.param(name, page, id=f"{name}-{i}") for name, pages in SAMPLES.items() for i, page in enumerate(pages)]
VOID = {"meta", "link", "input", "br", "path", "circle", "use", "hr", "img"}


class Document(HTMLParser):
    """A flat reading of a page: every element with its attributes, its text and the tags around it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []
        self._open: list[dict[str, Any]] = []
        self.feed(html)
        assert [element["tag"] for element in self._open] == [], "an element is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element begins; its text will gather that of its children."""
        element: dict[str, Any] = {"tag": tag, "text": "", "inside": tuple(self._open), **dict(attrs)}
        self.all.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<path/>` opens and closes at once."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Only the innermost element may end."""
        assert self._open.pop()["tag"] == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        """Text belongs to all elements around it."""
        for element in self._open:
            element["text"] = f"{element['text']}{data}"

    def find(self, tag: str = "", **wanted: str) -> list[dict[str, Any]]:
        """Elements of a tag with these attributes (`data_test` for data-test)."""
        named = {key.replace("_", "-"): value for key, value in wanted.items()}
        return [e for e in self.all if tag in ("", e["tag"]) and all(e.get(k) == value for k, value in named.items())]


def read(name: str, page: object, **frame: str) -> Document:
    """A rendered page, parsed."""
    return Document(views.render(name, page, **{"person": "An Peeters", "role": "citizen", "csrf": "tok", **frame}))


def test_every_page_has_a_template_a_dataclass_and_a_sample() -> None:
    templates = {path.stem for path in (views.HERE / "templates").glob("*.html")} - {"base", "parts"}
    assert templates == set(views.PAGES) == set(SAMPLES)


@pytest.mark.parametrize(("name", "page"), EVERY)
def test_a_page_is_whole_dutch_html_with_one_heading_and_unique_ids(name: str, page: object) -> None:
    for frame in ({}, {"person": "", "role": ""}, {"person": "R. Claes", "role": "dpo"}):
        document = read(name, page, **frame)
        assert document.find("html", lang="nl") and len(document.find("h1")) == 1
        ids = [element["id"] for element in document.all if "id" in element]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("name", "page"), EVERY)
def test_a_page_carries_no_inline_script_or_style_and_nothing_from_another_host(name: str, page: object) -> None:
    document = read(name, page)
    assert not document.find("style") and not any("style" in element for element in document.all)
    assert not any(key.startswith("on") for element in document.all for key in element)
    for script in document.find("script"):
        assert script["text"] == "" and script["src"] in ("/static/verify.js", "/static/passkey.js")
    for element in document.all:
        for key in ("src", "href", "action", "formaction"):
            assert re.match(r"(/(?!/)|#)", str(element.get(key, "/"))), element


@pytest.mark.parametrize(("name", "page"), EVERY)
def test_every_form_that_changes_something_carries_the_form_token(name: str, page: object) -> None:
    document = read(name, page)
    for form in document.find("form"):
        token = any(form in e["inside"] for e in document.find("input", name="csrf", value="tok"))
        assert (form["method"], token) in (("post", True), ("get", False)), form  # a question carries no secret along


def test_a_page_takes_its_own_context_only() -> None:
    with pytest.raises(TypeError, match="takes LogPage"):
        views.render("log", SAMPLES["home"][0])


def test_a_misspelt_name_in_a_template_raises_instead_of_printing_nothing() -> None:
    with pytest.raises(UndefinedError):
        views._JINJA.from_string("{{ page.purpos }}").render(page=CONSENT)


def test_a_naive_time_is_refused_rather_than_shifted() -> None:
    with pytest.raises(ValueError, match="aware"):
        dutch.clock(datetime(2026, 11, 21))  # noqa: DTZ001
    assert (dutch.day(NOW, "weekday"), dutch.clock(NOW)) == ("zaterdag 21 november 2026", "8.40")


# ---- consent ----


def test_u1_refusing_and_allowing_are_the_same_button_side_by_side() -> None:
    document = read("consent", CONSENT)
    (deny,), (allow,) = document.find("button", id="deny"), document.find("button", id="allow")
    assert deny["class"] == allow["class"] and deny["inside"] == allow["inside"] and deny["name"] == allow["name"]
    assert set(deny) == set(allow)
    assert (deny["value"], allow["value"]) == ("deny", "allow")
    assert {document.all.index(allow) - document.all.index(deny)} == {1}


def test_u2_nothing_is_ticked_and_enter_decides_nothing() -> None:
    document = read("consent", CONSENT)
    assert not [e for e in document.all if "checked" in e or "selected" in e or "autofocus" in e]
    (form,) = [f for f in document.find("form") if f["action"] == CONSENT.action]
    first = next(e for e in document.all if form in e["inside"] and e["tag"] == "button")
    assert "hidden" in first and "disabled" not in first and first["value"] == "none" and "type" not in first


def test_u5_each_optional_datum_is_refused_by_itself_in_one_form() -> None:
    document = read("consent", CONSENT)
    boxes = document.find("input", type="checkbox", name="data")
    assert [box["value"] for box in boxes] == ["kluis:LibraryLoan", "pd:PostalCode"]
    (form,) = [f for f in document.find("form") if f["action"] == CONSENT.action]
    decisive = [*boxes, *document.find("input", name="duration"), *document.find("button", name="decision")]
    assert all(form in e["inside"] for e in decisive)
    assert {e["name"]: e["value"] for e in document.find("input", type="hidden") if form in e["inside"]} == {
        "csrf": "tok",
        **dict(CONSENT.hidden),
    }


def test_u6_an_apps_words_stand_only_in_the_quoted_capped_escaped_box() -> None:
    html = views.render("consent", CONSENT, person="An", role="citizen", csrf="tok")
    document = Document(html)
    (box,) = document.find("figure", data_test="app-words")
    (quote,) = document.find("blockquote")
    assert box in quote["inside"] and len(str(quote["text"])) <= APP_WORDS_CAP + 2
    assert html.count("gratis prijs") == 1 and "gratis prijs" in str(quote["text"])
    assert "<script>alert" not in html and "Cultuurwijzer <b>" not in html and "<i>strips" not in html
    assert len(document.find("button", id="allow")) == 1
    assert not read("consent", replace(CONSENT, words="")).find("blockquote")


def test_u6_line_breaks_cannot_push_an_apps_words_out_of_their_box() -> None:
    assert replace(CONSENT, words="a\n\n\n  b").quoted == "a b"
    assert 150 < len(CONSENT.quoted) <= APP_WORDS_CAP < len(FREE_PRIZE)
    assert FREE_PRIZE.startswith(CONSENT.quoted[:50])


@pytest.mark.parametrize(
    ("test_id", "shown"),
    [
        ("who", "Stad Antwerpen, dienst Cultuur"),
        ("who", "cultuurwijzer.example"),
        ("why", "Activiteiten voorstellen"),
        ("what", "<i>strips</i>"),
        ("how-long", "12 maanden"),
        ("where", "In België"),
        ("who-else", "Niemand anders"),
        ("stop", "Wie heeft toegang"),
        ("complaint", "autoriteit"),
    ],
)
def test_u8_the_first_layer_answers(test_id: str, shown: str) -> None:
    (answer,) = read("consent", CONSENT).find(data_test=test_id)
    assert shown in str(answer["text"])
    assert not [e for e in answer["inside"] if e["tag"] == "details" or "hidden" in e]


def test_u9_the_shortest_time_stands_first_and_is_what_silence_means() -> None:
    document = read("consent", CONSENT)
    assert [radio["value"] for radio in document.find("input", type="radio", name="duration")] == ["once", "P1M", "P6M"]
    (how_long,) = document.find(data_test="how-long")
    assert "kortste tijd: één keer" in str(how_long["text"])


def test_u19_the_values_themselves_are_shown_before_the_decision() -> None:
    (what,) = read("consent", CONSENT).find(data_test="what")
    assert "jazz, <i>strips</i>" in str(what["text"]) and "hier staat nog niets" in str(what["text"])


# ---- the citizen's pages ----


def test_u3_one_press_stops_an_app_without_opening_anything_first() -> None:
    document = read("access", SAMPLES["access"][0])
    (button,) = document.find("button", id=f"withdraw-{GRANT.id}")
    (form,) = [e for e in button["inside"] if e["tag"] == "form"]
    assert form["action"] == f"/me/access/{GRANT.id}/withdraw"
    assert not [e for e in button["inside"] if e["tag"] == "details"]
    assert "Uitgelezen" in str(button["text"])


def test_the_log_says_nothing_about_its_truth_until_somebody_checked() -> None:
    unknown, right, wrong, *_ = (read("log", page) for page in SAMPLES["log"])
    hidden = [["hidden" in d.find(id=box)[0] for box in ("log-ok", "log-broken")] for d in (unknown, right, wrong)]
    assert hidden == [[True, True], [False, True], [True, False]]


def test_the_servers_own_verdict_names_the_line_and_says_who_checked() -> None:
    document = read("log", SAMPLES["log"][2])
    assert "Regel 1:" in str(document.find(id="log-broken")[0]["text"])
    assert [line["id"] for line in document.find("li", **{"class": "broken"})] == ["line-1"]
    assert "server van Kluis zelf" in str(document.find(id="log-by")[0]["text"])
    assert not read("log", SAMPLES["log"][0]).find(id="log-by")


def test_each_line_of_the_log_says_who_what_why_basis_outcome_and_where_it_stands() -> None:
    document = read("log", SAMPLES["log"][0])
    for line in LINES:
        (shown,) = document.find("li", id=f"line-{line.seq}")
        assert shown["data-index"] == str(line.index)
        for word in (line.who, line.what, line.why, line.basis, line.outcome, f"nr. {line.index}"):
            assert word in str(shown["text"])


def test_a_line_that_nobody_can_read_stands_among_its_neighbours_without_a_time() -> None:
    blind = replace(LINES[0], seq=9, at=None)
    for lines in ((LINES[0], blind), (blind, LINES[0])):
        ((day, placed),) = LogPage(lines, "a", 2, Count(2, 2, 0, 0)).days
        assert (day, placed) == (dutch.local(NOW).date(), list(lines))
    alone = LogPage((blind,), "a", 1, Count(1, 1, 1, 0))
    (shown,) = read("log", alone).find("li", id="line-9")
    assert alone.days == [(None, [blind])] and shown["inside"] and not read("log", alone).find("time")


def test_a_line_that_was_refused_never_reads_as_allowed() -> None:
    for outcome in ("served", "unknown", "refused"):
        refused, given = (replace(line, outcome=outcome, why="", basis="") for line in LINES)
        document = read("log", LogPage((refused, given), "o", 42, Count(2, 2, 0, 0)))
        tags = [tag["text"] for tag in document.find("span") if str(tag.get("class", "")).startswith("tag")]
        assert tags[0] == "Geweigerd" and tags[1] in ("Gelukt", "Toegestaan", "Geweigerd")
        lines = [p["text"].strip() for p in document.find("p") if document.find(id="line-1")[0] in p["inside"]]
        assert lines == ["Uitgelezen las je leningen", "Regel 1 · nr. 17"]


def test_only_another_session_can_be_ended_from_here() -> None:
    ends = [
        form["action"] for form in read("security", SAMPLES["security"][0]).find("form") if "/end" in form["action"]
    ]
    assert ends == ["/me/sessions/hhhh/end"]


def test_a_card_made_with_personal_data_is_marked_and_names_the_citizens_own_things() -> None:
    document = read("suggestions", SAMPLES["suggestions"][0])
    marked = [e for e in document.all if "data-kluis-personal" in e]
    assert [e["tag"] for e in marked] == ["li", "li"] and "Kind of Blue" in str(marked[1]["text"])
    assert "✱" in str(marked[0]["text"]) and "Brug" in str(marked[0]["text"])
    (plain,) = document.find("section", id="zonder")
    assert not [e for e in document.all if plain in e["inside"] and "data-kluis-personal" in e]


def test_without_a_grant_the_plain_list_stands_and_consent_can_be_asked() -> None:
    document = read("suggestions", SAMPLES["suggestions"][1])
    assert document.find("form", action="/me/suggestions/ask")
    assert not [e for e in document.all if "data-kluis-personal" in e]
    assert "Wintermarkt" in str(document.find("section", id="zonder")[0]["text"])


@pytest.mark.parametrize(
    ("action", "decision", "count", "entries", "shown"),
    [
        ("read", "allowed", 80, 4, (4, 80)),
        ("login", "allowed", 0, 9, (9, None)),
        ("new generation", "allowed", 33, 11, (11, None)),
        ("read", "denied", 12, 2, (2, 12)),
        ("login", "denied", 0, 3, (3, 3)),
    ],
)
def test_the_dpos_lines_and_pieces_are_counted_apart(
    action: str, decision: str, count: int, entries: int, shown: tuple[int, int | None]
) -> None:
    row = telling.total(Row("", "", "", "", action, decision, count, entries), {})
    assert (row.lines, row.count) == shown


def test_every_action_of_the_log_that_people_take_has_words_for_the_dpo() -> None:
    assert set(telling.BY_CITIZEN) <= set(telling.ACTS)
    assert {"narrow", "restrict", "resume", "new generation", "new root", "erase pod"} <= set(telling.ACTS)


def test_the_dpo_sees_no_count_below_five() -> None:
    document = read("dpo", SAMPLES["dpo"][0])
    told = [
        [cell["text"] for cell in document.find("td", data_label=name)] for name in ("Regels", "Stukken", "Pogingen")
    ]
    assert told == [["12", "<5", "<5"], ["1.204", "geen"], ["<5"]]
    assert [dutch.cell(count) for count in (0, 4, 5)] == ["<5", "<5", "5"]


# ---- the style sheet ----


def tokens(block: str) -> dict[str, str]:
    """The six-digit colours of one token set."""
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_reads_on_every_ground_in_both_schemes(scheme: int) -> None:
    colour = tokens((views.STATIC / "kluis.css").read_text().split(":root {")[scheme + 1].split("}")[0])
    pairs = [(text, ground) for text in ("ink", "soft", "brand") for ground in ("bg", "surface", "sunk", "wash")]
    pairs += [("on-brand", "brand"), ("brass", "brass-wash"), ("brass", "surface"), ("ok", "ok-wash")]
    pairs += [("bad", "bad-wash"), ("ink", "ok-wash"), ("ink", "bad-wash"), ("soft", "bad-wash")]
    assert [pair for pair in pairs if contrast(colour[pair[0]], colour[pair[1]]) < 4.5] == []
    assert contrast(colour["edge"], colour["surface"]) >= 3 and contrast(colour["focus"], colour["bg"]) >= 3


def test_the_style_sheet_fetches_nothing() -> None:
    sheet = (views.STATIC / "kluis.css").read_text()
    assert "url(" not in sheet and "@import" not in sheet and "http" not in sheet
