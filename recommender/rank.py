"""The ranking model: LightGBM LambdaMART, kept as text beside a JSON card that says what it was trained on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommender.additive import Additive
from recommender.errors import BadData
from recommender.features import GROUPS, NAMES
from recommender.kin import Kin

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A booster with the public popularity counts it was trained with, by entry id, and its features: their names in
    the order of the columns, and the consent category of each ("" = public). `kin` is the released item statistics,
    None where too few people contribute.
    """

    booster: lightgbm.Booster
    popularity: Mapping[str, float]
    card: Mapping[str, Any]
    names: tuple[str, ...] = NAMES
    groups: tuple[str, ...] = GROUPS
    kin: Kin | None = None

    @cached_property
    def trees(self) -> Additive:
        """The same trees by consent category. Raises BadData where one looks into two categories."""
        return Additive(self.booster, self.groups)

    def score(self, features: Matrix) -> Matrix:
        """One score a row; higher is better, the scale means nothing."""
        return np.asarray(self.booster.predict(features, num_threads=1), dtype=float)


def save(model: Model, folder: Path) -> None:
    """Write `model.txt`, `kin.json` and `card.json` into `folder`; each is replaced whole, the card last."""
    card = {**model.card, "features": _features(model), "popularity": model.popularity}
    told = {"model.txt": model.booster.model_to_string(), "kin.json": json.dumps(_pairs(model.kin))}
    for name, content in {**told, "card.json": json.dumps(card, indent=1)}.items():
        part = folder / f"{name}.part"
        part.write_text(content, encoding="utf-8")
        part.replace(folder / name)


def _pairs(kin: Kin | None) -> dict[str, Any]:
    """Item statistics as text: ids, and for each its pairs as [column, weight]; floats of 32 bits stand whole."""
    if kin is None:
        return {}
    rows = [[[int(c), float(row[c])] for c in np.flatnonzero(row)] for row in kin.weights]
    return {"ids": list(kin.ids), "pairs": rows}


def _kin(told: Mapping[str, Any]) -> Kin | None:
    if not told:
        return None
    weights = np.zeros((len(told["ids"]), len(told["ids"])), dtype=np.float32)
    for n, row in enumerate(told["pairs"]):
        for column, weight in row:
            weights[n, column] = weight
    return Kin(tuple(told["ids"]), weights)


def _features(model: Model) -> list[dict[str, str]]:
    return [{"name": name, "group": group} for name, group in zip(model.names, model.groups, strict=True)]


def load(folder: Path, names: tuple[str, ...] = NAMES) -> Model:
    """Read a saved model. Raises BadData when it is missing, damaged or made for other features than `names`."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        features = card.pop("features")
        if tuple(feature["name"] for feature in features) != names:
            raise BadData(f"{folder}: the model was trained on other features: run `kluis train`")
        popularity = card.pop("popularity")
        booster = lightgbm.Booster(model_str=(folder / "model.txt").read_text(encoding="utf-8"))
        kin = _kin(json.loads((folder / "kin.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, IndexError, lightgbm.basic.LightGBMError) as error:
        raise BadData(f"{folder}: no usable model ({error}): run `kluis train`") from error
    return Model(booster, popularity, card, names, tuple(feature["group"] for feature in features), kin)
