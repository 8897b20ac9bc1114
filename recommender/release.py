"""A release of the public model: rebuilt from nothing but the catalogue, made-up citizens and live contributors.

So who withdrew is not in the next one: it is, bit for bit, the model of a world in which she never gave. With too few
contributors it rests on content alone; with enough, item statistics are released with noise (user level), and paid for
in the ledger. Trees carry no formal epsilon: leaves of at least 100 rows, contributors alone teach them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recommender.catalogue import BOOK, Catalogue
from recommender.errors import BadData
from recommender.history import History
from recommender.itemmodel import item_model
from recommender.kin import Kin
from recommender.privacy import DELTA, FEWEST, Spending, private_counts, spend
from recommender.profile import LOANS, TICKETS, profile
from recommender.rank import Model
from recommender.train import Case, fit
from recommender.wallet import write_private

PURPOSE: Final = "model improvement"
EPSILON: Final = 3.0
BUDGET: Final = 36.0
"""A year of releases, one a month."""
ROUGH: Final = 1000
KNOWN: Final = 4, 5
"""The first four fifths of what she did teach the statistics, the rest what came of it."""
LEDGER: Final = "ledger.json"
Given = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True)
class Terms:
    """What a release may cost: `epsilon`, from how many contributors on, and the `secret` its noise is drawn with."""

    secret: bytes
    epsilon: float = EPSILON
    fewest: int = FEWEST


def release(
    given: Given, catalogue: Catalogue, base: Model, ledger: Sequence[Spending], terms: Terms, now: datetime
) -> tuple[Model, tuple[Spending, ...]]:
    """The model of this month and the ledger after it. `base` was trained on made-up citizens alone.

    Raises Spent where the month had its release, or the budget is gone; then the old model stands.
    """
    month = f"{now:%Y-%m}"
    if len(given) < terms.fewest:
        return replace(base, card=dict(base.card) | _card(month, 0, 0.0)), tuple(ledger)
    after = spend(ledger, Spending(PURPOSE, month, terms.epsilon, DELTA), BUDGET)
    cases = [_case(name, given[name], catalogue) for name in sorted(given)]
    kin, popularity = _statistics(cases, catalogue, terms, month)
    trees = fit(cases, catalogue, popularity, now.date(), kin)
    card = dict(base.card) | _card(month, len(cases), terms.epsilon) | {"data": "contributors"}
    return Model(trees, popularity, card, kin=kin), after


def _card(version: str, contributors: int, epsilon: float) -> dict[str, Any]:
    """What the card says of a release; how many contribute only roughly, for one more or less is a secret."""
    basis = "item statistics of contributors, with noise" if contributors else "content alone: too few contributors"
    limits = "trees carry no formal epsilon; leaves of at least 100 rows" if contributors else "trees saw nobody's data"
    rough = contributors // ROUGH * ROUGH
    return {"version": version, "basis": basis, "contributors_at_least": rough, "epsilon": epsilon,
            "delta": DELTA if epsilon else 0.0, "limits": limits}  # fmt: skip


def _case(name: str, records: Mapping[str, Sequence[Mapping[str, Any]]], catalogue: Catalogue) -> Case:
    """What she did first is known, what she did last came later; within a category by day, then by name."""
    ordered = {c: sorted(rows, key=_when) for c, rows in records.items() if c in (LOANS, TICKETS)}
    whole = profile(ordered, catalogue)
    part, of = KNOWN
    known = replace(whole, traces={c: t[: len(t) * part // of] for c, t in whole.traces.items()})
    return Case(name, known, whole.owned - known.owned)


def _when(record: Mapping[str, Any]) -> tuple[str, str]:
    return str(record.get("schema:startTime", "")), str(record.get("@id", ""))


def _statistics(cases: Sequence[Case], catalogue: Catalogue, terms: Terms, month: str) -> tuple[Kin, dict[str, float]]:
    """Noised statistics of books: they stay, where events are new every day. The noise is secret and repeatable."""
    ids = tuple(entry.id for entry in catalogue.entries if entry.medium == BOOK)
    draw = blake2b(month.encode(), key=terms.secret, digest_size=16).digest()
    rng = np.random.default_rng(int.from_bytes(draw))
    model = item_model(private_counts(_history(cases, catalogue, ids), terms.epsilon, rng))
    return Kin(ids, model.alike), dict(zip(ids, np.expm1(model.popularity).round(3).tolist(), strict=True))


def _history(cases: Sequence[Case], catalogue: Catalogue, ids: Sequence[str]) -> History:
    place = {iri: n for n, iri in enumerate(ids)}
    rows = [[_place(catalogue, place, t.entry) for t in case.known.traces.get(LOANS, ())] for case in cases]
    kept = [list(dict.fromkeys(n for n in row if n >= 0)) for row in rows]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in kept])]).astype(np.int64)
    user = np.repeat(np.arange(len(kept)), np.diff(starts))
    item: NDArray[np.int64] = np.array([n for row in kept for n in row], dtype=np.int64)
    return History(user, item, None, True, starts, len(ids))


def _place(catalogue: Catalogue, place: Mapping[str, int], entry: int | None) -> int:
    return -1 if entry is None else place.get(catalogue.entries[entry].id, -1)


def ledger(folder: Path) -> tuple[Spending, ...]:
    """What releases have cost so far. Raises BadData: a ledger that cannot be read allows no release."""
    path = folder / LEDGER
    try:
        return tuple(Spending(**row) for row in json.loads(path.read_text("utf-8"))) if path.exists() else ()
    except (OSError, ValueError, TypeError) as error:
        raise BadData(f"{path}: not a ledger ({error})") from error


def write_ledger(folder: Path, spent: Sequence[Spending]) -> None:
    """Keep the ledger, durably: before the model that it pays for."""
    write_private(folder / LEDGER, [asdict(one) for one in spent])
