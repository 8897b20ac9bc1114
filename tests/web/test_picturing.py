"""The page of suggestions says what the recommender told, in words, and nothing that it did not tell."""

from typing import Any

from recommender.wishes import BEGUN, Wishes
from web import picturing

ONE: dict[str, Any] = {
    "id": "x", "title": "Dansen in het dok", "medium": "stage", "institution": "MAS", "maker": "", "start": "",
    "topics": ["dans", "Jazz"], "slot": "leap",
    "reasons": [{"category": "kluis:LibraryLoan", "share": 0.61, "evidence": "Kind of Blue", "topics": ["Jazz"],
                 "fall": 13}, {"category": "pd:Interest", "share": 0.39, "evidence": "", "rank_without": 4}],
    "path": {"trait": "topic:jazz", "category": "kluis:LibraryLoan", "evidence": "Kind of Blue", "via": "",
             "to": "stage", "new": "medium"},
}  # fmt: skip


def test_a_card_says_why_what_would_be_without_it_and_how_a_leap_was_found() -> None:
    card = picturing.suggestion(ONE)
    assert [why.text for why in card.reasons] == ["Je leningen in de bibliotheek (61 %)", "Je interesses (39 %)"]
    assert card.reasons[0].without == "Zonder dit stond het 13 plaatsen lager."
    assert card.reasons[1].without == "Zonder deze bron stond het op plaats 4."
    assert card.path == ("Kind of Blue", "jazz", "voorstelling")
    assert card.aside == "Een stap opzij: je hebt iets over jazz. Dit gaat ook over jazz, maar het is een voorstelling."
    assert card.trait is not None and (card.trait.name, card.trait.label) == ("topic:jazz", "jazz")


def test_a_leap_without_a_reason_still_says_in_words_where_it_comes_from() -> None:
    way = {"trait": "topic:jazz", "evidence": "Kind of Blue", "new": "", "via": "Dansen op jazz", "to": "dans"}
    told = [picturing.suggestion(ONE | {"reasons": [], "path": way | more}).aside
            for more in ({}, {"new": "house"}, {"via": ""})]  # fmt: skip
    begin = "Een stap opzij: je hebt iets over jazz."
    assert told == [f"{begin} “Dansen op jazz” gaat daarover en ook over dans. Dit gaat over dans.",
                    f"{begin} Dit gaat ook over jazz, maar het is bij MAS.",
                    f"{begin} Dit is iets heel anders."]  # fmt: skip


def test_what_was_not_told_is_not_said() -> None:
    card = picturing.suggestion(ONE | {"path": None, "reasons": [], "topics": []})
    assert (card.path, card.reasons, card.trait, card.when) == ((), (), None, None)


def test_without_a_grant_the_page_has_no_switch_and_nothing_of_hers() -> None:
    shown = picturing.page({"plain": [], "awake": True}, BEGUN, granted=False, heeds=False)
    assert not (shown.kinds or shown.categories or shown.media or shown.traits or shown.wished or shown.week)


def test_the_page_shows_every_switch_as_she_left_it_and_each_line_of_her_log() -> None:
    hers = Wishes(kinds=frozenset({"list", "fill"}), media=frozenset({"film"}), categories=frozenset({"pd:Interest"}),
                  less=frozenset({"maker:x"}), hidden=frozenset({"y"}))  # fmt: skip
    read = [{"category": "pd:Interest", "count": 3, "status": "read", "entry": "41"},
            {"category": "kluis:Ticket", "count": 0, "status": "closed"}]  # fmt: skip
    dna = [{"trait": "topic:jazz", "evidence": [{"title": "Kind of Blue"}, "Kind of Blue"]}]
    told = {"suggestions": [ONE], "read": read, "dna": dna, "plain": [], "awake": True}
    shown = picturing.page(told, hers, granted=True, heeds=True)
    assert [one.name for one in shown.kinds if one.on] == ["list", "fill"]
    assert [one.name for one in shown.media if not one.on] == ["film"]
    assert [one.name for one in shown.categories if not one.on] == ["pd:Interest"]
    assert [(one.step, one.text) for one in shown.wished] == [
        ("trait", "Minder: van x"), ("hide", "Weggelegd: tip 1 van 1")]  # fmt: skip
    assert [(one.count, one.entry) for one in shown.opened] == [(3, 41)]
    assert [one.evidence for one in shown.traits] == [("Kind of Blue",)]


def test_the_meter_is_full_when_every_tip_is_of_another_kind_and_house_and_empty_when_all_are_alike() -> None:
    alike = [ONE] * 6
    apart = [ONE | {"institution": str(n)} for n in range(6)]
    assert [picturing.bubble(found).percent for found in (alike, apart)] == [0, 100]  # type: ignore[union-attr]
    assert picturing.bubble([]) is None
