"""The networks averaged with gradient-boosted trees, by weights learned on the last periods.

Stacked generalisation (D. H. Wolpert, "Stacked generalization", 1992) with one weight from 0 to 1:
both are trained without the last periods, and what combines their forecasts of these best is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from nestcast.boosting.trees import Boosting, check_installed
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.model.cells import asked_before, names_grid
from nestcast.model.schema import Schema
from nestcast.recipes.base import Floats, Prediction, Recipe
from nestcast.recipes.global_network import HELD, GlobalNetwork
from nestcast.training import Report

_USUAL_WEIGHT = 0.5  # of the trees, where there are too few periods to learn it
_TREES = "trees"


class Ensemble(Recipe):
    """Networks and trees.

    The shape of each distribution is that of the networks, moved to the common mean: counts by a
    factor, other targets by a shift.

    Args:
        effort: of the networks.
        options: further ones of `GlobalNetwork`.

    Raises:
        OptionError: LightGBM is not installed, or an option makes no sense.
    """

    name: ClassVar[str] = "ensemble"

    def __init__(self, effort: str = "best", **options: Any) -> None:
        check_installed()
        self._options = options
        self.global_network = GlobalNetwork(effort, **options)
        self._trees: Boosting
        self.weight: float

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report) -> None:
        """See `Recipe.fit`."""
        known = bool(self._options.get("known_assortment"))
        seed = int(torch.randint(2**31, ()).item())

        def trees() -> Boosting:
            return Boosting(seed, known_assortment=known)

        self.weight = self._learned(panel, asked, horizon, trees(), report)
        self._trees = trees()
        self._trees.fit(panel, asked, horizon)
        self.global_network.fit(panel, asked, horizon, report)

    def _learned(
        self, panel: Panel, asked: Keys, horizon: int, trees: Boosting, report: Report
    ) -> float:
        """Weight of the trees that is best for the last periods, from models without these."""
        length = len(panel.calendar)
        held = max(horizon, HELD[panel.calendar.freq])
        if length - held < held:
            return _USUAL_WEIGHT
        networks = GlobalNetwork("standard", **self._options)
        cross = square = 0.0
        for origin in range(length - held, length, horizon):
            known, ahead = panel.until(origin), min(horizon, length - origin)
            [keys] = asked_before(panel, [origin], names_grid(asked, panel))
            if origin == length - held:
                for model in (networks, trees):
                    model.fit(known, keys, horizon, report)
            one = networks.predict(known, keys, ahead, [0.5]).mean
            apart = trees.means(known, keys, ahead).astype(np.float64) - one
            rows = panel.keys.locate(keys)
            actual = panel.target[np.maximum(rows, 0), origin : origin + ahead]
            actual = np.where(rows[:, None] < 0, 0, actual)  # never sold
            missing = np.where(np.isfinite(actual), actual - one, 0)
            cross += float((missing * apart).sum())
            square += float((np.isfinite(actual) * apart**2).sum())
        return float(np.clip(cross / square, 0, 1)) if square > 0 else _USUAL_WEIGHT

    def predict(
        self,
        panel: Panel,
        asked: Keys,
        horizon: int,
        probabilities: Sequence[float],
        samples: int = 0,
    ) -> Prediction:
        """See `Recipe.predict`."""
        of_networks = self.global_network.predict(panel, asked, horizon, probabilities, samples)
        before = np.asarray(of_networks.mean, np.float32)
        mean = before + self.weight * (self._trees.means(panel, asked, horizon) - before)

        def moved(values: Floats) -> Floats:
            if not panel.is_count:
                return values + (mean - before)[..., None]
            scaled = values * (mean / np.maximum(before, 1e-6))[..., None]
            return np.asarray(np.rint(scaled), np.float32)

        paths = of_networks.samples
        return Prediction(
            mean, moved(of_networks.quantiles), None if paths is None else moved(paths)
        )

    def layers(self) -> list[tuple[str, str, int]]:
        """See `Recipe.layers`."""
        return self.global_network.layers()

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """See `Recipe.state`."""
        settings, tensors = self.global_network.state()
        text, schema = self._trees.to_text()
        trees = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        own = {"weight": self.weight, "networks": settings, _TREES: schema.to_json()}
        return own, {**tensors, _TREES: trees}

    @classmethod
    def restore(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """See `Recipe.restore`."""
        recipe, tensors = cls(), dict(tensors)
        text = bytes(tensors.pop(_TREES).tolist()).decode()
        recipe._trees = Boosting.from_text(text, Schema.from_json(settings[_TREES]))
        recipe.global_network = GlobalNetwork.restore(settings["networks"], tensors)
        recipe.weight = float(settings["weight"])
        return recipe
