"""A strict reader for JSON that strangers wrote: bounded, and never guessing at what is ambiguous."""

import json
import re
import unicodedata
from datetime import date, datetime
from typing import Any

from recommender.sources.items import Refused

LIMIT = 16 * 2**20
TEXT_LIMIT = 1000
DEPTH_LIMIT = 64
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?")


class Repeated(dict[str, Any]):
    """A JSON object in which a key stood twice: readers disagree about its meaning, so its record is refused."""

    key = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    seen: set[str] = set()
    marked = Repeated(plain)
    marked.key = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
    return marked


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def document(data: bytes) -> Any:
    """Parse UTF-8 JSON (RFC 8259; a byte order mark is tolerated). Raises Refused with the reason."""
    if len(data) > LIMIT:
        raise Refused(f"larger than {LIMIT // 2**20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise Refused("empty")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise Refused(f"damaged JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Refused("nested too deeply") from None
    except ValueError as error:
        raise Refused(f"damaged JSON: {error}") from None


def record(value: Any) -> dict[str, Any]:
    """One record of a file: an object without repeated keys, at any depth. Raises Refused."""
    if not isinstance(value, dict):
        raise Refused("not an object")
    _whole(value, 0)
    return value


def _whole(value: Any, depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise Refused("nested too deeply")
    if isinstance(value, Repeated):
        raise Refused(f"key {value.key[:60]!r} stands twice")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _whole(child, depth + 1)


def text(value: Any, field: str) -> str:
    """A line of text, or "" where the field is absent; control characters become spaces. Raises Refused."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused(f"{field} is not text")
    line = str(value)
    if any(unicodedata.category(c) == "Cs" for c in line):
        raise Refused(f"{field} holds half a character")
    line = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in line).split())
    if len(line) > TEXT_LIMIT:
        raise Refused(f"{field} is longer than {TEXT_LIMIT} characters")
    return unicodedata.normalize("NFC", line)


def moment(value: Any, field: str) -> str:
    """An ISO 8601 date or instant as text, "" where absent. Raises Refused.

    A time without a zone could be any instant, so only its local date is kept.
    """
    raw = text(value, field)
    if not raw:
        return ""
    try:
        if not _MOMENT.fullmatch(raw):
            raise ValueError
        read = datetime.fromisoformat(raw) if len(raw) > 10 else date.fromisoformat(raw)
    except ValueError:
        raise Refused(f"{field}: {raw[:40]!r} is not a date") from None
    if not 1900 <= read.year <= 2199:
        raise Refused(f"{field}: {raw[:40]!r} is not a date of our time")
    if isinstance(read, datetime) and read.tzinfo is None:
        return read.date().isoformat()
    return read.isoformat()


def ordered(start: str, end: str, what: str) -> None:
    """Refuse an end before its start; where one of them is only a date, days are compared."""
    if not start or not end:
        return
    if len(start) > 10 and len(end) > 10:
        backwards = datetime.fromisoformat(end) < datetime.fromisoformat(start)
    else:
        backwards = end[:10] < start[:10]
    if backwards:
        raise Refused(f"{what} ends ({end}) before it starts ({start})")


def normal(title: str) -> str:
    """A title reduced to its letters and digits, for comparing across systems."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    return " ".join(re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c))))
