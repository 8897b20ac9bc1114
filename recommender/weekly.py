"""The weekly surprise: whether one may come now, and the words of its notice, which say nothing of anybody.

The notice is the same for everybody and for every surprise; what it is about is read on her page, in her own session.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from recommender.wishes import Weekly

WEEK: Final = timedelta(days=7)
APART: Final = timedelta(hours=20)
"""Two surprises do not come on one evening, however many she allows in a week."""
NOTICE: Final[Mapping[str, str]] = {
    "title": "Kluis",
    "body": "Er ligt een verrassing voor je klaar.",
    "url": "/me/suggestions",
}


def due(weekly: Weekly, sent: Sequence[datetime], local: datetime) -> bool:
    """Whether a surprise may come at `local`, a moment in her own time zone; `sent` are those before (aware)."""
    if weekly.most == 0 or weekly.quiet(local):
        return False
    lately = [one for one in sent if local - WEEK < one <= local]
    return len(lately) < weekly.most and all(local - one >= APART for one in lately)


def surprise(suggestions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The one of a list that surprises most: its first leap, else its first bridge; a sure one is no surprise."""
    for slot in ("leap", "bridge"):
        for one in suggestions:
            if one.get("slot") == slot:
                return one
    return None
