"""LightGBM on lagged features: the baseline that is hard to beat.

One ensemble of trees for all series, trained on what would have been asked at past origins (G. Ke
et al., "LightGBM: a highly efficient gradient boosting decision tree", 2017; the winners of the M5
competition worked like this, S. Makridakis et al., 2022). Needs the extra `lightgbm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from nestcast.boosting.lags import LaggedFeatures
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.forecast import Forecast, probabilities_of
from nestcast.model.cells import asked_before, names_grid
from nestcast.model.population import with_series
from nestcast.model.schema import Schema, schema_of
from nestcast.training import Report, silent

Floats = NDArray[np.float32]

_MOST_ROWS = 2_000_000
_MOST_ORIGINS = 48
_MOST_ROWS_OF_QUANTILES = 600_000
_FEWEST_ROUNDS, _MOST_ROUNDS, _PATIENCE = 40, 250, 20
_JUDGED = 3  # last known periods, by which the number of rounds is chosen
_PREDICTED_AT_ONCE = 200_000


def is_installed() -> bool:
    """Whether LightGBM is there."""
    return find_spec("lightgbm") is not None


def check_installed() -> None:
    """See that LightGBM is there.

    Raises:
        OptionError: it is not.
    """
    if not is_installed():
        raise OptionError("this needs the package lightgbm: pip install 'nestcast[lightgbm]'.")


@dataclass(frozen=True, eq=False)
class _Table:
    """Training rows, by origin: features (rows, features), target (rows,), origin (rows,)."""

    features: Floats
    target: Floats
    origin: NDArray[np.int64]

    def between(self, first: float, last: float) -> _Table:
        """The rows of some origins, without a copy."""
        part = slice(*np.searchsorted(self.origin, [first, last + 1]))
        return _Table(self.features[part], self.target[part], self.origin[part])


class Boosting:
    """Gradient-boosted trees on lagged features, for the mean and for each quantile.

    Rows are all series that would have been asked for at past origins: where a grid is asked for,
    the grid of each past period, pairs that never sold included. The mean is trained on squared
    error; its number of trees is the one with the least error on the last three periods known when
    trained on those before, after which all are used. Quantiles are trained on pinball loss, on a
    sample of the rows. Several periods ahead are forecast directly, the step being a feature.

    Args:
        seed: of the sampling of rows and features.
        known_assortment: whether what is asked for is known to be all that will be sold.
    """

    def __init__(self, seed: int = 0, *, known_assortment: bool = False) -> None:
        check_installed()
        self._seed, self._known_assortment = seed, known_assortment
        self._schema: Schema
        self._mean: Any = None
        self._table: _Table
        self._quantiles: dict[float, Any] = {}
        self._rounds = 0

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """See `Model.fit`.

        Raises:
            DataError: there is no past period to learn from.
        """
        self._schema = schema_of(panel, known_assortment=self._known_assortment)
        self._table = _training_table(panel, self._schema, asked, horizon, self._seed)
        table = self._table
        judged = int(table.origin[-1]) - _JUDGED + 1
        # Origins whose periods reach into those judged would have seen the answers.
        before = table.between(0, judged - horizon)
        self._rounds = _MOST_ROUNDS // 2
        if 2 * len(before.target) > len(table.target):
            self._rounds = self._best_rounds(before, table.between(judged, np.inf))
        self._mean = _train(table, self._parameters(len(table.target)), self._rounds)
        self._quantiles = {}

    def to_text(self) -> tuple[str, Schema]:
        """The trees of the mean, and the columns they read: all that `from_text` needs."""
        return self._mean.model_to_string(), self._schema

    @classmethod
    def from_text(cls, text: str, schema: Schema) -> Self:
        """Trees that give means, as they were when `to_text` was called."""
        check_installed()
        import lightgbm

        made = cls()
        try:
            made._mean, made._schema = lightgbm.Booster(model_str=text), schema
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(f"LightGBM: {error}") from None
        return made

    def means(self, panel: Panel, asked: Keys, horizon: int) -> Floats:
        """Expected values of the periods after a panel's last, shape (asked, horizon)."""
        return self._values(panel, asked, horizon, [self._mean])[..., 0]

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """See `Model.predict`; quantiles are trained when first asked for."""
        probabilities = probabilities_of(level)
        for p in probabilities:
            if p not in self._quantiles:
                self._quantiles[p] = self._fit_quantile(p)
        wanted = [self._mean, *(self._quantiles[p] for p in probabilities)]
        values = self._values(panel, asked, horizon, wanted)
        mean, quantiles = values[..., 0], values[..., 1:]
        quantiles.sort(axis=-1)  # trained apart, they may cross
        if panel.is_count:
            np.rint(quantiles, out=quantiles)
        return Forecast(
            keys=asked,
            calendar=panel.calendar.after(horizon),
            mean=mean,
            probabilities=np.array(probabilities),
            quantiles=quantiles,
            target_name=panel.target_name,
            time_name=panel.time_name,
        )

    def _values(self, panel: Panel, asked: Keys, horizon: int, boosters: Sequence[Any]) -> Floats:
        """What some trees say, counts at least 0, shape (asked, horizon, boosters)."""
        known, rows = with_series(panel, asked)
        features = LaggedFeatures(known, self._schema)
        origin = len(panel.calendar)
        values = np.empty((len(rows), horizon, len(boosters)), np.float32)
        for begin in range(0, len(rows), _PREDICTED_AT_ONCE):
            part = slice(begin, begin + _PREDICTED_AT_ONCE)
            scale = features.scale(rows[part], origin)
            for step in range(1, horizon + 1):
                matrix = features.matrix(rows[part], origin, step)
                for number, booster in enumerate(boosters):
                    values[part, step - 1, number] = booster.predict(matrix) * scale
        return np.maximum(values, 0) if panel.is_count else values

    def _best_rounds(self, before: _Table, last: _Table) -> int:
        import lightgbm

        train = _dataset(before)
        booster = lightgbm.train(
            self._parameters(len(before.target)),
            train,
            _MOST_ROUNDS,
            valid_sets=[lightgbm.Dataset(last.features, last.target, reference=train)],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        return max(int(booster.best_iteration), _FEWEST_ROUNDS)

    def _fit_quantile(self, probability: float) -> Any:
        table = self._table
        if len(table.target) > _MOST_ROWS_OF_QUANTILES:
            rng = np.random.default_rng(self._seed)
            sample = rng.choice(len(table.target), _MOST_ROWS_OF_QUANTILES, replace=False)
            kept = np.sort(sample)
            table = _Table(table.features[kept], table.target[kept], table.origin[kept])
        parameters = self._parameters(len(table.target))
        parameters |= {"objective": "quantile", "alpha": probability, "learning_rate": 0.1}
        return _train(table, parameters, min(max(self._rounds // 2, 40), 100))

    def _parameters(self, rows: int) -> dict[str, Any]:
        return {
            "objective": "l2",
            "learning_rate": 0.08,
            "num_leaves": 63,
            "min_data_in_leaf": int(np.clip(rows // 1000, 20, 300)),
            "feature_fraction": 0.5,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "max_bin": 127,
            "seed": self._seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": torch.get_num_threads(),
            "verbosity": -1,
        }


def _training_table(panel: Panel, schema: Schema, asked: Keys, horizon: int, seed: int) -> _Table:
    """What would have been asked at past origins and what then happened."""
    time = len(panel.calendar)
    # Trained on origins with a whole season behind them where there are enough of these.
    earliest = panel.calendar.season if time >= 2 * panel.calendar.season + horizon else time // 3
    origins = list(range(time - horizon, max(earliest, 1) - 1, -1))[: 2 * panel.calendar.year]
    origins = origins[:: -(-len(origins) // _MOST_ORIGINS) or 1][::-1]
    if not origins:
        raise DataError(
            f"lightgbm needs {horizon + 1} periods or more to learn from; the data have {time}."
        )
    listed = asked_before(panel, origins, names_grid(asked, panel))
    rng = np.random.default_rng(seed)
    sampled = _sampled(origins, listed, _MOST_ROWS // horizon, rng)
    known, _ = with_series(panel, _joined([keys for _, keys in sampled]))
    features = LaggedFeatures(known, schema)
    size, matrix = 0, np.empty((0, 0), np.float32)
    most = horizon * sum(len(keys) for _, keys in sampled)
    targets, of_origin = np.empty(most, np.float32), np.empty(most, np.int64)
    for origin, keys in sampled:
        rows = known.keys.locate(keys)
        for step in range(1, horizon + 1):
            target = features.target(rows, origin, step)
            seen = np.isfinite(target)
            part = features.matrix(rows[seen], origin, step)
            if matrix.shape[1] == 0:  # one array, filled in place: a second copy is gigabytes
                matrix = np.empty((most, part.shape[1]), np.float32)
            end = size + len(part)
            matrix[size:end], targets[size:end], of_origin[size:end] = part, target[seen], origin
            size = end
    if not size:
        raise DataError("lightgbm has not one past period to learn from: give more rows.")
    return _Table(matrix[:size], targets[:size], of_origin[:size])


def _sampled(
    origins: Sequence[int], series: Sequence[Keys], most: int, rng: np.random.Generator
) -> list[tuple[int, Keys]]:
    """The latest origins in full, earlier ones thinned out, if there are too many rows."""
    made, left = [], most
    for number in range(len(origins))[::-1]:
        keys = series[number]
        share = max(left // (number + 1), 1)  # what is left is for the earlier ones too
        recent = len(origins) - number <= 6
        take = min(len(keys), left if recent else share)
        if take < len(keys):
            keys = keys.take(np.sort(rng.choice(len(keys), take, replace=False)))
        left -= take
        made.append((origins[number], keys))
    return made[::-1]


def _joined(parts: Sequence[Keys]) -> Keys:
    every = Keys({name: np.concatenate([part[name] for part in parts]) for name in parts[0].names})
    return every.take(every.first_of_each())


def _dataset(table: _Table) -> Any:
    import lightgbm

    return lightgbm.Dataset(table.features, table.target, params={"max_bin": 127})


def _train(table: _Table, parameters: dict[str, Any], rounds: int) -> Any:
    import lightgbm

    return lightgbm.train(parameters, _dataset(table), rounds)
