"""What a backtest compares: anything that fits on a panel and predicts a Forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.forecast import Forecast
from nestcast.forecaster import Forecaster
from nestcast.model.network import check_cell
from nestcast.recipes.global_network import EFFORTS
from nestcast.training import Report, silent

NETWORK = "nestcast"


class Model(Protocol):
    """A way to forecast. `predict` may be given a longer panel than `fit` was."""

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """Learn from the panel.

        Args:
            panel: what is known.
            asked: the series that will be asked for; they may be absent from the panel.
            horizon: periods ahead to be ready for.
            report: told of progress.
        """

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """Forecast the periods after the panel's last, with central intervals in per cent."""


class RecipeModel:
    """A recipe of nestcast as a backtest sees it.

    Example:
        >>> import numpy as np
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"item_id": np.arange(2)}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 4),
        ...     np.array([[2, 3, 2, 4], [0, 0, 1, 0]], np.float32),
        ...     np.zeros(2, np.int32),
        ... )
        >>> model = RecipeModel("seed", seed=1)
        >>> model.fit(panel, panel.keys, horizon=1)
        >>> model.predict(panel, panel.keys, horizon=1, level=[80]).quantiles.shape
        (2, 1, 3)

    Args:
        recipe: name of the recipe.
        seed: of its random numbers.
        clip: ends into which the target and the forecast are clipped.
        options: further ones of the Forecaster, as `effort` and `cell`.
    """

    def __init__(
        self,
        recipe: str | None,
        seed: int = 0,
        clip: tuple[float, float] | None = None,
        **options: object,
    ) -> None:
        self._settings = {"recipe": recipe, "seed": seed, "clip": clip, **options}
        self._forecaster: Forecaster

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """See `Model.fit`."""
        self._forecaster = Forecaster(horizon, **self._settings).fit(panel, asked, report)  # type: ignore[arg-type]

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """See `Model.predict`."""
        return self._forecaster.predict(horizon, level, panel=panel, pairs=asked)


def network_options(name: str) -> dict[str, Any] | None:
    """Effort and cell in the name of a network; None if it is the name of something else.

    Example:
        >>> network_options("nestcast-quick-gru"), network_options("naive")
        ({'effort': 'quick', 'cell': 'gru:1'}, None)
    """
    first, _, rest = name.partition("-")
    if first != NETWORK:
        return None
    effort, _, cell = rest.partition("-") if rest.partition("-")[0] in EFFORTS else ("", "", rest)
    options = {"effort": effort, "cell": cell and check_cell(cell)}
    return {option: value for option, value in options.items() if value}
