"""The plain list: always there, nobody's data in it."""

from datetime import date

from recommender.catalogue import Catalogue, Entry
from recommender.plain import plain

TODAY = date(2026, 11, 21)


def entry(number: int, medium: str = "concert", start: str = "", last: str = "") -> Entry:
    return Entry(f"e{number}", f"t{number}", medium, "De Roma", "", start, last or start, 2026, ("jazz",))


def test_the_plain_list_shows_what_is_soonest_and_every_third_place_a_book() -> None:
    late, soon = entry(1, start="2026-12-24T20:00"), entry(2, start="2026-11-22T20:00")
    books = [entry(n, "book") for n in (3, 4)]
    assert plain(Catalogue([late, soon, *books]), 4, TODAY) == [soon, late, books[0], books[1]]


def test_what_is_over_is_not_in_the_plain_list() -> None:
    assert plain(Catalogue([entry(1, start="2026-11-01T20:00")]), 5, TODAY) == []
