"""What a citizen wishes of her suggestions: one value, kept in her pod, read by the recommender under its grant.

She has decided nothing until she says otherwise: every kind is off (`Wishes()`), and nothing personal is read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any, Final

from recommender.errors import BadData

KINDS: Final = ("rank", "fill", "list", "layout")
"""Content focus, input assistance, recommendations, structure focus: the four kinds of suggestion."""
WISHES: Final = "/derived/wishes.jsonld"
"""Where they lie in her pod: sealed, for they tell her taste."""
DIAL: Final = 3
MOST: Final = 500
LONGEST: Final = 200
OFTENEST: Final = 7


@dataclass(frozen=True, slots=True)
class Weekly:
    """The surprise that comes by itself: at most `most` in any seven days (0: none), never in the quiet hours.

    Quiet from `quiet_from` up to `quiet_until`, local time of the citizen; past midnight where the first is later.
    """

    most: int = 0
    quiet_from: time = time(20)
    quiet_until: time = time(9)

    def quiet(self, local: datetime) -> bool:
        """Whether nothing may be sent at this moment of hers. Equal hours mean that it is never quiet."""
        now, start, end = local.time(), self.quiet_from, self.quiet_until
        return start <= now < end if start <= end else now >= start or now < end


@dataclass(frozen=True, slots=True)
class Wishes:
    """`kinds` she turned on, `media` and `categories` (CURIEs) she closed, `dial` leaps per ten (0 to 3).

    `less`, `more` and `never` hold traits: `topic:jazz`, `maker:X`, `house:X`, `medium:film`, in the words of the
    catalogue, lower case. `hidden` holds ids of entries that she put away. `since` (ISO 8601, UTC, or ""): what she
    told before it counts no more, which is what a reset means.
    """

    kinds: frozenset[str] = frozenset()
    media: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    dial: int = 1
    less: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    weekly: Weekly = Weekly()
    since: str = ""

    def on(self, kind: str) -> bool:
        """Whether she turned this kind of suggestion on."""
        return kind in self.kinds

    def opens(self, category: str) -> bool:
        """Whether the recommender may read this category, as far as she is concerned here; her grant decides too."""
        return category not in self.categories

    def to_json(self) -> dict[str, Any]:
        """As it is stored; equal wishes give equal JSON."""
        sets = ("kinds", "media", "categories", "less", "more", "never", "hidden")
        weekly = {"most": self.weekly.most, "quiet_from": f"{self.weekly.quiet_from:%H:%M}",
                  "quiet_until": f"{self.weekly.quiet_until:%H:%M}"}  # fmt: skip
        return {
            **{name: sorted(getattr(self, name)) for name in sets},
            "dial": self.dial,
            "weekly": weekly,
            "since": self.since,
        }


BEGUN: Final = Wishes(kinds=frozenset({"list"}))
"""What holds once she gave the recommender its grant and decided nothing more: the list she asked for, and no other."""


def wishes(told: Mapping[str, Any]) -> Wishes:
    """Read what `to_json` wrote. Raises BadData naming the member that cannot be; nothing is guessed."""
    unknown = told.keys() - Wishes().to_json().keys()
    if unknown:
        raise BadData(f"wishes: {min(unknown)} is no wish")
    kinds = _names(told, "kinds")
    if not kinds <= set(KINDS):
        raise BadData("wishes: kinds holds no kind of suggestion")
    since = told.get("since", "")
    if not isinstance(since, str) or len(since) > 40:
        raise BadData("wishes: since is not a moment")
    named = ("media", "categories", "less", "more", "never", "hidden")
    return Wishes(
        kinds=kinds,
        dial=_number(told, "dial", 1, DIAL),
        weekly=_weekly(told.get("weekly", {})),
        since=since,
        **{name: _names(told, name) for name in named},
    )


def changed(old: Wishes, trait: str, how: str) -> Wishes:
    """The wishes once a trait is wanted `less`, `more` or `never`, or as any other (`undo`): in one set at most."""
    if how not in ("less", "more", "never", "undo"):
        raise BadData("a trait is wanted less, more or never, or that is undone")
    rest = {name: getattr(old, name) - {trait} for name in ("less", "more", "never")}
    if how != "undo":
        if len(rest[how]) >= MOST:
            raise BadData(f"more than {MOST} traits cannot be kept")
        rest[how] = rest[how] | {_name(trait)}
    return replace(old, **rest)


def traits(medium: str, institution: str, maker: str, topics: Iterable[str]) -> tuple[str, ...]:
    """The traits of one thing in the catalogue, in the words in which wishes name them."""
    named = [("medium", medium), ("house", institution), ("maker", maker), *(("topic", topic) for topic in topics)]
    return tuple(dict.fromkeys(f"{kind}:{value.strip().casefold()}" for kind, value in named if value.strip()))


def _names(told: Mapping[str, Any], member: str) -> frozenset[str]:
    found = told.get(member, [])
    if not isinstance(found, list) or len(found) > MOST:
        raise BadData(f"wishes: {member} is not a list of at most {MOST} names")
    return frozenset(_name(one) for one in found)


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise BadData(f"wishes: a name has 1 to {LONGEST} characters")
    return value


def _number(told: Mapping[str, Any], member: str, otherwise: int, most: int) -> int:
    value = told.get(member, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise BadData(f"wishes: {member} is not a whole number from 0 to {most}")
    return value


def _weekly(told: object) -> Weekly:
    if not isinstance(told, dict):
        raise BadData("wishes: weekly is not an object")
    plain = Weekly()
    try:
        start = time.fromisoformat(told.get("quiet_from", plain.quiet_from.isoformat()))
        end = time.fromisoformat(told.get("quiet_until", plain.quiet_until.isoformat()))
    except (TypeError, ValueError):
        raise BadData("wishes: quiet hours are not times of the day") from None
    return Weekly(_number(told, "most", plain.most, OFTENEST), start.replace(tzinfo=None), end.replace(tzinfo=None))
