"""What a record is called on a page: its own title, else the first thing it tells, else its path."""

from typing import Any, Final
from urllib.parse import unquote

import orjson

from consent.categories import CATEGORIES, category_at
from consent.oauth.registration import clean_text
from vault.sealed import Opened
from web import asking, own
from web.pages.own import Record

MEDIA: Final = "application/ld+json"
NAME: Final = "schema:name"
START: Final = "schema:startTime"
_ANSWERS: Final = {answer.name: answer.tells["nl"] for kind in CATEGORIES.values() for answer in kind.answers.values()}


def record(opened: Opened) -> Record:
    """A record as a page lists it. What stands in it was written by others: one line each, and cut."""
    label, told = opened.label, _json(opened)
    on = next(iter(asking.texts(told.get(START))), "")
    return Record(_title(label.path, told), own.moment(label.created), on)


def _json(opened: Opened) -> dict[str, Any]:
    """The fields of a JSON-LD record, none of anything else."""
    try:
        told = orjson.loads(opened.body or b"") if opened.label.media == MEDIA else None
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _title(path: str, told: dict[str, Any]) -> str:
    for field in (NAME, *category_at(path).fields):
        found = [text for text in asking.texts(told.get(field)) if not text.startswith(asking.ADDRESS)]
        if found:
            return _ANSWERS.get(found[0], found[0])
    name = clean_text(unquote(path.removeprefix("/")))
    return name if len(name) <= asking.LONGEST else name[: asking.LONGEST - 1] + "…"
