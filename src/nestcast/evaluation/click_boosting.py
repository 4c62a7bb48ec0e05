"""LightGBM with binomial loss on lagged rates: the learned baseline for clicks.

Trees correct the logit of a smoothed rate, for each series and step, trained on what was clicked
after past origins (G. Ke et al., "LightGBM", 2017). Needs the extra `lightgbm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from nestcast.boosting.trees import check_installed
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError
from nestcast.forecast import Forecast
from nestcast.model.population import with_series
from nestcast.rateforecast import rate_forecast
from nestcast.rates.dispersion import Dispersion, Past, fit_dispersion
from nestcast.rates.exposure import cycle_of, forecast_exposure
from nestcast.rates.hierarchy import hierarchy_of
from nestcast.rates.models import exposure_of
from nestcast.rates.shrinkage import pooled_rate
from nestcast.training import Report, silent

Values = NDArray[np.float64]

__all__ = ["ClickBoosting", "check_installed"]

_WINDOWS = (1, 2, 3, 7, 14, 28)
_BASE = 3  # the window whose rate trees start from
_SMOOTH = 300.0  # impressions that the rate of the group counts for
_ORIGINS = 60
_MOST_ROUNDS, _PATIENCE = 400, 30


@dataclass(frozen=True, eq=False)
class _Rows:
    """Training rows: features (rows, features), base logit and the rest (rows,)."""

    features: Values
    base: Values
    step: Values
    origin: Values
    clicks: Values
    impressions: Values

    def where(self, on: NDArray[np.bool_]) -> _Rows:
        return _Rows(
            self.features[on], self.base[on], self.step[on], self.origin[on], self.clicks[on],
            self.impressions[on],
        )  # fmt: skip


class _Features:
    """What is known of each series at an origin: rates of windows and groups, and impressions."""

    def __init__(self, panel: Panel, codes: Sequence[tuple[str, NDArray[Any]]]) -> None:
        self._calendar = panel.calendar
        self._hierarchy = hierarchy_of(panel.keys)
        self._clicks = _summed(panel.target.astype(np.float64))
        self._shown = _summed(exposure_of(panel))
        self._codes = [
            np.where(
                np.isin(panel.keys[name], values), np.searchsorted(values, panel.keys[name]), -1
            )
            for name, values in codes
        ]

    def at(self, origin: int) -> tuple[Values, Values]:
        """Features but those of the step, and the base logit."""
        columns, base = [], np.zeros(0)
        for window in (*_WINDOWS, origin):
            first = max(origin - window, 0)
            k = self._clicks[:, origin] - self._clicks[:, first]
            n = self._shown[:, origin] - self._shown[:, first]
            rate = np.full(len(k), pooled_rate(k, n))
            for level in range(len(self._hierarchy.groups)):
                some, all_ = self._hierarchy.sums(level, k), self._hierarchy.sums(level, n)
                rate = (some + _SMOOTH * rate) / (all_ + _SMOOTH)
                columns.append(special.logit(rate))
            columns.append(np.log1p(n))
            if window == _BASE:
                base = columns[-2]
        rates = [column - base for column in columns]
        return np.stack([base, *rates, *self._codes], axis=1), base

    def rows(self, origin: int, step: int, known: tuple[Values, Values]) -> Values:
        """All features of a step: those of the origin, the step, and the place in the cycle."""
        place = (origin + step - 1) % cycle_of(self._calendar.freq)
        extra = np.tile([float(step), float(place)], (len(known[1]), 1))
        return np.concatenate([known[0], extra], axis=1)


class ClickBoosting:
    """Gradient-boosted trees with binomial loss.

    The number of trees is the one with the least log-loss on the last periods known when trained on
    those before, after which all are used. Errors there give the intervals.

    Args:
        seed: of the sampling of rows and features.
    """

    def __init__(self, seed: int = 0) -> None:
        check_installed()
        self._seed = seed
        self._codes: list[tuple[str, NDArray[Any]]] = []
        self._trees: Any = None
        self._dispersion = Dispersion()

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """See `Model.fit`.

        Raises:
            DataError: there is no past period to learn from.
        """
        self._codes = [(name, np.unique(panel.keys[name])) for name in panel.keys.names]
        rows = _training_rows(panel, _Features(panel, self._codes), horizon)
        judged = len(panel.calendar) - 2 * horizon
        # Origins whose periods reach into those judged would have seen the answers.
        before, after = (
            rows.where(rows.origin + horizon <= judged),
            rows.where(rows.origin >= judged),
        )
        rounds = 0
        if len(before.base) >= 100 and before.clicks.sum() > 0 and len(after.base):
            trial = self._train(before, _MOST_ROUNDS, after)
            rounds = int(trial.best_iteration)
            raw = trial.predict(after.features, raw_score=True, num_iteration=rounds or -1)
            mean = special.expit(after.base + (raw if rounds else 0.0))
            none = np.zeros_like(mean)
            self._dispersion = fit_dispersion(
                Past(mean, none, after.step, after.clicks, after.impressions)
            )
        self._trees = self._train(rows, rounds) if rounds else None

    def predict(self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]) -> Forecast:
        """See `Model.predict`."""
        exposure, spread = forecast_exposure(panel, panel.keys.locate(asked), horizon)
        panel, rows = with_series(panel, asked)
        features, origin = _Features(panel, self._codes), len(panel.calendar)
        known = features.at(origin)
        mean = np.empty((len(rows), horizon))
        for step in range(1, horizon + 1):
            raw = known[1].copy()
            if self._trees is not None:
                raw += self._trees.predict(features.rows(origin, step, known), raw_score=True)
            mean[:, step - 1] = special.expit(raw)[rows]
        steps = np.arange(1.0, horizon + 1)
        return rate_forecast(
            asked,
            panel.calendar.after(horizon),
            mean,
            self._dispersion.concentration(mean, np.zeros_like(mean), steps),
            exposure,
            level,
            exposure_dispersion=spread,
            extra=self._dispersion.extra,
            target_name=panel.target_name,
            time_name=panel.time_name,
        )

    def _train(self, rows: _Rows, rounds: int, judge: _Rows | None = None) -> Any:
        import lightgbm

        train = _dataset(rows)
        if judge is None:
            return lightgbm.train(self._parameters(rows), train, rounds)
        return lightgbm.train(
            self._parameters(rows),
            train,
            rounds,
            valid_sets=[_dataset(judge, reference=train)],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )

    def _parameters(self, rows: _Rows) -> dict[str, Any]:
        return {
            "objective": "cross_entropy",
            "learning_rate": 0.03,
            "num_leaves": 15,
            "min_data_in_leaf": int(np.clip(len(rows.base) // 200, 20, 300)),
            "min_sum_hessian_in_leaf": 1e-3,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "seed": self._seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": torch.get_num_threads(),
            "verbosity": -1,
        }


def _training_rows(panel: Panel, features: _Features, horizon: int) -> _Rows:
    """What was shown after past origins, and clicked."""
    shown, time = exposure_of(panel), len(panel.calendar)
    parts: list[list[Values]] = []
    for origin in range(max(time - _ORIGINS, 1), time):
        known = features.at(origin)
        for step in range(1, min(horizon, time - origin) + 1):
            at = origin + step - 1
            on = np.flatnonzero(shown[:, at] > 0)
            size = np.ones(len(on))
            matrix = features.rows(origin, step, known)[on]
            clicks = panel.target[on, at].astype(np.float64)
            parts.append([matrix, known[1][on], step * size, origin * size, clicks, shown[on, at]])
    if not parts:
        raise DataError("lightgbm needs 2 periods or more to learn from: give more rows.")
    return _Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _dataset(rows: _Rows, reference: Any = None) -> Any:
    import lightgbm

    weight = rows.impressions / max(rows.impressions.mean(), 1e-12)
    return lightgbm.Dataset(
        rows.features,
        rows.clicks / rows.impressions,
        weight=weight,
        init_score=rows.base,
        reference=reference,
        params={"max_bin": 63},
    )


def _summed(values: Values) -> Values:
    """Sums from the first period on, shape (series, time + 1)."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
