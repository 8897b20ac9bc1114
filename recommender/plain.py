"""The list for everybody: made from the public catalogue alone, the same for whoever asks."""

from datetime import date

from recommender.catalogue import Catalogue, Entry

BOOK = "book"


def plain(catalogue: Catalogue, k: int, today: date) -> list[Entry]:
    """At most `k` entries: what happens soonest first, every third place a book where there are both."""
    coming = sorted((e for e in catalogue.entries if e.start and e.last[:10] >= today.isoformat()), key=_soonest)
    books = [e for e in catalogue.entries if e.medium == BOOK]
    events, shelf, chosen = iter(coming), iter(books), list[Entry]()
    for place in range(k):
        turns = (shelf, events) if place % 3 == 2 else (events, shelf)
        found = next(turns[0], None) or next(turns[1], None)
        if found is None:
            break
        chosen.append(found)
    return chosen


def _soonest(entry: Entry) -> tuple[str, str]:
    return entry.start, entry.id
