"""The one way in for files: a source's name and its bytes become items and rejects, never an exception."""

from collections.abc import Mapping

from recommender.books import topics_of
from recommender.sources import folio, mijnbib, uitdatabank
from recommender.sources.document import LIMIT, document
from recommender.sources.items import FILE, Intake, Item, Refused, Reject, Topics

__all__ = ["LIMIT", "SOURCES", "Intake", "Item", "Reject", "read"]

SOURCES = ("mijnbib", "folio", "uitdatabank")


def read(
    source: str,
    data: bytes,
    patron: str | None = None,
    *,
    titles: Mapping[str, str] | None = None,
    topics: Topics = topics_of,
    drafts: bool = False,
) -> Intake:
    """Read one file of at most `LIMIT` bytes. Every fault is a reject with a reason; nothing is raised.

    `titles`: FOLIO item id -> title; `topics`: title -> subject words (default: from the built-in list of
    well-known books); `drafts`: take in unpublished UiTdatabank events.
    """
    try:
        content = document(data)
        if source == "mijnbib":
            return mijnbib.read(content, topics)
        if source == "folio":
            return folio.read(content, patron, titles or {}, topics)
        if source == "uitdatabank":
            return uitdatabank.read(content, drafts)
        raise Refused(f"unknown source {source[:40]!r}: expected one of {', '.join(SOURCES)}")
    except Refused as why:
        return Intake([], [Reject(FILE, str(why))])
