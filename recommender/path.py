"""How a bridge or a leap got from her own records to something new: values, that a page puts into words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.catalogue import Catalogue, Entry
from recommender.profile import Profile, Trace
from recommender.table import Table
from recommender.taste import evidence, high, used, weights
from recommender.wonder import BRIDGE, LEAP, Place


@dataclass(frozen=True)
class Path:
    """A bridge: `trait` of hers (shown by `evidence` in `category`), which this has too, in a `new` "medium" or
    "house". A leap: the same `trait`, an entry `via` that has it and also the subject `to`, which this is about; `via`
    None where nothing joins the two.
    """

    trait: str
    category: str
    evidence: Trace
    new: str = ""
    via: Entry | None = None
    to: str = ""


def paths(table: Table, places: Sequence[Place]) -> list[Path | None]:
    """The path of each place; None for a `sure` one."""
    if all(place.slot not in (BRIDGE, LEAP) for place in places):
        return [None for _ in places]
    profile, catalogue = table.profile, table.catalogue
    subjects = sorted(catalogue.weights)
    strong = [subjects[n] for n in high(weights(profile, catalogue))]
    found = list[Path | None]()
    for place in places:
        entry = catalogue.entries[table.rows[place.candidate]]
        way = {BRIDGE: _bridge, LEAP: _leap}.get(place.slot)
        found.append(way(profile, catalogue, entry, strong) if way else None)
    return found


def _bridge(profile: Profile, catalogue: Catalogue, entry: Entry, strong: Sequence[str]) -> Path | None:
    trait = next((one for one in strong if one in entry.topics), None)
    if trait is None or not (shown := evidence(profile, trait)):
        return None
    media, _ = used(profile, catalogue)
    category, trace = shown[0]
    return Path(trait, category, trace, new="house" if entry.medium in media else "medium")


def _leap(profile: Profile, catalogue: Catalogue, entry: Entry, strong: Sequence[str]) -> Path | None:
    """From her strongest subject that something in the catalogue joins with a subject of this."""
    for trait in strong:
        if not (shown := evidence(profile, trait)):
            continue
        via, to = _joined(catalogue, entry, trait)
        if via is not None or trait == strong[-1]:
            category, trace = shown[0]
            return Path(trait, category, trace, via=via, to=to)
    return None


def _joined(catalogue: Catalogue, entry: Entry, trait: str) -> tuple[Entry | None, str]:
    """The entry that is most about both the trait and a subject of this one, and that subject."""
    own = [topic for topic in entry.topics if topic != trait]
    if not own or trait not in catalogue.weights:
        return None, own[0] if own else ""
    columns = [catalogue.weights[topic][0] for topic in own]
    hers = catalogue.matrix[:, catalogue.weights[trait][0]]
    both = np.minimum(hers[:, None], catalogue.matrix[:, columns])
    both[catalogue.index[entry.id]] = 0
    row, column = np.unravel_index(int(np.argmax(both)), both.shape)
    return (catalogue.entries[row], own[column]) if both[row, column] > 0 else (None, own[0])
