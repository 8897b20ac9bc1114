"""The ranking model: LightGBM LambdaMART, kept as text beside a JSON card that says what it was trained on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommender.errors import BadData
from recommender.features import GROUPS, NAMES, PUBLIC

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A booster with the public popularity counts it was trained with, by entry id, and its features: their names in
    the order of the columns, and the consent category of each ("" = public).
    """

    booster: lightgbm.Booster
    popularity: Mapping[str, float]
    card: Mapping[str, Any]
    names: tuple[str, ...] = NAMES
    groups: tuple[str, ...] = GROUPS

    def score(self, features: Matrix) -> Matrix:
        """One score a row; higher is better, the scale means nothing."""
        return np.asarray(self.booster.predict(features, num_threads=1), dtype=float)

    def contributions(self, features: Matrix) -> dict[str, Matrix]:
        """How much each feature group adds to each row's score (SHAP values, summed by category)."""
        parts = np.asarray(self.booster.predict(features, pred_contrib=True, num_threads=1), dtype=float)
        groups = np.array(self.groups)
        return {g: parts[:, :-1][:, groups == g].sum(axis=1) for g in dict.fromkeys(self.groups) if g != PUBLIC}


def save(model: Model, folder: Path) -> None:
    """Write `model.txt` and `card.json` into `folder`; each is replaced whole, the card last."""
    for name, content in (
        ("model.txt", model.booster.model_to_string()),
        (
            "card.json",
            json.dumps({**model.card, "features": _features(model), "popularity": model.popularity}, indent=1),
        ),
    ):
        part = folder / f"{name}.part"
        part.write_text(content, encoding="utf-8")
        part.replace(folder / name)


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
    except (OSError, ValueError, KeyError, TypeError, lightgbm.basic.LightGBMError) as error:
        raise BadData(f"{folder}: no usable model ({error}): run `kluis train`") from error
    return Model(booster, popularity, card, names, tuple(feature["group"] for feature in features))
