"""What every recipe can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.training import Report

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a recipe forecasts.

    Args:
        mean: shape (asked, horizon).
        quantiles: shape (asked, horizon, probabilities).
        samples: paths, shape (asked, horizon, samples), if they were asked for.
        concentration: of rates, shape (asked, horizon).
        extra: how much more than by chance clicks vary at a given rate.
    """

    mean: NDArray[Any]
    quantiles: Floats
    samples: Floats | None = None
    concentration: NDArray[np.float64] | None = None
    extra: float = 0.0


class Recipe(ABC):
    """A way to forecast. Randomness comes from torch's default generator, seeded by the caller."""

    name: ClassVar[str]

    @abstractmethod
    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report) -> None:
        """Learn from the panel.

        Args:
            panel: what was read.
            asked: the series that will be asked for; they may be absent from the panel.
            horizon: periods ahead to be ready for.
            report: told of progress.
        """

    @abstractmethod
    def predict(
        self,
        panel: Panel,
        asked: Keys,
        horizon: int,
        probabilities: Sequence[float],
        samples: int = 0,
    ) -> Prediction:
        """Forecast the periods after the panel's last.

        Args:
            panel: what is known.
            asked: the series.
            horizon: how many periods.
            probabilities: of the quantiles.
            samples: paths to draw of each series.
        """

    @abstractmethod
    def layers(self) -> list[tuple[str, str, int]]:
        """The fitted network as rows of layer, output shape and number of parameters."""

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """All that is needed to predict: settings that JSON can hold, and tensors."""

    @classmethod
    @abstractmethod
    def restore(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """A recipe as it was when `state` was called."""
