"""What the socket tells of a suggestion, of her cultural DNA and of her bubble: JSON values, that a page words."""

from collections.abc import Iterable
from typing import Any

from recommender.catalogue import Catalogue
from recommender.explain import Reason
from recommender.path import Path
from recommender.suggest import Suggestion
from recommender.taste import Trait, entropy

Answer = dict[str, Any]


def more(suggestion: Suggestion) -> Answer:
    """Beside what a list always told: how unexpected it is (0 to 1), and the path of a bridge or leap."""
    return {"unexpected": suggestion.unexpected, "path": _path(suggestion.path)}


def closed(reason: Reason) -> Answer:
    """The counterfactual of a reason: the rank (from 1) this would have were the category closed. `also`: the other
    records, where only together they decide.
    """
    return {"rank_without": reason.closed, "also": [{"title": t.title, "id": t.id} for t in reason.also]}


def _path(path: Path | None) -> Answer | None:
    if path is None:
        return None
    return {
        "trait": path.trait,
        "category": path.category,
        "evidence": path.evidence.title,
        "evidence_id": path.evidence.id,
        "new": path.new,
        "via": path.via.title if path.via else "",
        "to": path.to,
    }


def told(traits: Iterable[Trait]) -> list[Answer]:
    """Traits with the records that show them."""
    return [
        {
            "trait": trait.name,
            "share": trait.share,
            "wish": trait.wish,
            "evidence": [{"category": c, "title": t.title, "id": t.id} for c, t in trait.evidence],
        }
        for trait in traits
    ]


def bubble(catalogue: Catalogue, shown: Iterable[str], opened: Iterable[str]) -> Answer:
    """How wide what she was shown and what she opened is: `entropy` in bits over subjects and over media, of things in
    the catalogue; `subjects` and `media` there are in all.
    """
    return {
        "shown": _spread(catalogue, shown),
        "opened": _spread(catalogue, opened),
        "subjects": len(catalogue.weights),
        "media": len({entry.medium for entry in catalogue.entries}),
    }


def _spread(catalogue: Catalogue, ids: Iterable[str]) -> Answer:
    entries = [catalogue.entries[catalogue.index[one]] for one in ids if one in catalogue.index]
    return {
        "count": len(entries),
        "subjects": round(entropy([topic for entry in entries for topic in entry.topics]), 3),
        "media": round(entropy([entry.medium for entry in entries]), 3),
    }
