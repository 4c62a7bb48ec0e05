"""The classical recipe: each series alone, its own history in and one number out.

The seed of this project and the yardstick for what came after: a Nested LSTM of 40 units reads the
monthly counts of one pair, and a dense layer turns its last hidden state into the next count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor, nn

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.model.population import with_series
from nestcast.nn import NestedLSTM
from nestcast.recipes.base import Floats, Prediction, Recipe
from nestcast.training import Report, TrainingOptions, train

_BATCH = 1024
_EPOCHS = 5


class SeedNetwork(nn.Module):
    """NestedLSTM(1, 40, depth=2), last hidden state, Linear(40, 1): 19,721 parameters.

    Example:
        >>> SeedNetwork()(torch.zeros(33, 5)).shape
        torch.Size([5])
    """

    def __init__(self, hidden_size: int = 40) -> None:
        super().__init__()
        self.nested_lstm = NestedLSTM(1, hidden_size, depth=2)
        self.dense = nn.Linear(hidden_size, 1)

    def forward(self, history: Tensor) -> Tensor:
        """The next value of each series, shape (batch,), from (steps, batch)."""
        _, (h, _) = self.nested_lstm(history.unsqueeze(-1))
        forecast: Tensor = self.dense(h[-1])
        return forecast.squeeze(-1)


class SeedRecipe(Recipe):
    """All periods but the last in, the last as target; forecasts from the window moved on by one.

    Mean squared error, Adam, 5 epochs. Intervals assume normal errors of the size seen in the last
    epoch. It forecasts one period ahead and trains on the series asked for, as the classical
    solution did.
    """

    name: ClassVar[str] = "seed"

    def __init__(self) -> None:
        self._network: SeedNetwork
        self._window = 0
        self._deviation = 0.0
        self._lowest = -np.inf

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report) -> None:
        """See `Recipe.fit`."""
        if horizon != 1:
            raise OptionError("the seed recipe forecasts one period ahead: use --horizon 1.")
        if len(panel.calendar) < 2:
            raise DataError(
                "the seed recipe needs 2 periods or more, one to learn from and one to predict; "
                f"the data have {len(panel.calendar)}."
            )
        self._network = SeedNetwork()
        series = _histories(panel, asked)
        history, target = series[:-1], series[-1]  # (time - 1, series), (series,)
        self._window = len(history)
        self._lowest = 0.0 if panel.is_count else -np.inf

        def batches() -> Sequence[Tensor]:
            return torch.split(torch.randperm(len(target)), _BATCH)

        def loss(batch: Tensor) -> Tensor:
            return nn.functional.mse_loss(self._network(history[:, batch]), target[batch])

        options = TrainingOptions(_EPOCHS, learning_rate=1e-3, weight_decay=0.0, cosine=False)
        error = train(self._network.parameters(), batches, loss, options, report)
        self._deviation = float(error**0.5)

    def predict(
        self,
        panel: Panel,
        asked: Keys,
        horizon: int,
        probabilities: Sequence[float],
        samples: int = 0,
    ) -> Prediction:
        """See `Recipe.predict`."""
        series = _histories(panel, asked)
        missing = max(0, self._window - len(series))
        window = nn.functional.pad(series, (0, 0, missing, 0))[-self._window :]
        with torch.no_grad():
            parts = [self._network(part) for part in torch.split(window, _BATCH, dim=1)]
        mean: Floats = torch.cat(parts).numpy()[:, None]  # (asked, 1)
        away = self._deviation * special.ndtri(np.asarray(probabilities))
        quantiles = mean[..., None] + away
        paths = None
        if samples:
            noise = torch.randn(*mean.shape, samples).numpy()
            paths = _at_least(mean[..., None] + self._deviation * noise, self._lowest)
        return Prediction(_at_least(mean, self._lowest), _at_least(quantiles, self._lowest), paths)

    def layers(self) -> list[tuple[str, str, int]]:
        """See `Recipe.layers`."""
        hidden = self._network.dense.in_features
        return [
            (name, shape, sum(p.numel() for p in module.parameters()))
            for name, shape, module in (
                (
                    f"NestedLSTM(1, {hidden}, depth=2)",
                    f"(batch, {hidden})",
                    self._network.nested_lstm,
                ),
                (f"Linear({hidden}, 1)", "(batch, 1)", self._network.dense),
            )
        ]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """See `Recipe.state`."""
        settings = {
            "horizon": 1,
            "window": self._window,
            "deviation": self._deviation,
            "is_count": self._lowest == 0.0,
        }
        return settings, dict(self._network.state_dict())

    @classmethod
    def restore(cls, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """See `Recipe.restore`."""
        recipe = cls()
        recipe._window = settings["window"]
        recipe._deviation = settings["deviation"]
        recipe._lowest = 0.0 if settings["is_count"] else -np.inf
        recipe._network = SeedNetwork()
        recipe._network.load_state_dict(dict(tensors))
        return recipe


def _histories(panel: Panel, asked: Keys) -> Tensor:
    """All periods of the series asked for, missing ones as 0, shape (time, asked)."""
    panel, rows = with_series(panel, asked)
    return torch.from_numpy(np.ascontiguousarray(np.nan_to_num(panel.target[rows]).T))


def _at_least(values: NDArray[np.floating[Any]], lowest: float) -> Floats:
    return np.asarray(np.maximum(values, lowest), dtype=np.float32)
