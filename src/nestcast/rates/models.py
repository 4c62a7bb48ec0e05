"""Models of click-through rates from weighted sums of past clicks and impressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.model.population import with_series
from nestcast.rateforecast import RateForecast, rate_forecast
from nestcast.rates.dispersion import Dispersion, Past, fit_dispersion
from nestcast.rates.exposure import cycle_of, forecast_exposure
from nestcast.rates.hierarchy import Hierarchy, fit_levels, hierarchy_of, shrink
from nestcast.rates.shrinkage import PriorMethod, pooled_rate
from nestcast.training import Report, silent

Values = NDArray[np.float64]

_ORIGINS = 28  # past origins by which a window is chosen and the spread is learned
_WINDOWS = (2, 3, 5, 7, 14, 28)
_DECAYS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Window:
    """Which part of the past counts, and how much.

    Args:
        name: what to call it.
        weight: from the age of each period (0 for the last) to its weight.
    """

    name: str
    weight: Callable[[NDArray[np.int64]], Values]

    def sums(self, values: Values) -> Values:
        """Weighted sum over the past, from (series, time) to (series,)."""
        time = values.shape[1]
        weight = self.weight(np.arange(time)[::-1])
        used = np.flatnonzero(weight > 1e-9)
        return np.asarray(values[:, used] @ weight[used])


EVERYTHING = Window("all", lambda age: np.ones(len(age)))


def last(periods: int) -> Window:
    """The last periods, each as much."""
    return Window(f"last {periods}", lambda age: (age < periods).astype(np.float64))


def decaying(keep: float) -> Window:
    """Each period counts `keep` times as much as the one after it."""
    return Window(f"decay {keep:g}", lambda age: keep ** age.astype(np.float64))


class RateModel:
    """The rate of each series over a window of its past, the same for all periods ahead.

    Of several windows the one is taken with the least log-loss in forecasts of the last periods.
    These also tell how far rates stray from forecasts, and with it the intervals.

    Args:
        windows: to choose from.
        method: how the priors of `Hierarchy` are learned; None leaves each series alone, with one
            impression at the rate of all added so that no rate is 0.
        pooled: whether all series have the same rate.
    """

    def __init__(
        self, windows: Sequence[Window], method: PriorMethod | None, *, pooled: bool = False
    ) -> None:
        self._windows = tuple(windows)
        self._method = method
        self._pooled = pooled
        self.window = windows[0]
        self.levels: tuple[float, ...] = ()
        self.dispersion = Dispersion()

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """Learn priors, choose the window, learn the spread.

        Args:
            panel: with an exposure.
            asked: the series that will be asked for; they may be absent from the panel.
            horizon: periods ahead to be ready for.
            report: not used; it is done in moments.

        Raises:
            OptionError: the panel has no exposure.
            DataError: there is not one impression.
        """
        shown = exposure_of(panel)
        if not shown.sum() > 0:
            raise DataError("there is not one impression to learn from: give more rows.")
        hierarchy = hierarchy_of(panel.keys)
        found = []
        for window in self._windows:
            levels = self._fit_levels(panel, hierarchy, window)
            past = self._past(panel, hierarchy, window, levels, horizon)
            found.append((past.log_loss(), window, levels, past))
        _, self.window, self.levels, past = min(found, key=lambda one: one[0])
        self.dispersion = fit_dispersion(past)

    def predict(
        self, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]
    ) -> RateForecast:
        """Forecast the periods after the panel's last.

        Args:
            panel: that of `fit`, or one that goes on.
            asked: the series to forecast.
            horizon: periods ahead.
            level: central intervals, in per cent.
        """
        here = panel.keys.locate(asked)
        exposure, spread = forecast_exposure(panel, here, horizon)
        known, rows = with_series(panel, asked)
        mean, share = self._rates(
            hierarchy_of(known.keys), self.window, self.levels, *_counts(known)
        )
        mean, share = mean[rows, None], share[rows, None]
        step = np.arange(1.0, horizon + 1)
        return rate_forecast(
            asked,
            panel.calendar.after(horizon),
            mean,
            self.dispersion.concentration(mean, share, step),
            exposure,
            level,
            exposure_dispersion=spread,
            extra=self.dispersion.extra,
            target_name=panel.target_name,
            time_name=panel.time_name,
        )

    def _fit_levels(self, panel: Panel, hierarchy: Hierarchy, window: Window) -> tuple[float, ...]:
        if self._method is None:
            return ()
        clicks, shown = _counts(panel)
        return fit_levels(hierarchy, window.sums(clicks), window.sums(shown), self._method)

    def _rates(
        self,
        hierarchy: Hierarchy,
        window: Window,
        levels: tuple[float, ...],
        clicks: Values,
        shown: Values,
    ) -> tuple[Values, Values]:
        """Mean rate and its own uncertainty after a past of (series, time), each (series,)."""
        k, n = window.sums(clicks), window.sums(shown)
        everything = pooled_rate(k, n)
        if self._pooled:
            return np.full(len(k), everything), np.zeros(len(k))
        if self._method is not None:
            return shrink(hierarchy, levels, k, n)
        return (k + everything) / (n + 1), np.zeros(len(k))

    def _past(
        self,
        panel: Panel,
        hierarchy: Hierarchy,
        window: Window,
        levels: tuple[float, ...],
        horizon: int,
    ) -> Past:
        """Forecasts of the last periods, for every step, as rows."""
        clicks, shown = _counts(panel)
        time = len(panel.calendar)
        parts: list[list[Values]] = []
        for origin in range(max(time - _ORIGINS - horizon + 1, 1), time):
            mean, share = self._rates(
                hierarchy, window, levels, clicks[:, :origin], shown[:, :origin]
            )
            for step in range(1, min(horizon, time - origin) + 1):
                at = origin + step - 1
                on = np.flatnonzero(shown[:, at] > 0)
                steps = np.full(len(on), float(step))
                parts.append([mean[on], share[on], steps, clicks[on, at], shown[on, at]])
        if not parts:
            return Past(*(np.zeros(0) for _ in range(5)))
        return Past(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class EmpiricalBayes(RateModel):
    """Rates of the last periods, drawn towards those of the groups that an ad is in.

    The keys make the groups, the most general first (campaign, placement, ad). An ad without a
    single impression has the rate of the smallest group that it shares with others.

    Example:
        >>> from nestcast.data import Calendar
        >>> panel = Panel(
        ...     Keys({"campaign": np.array([1, 1]), "ad": np.array(["a", "b"])}),
        ...     Calendar("1d", np.datetime64("2024-05-01"), 4),
        ...     np.array([[2, 3, 2, 3], [0, 1, 0, 1]], np.float32),
        ...     np.zeros(2, np.int32),
        ...     exposure=np.full((2, 4), 100, np.float32),
        ... )
        >>> model = EmpiricalBayes()
        >>> asked = panel.keys.concat(Keys({"campaign": np.array([1]), "ad": np.array(["new"])}))
        >>> model.fit(panel, asked, horizon=1)
        >>> [f"{rate:.4f}" for rate in model.predict(panel, asked, 1, [80]).mean[:, 0]]
        ['0.0219', '0.0081', '0.0150']

    Args:
        last_periods: how much of the past counts; None chooses by past log-loss.
        method: `likelihood` or `moments`, see `shrinkage.fit_prior`.

    Raises:
        OptionError: less than one period.
    """

    def __init__(self, last_periods: int | None = None, method: PriorMethod = "likelihood") -> None:
        if last_periods is not None and last_periods < 1:
            raise OptionError(f"empirical Bayes needs 1 period or more, not {last_periods}.")
        some = (EVERYTHING, *map(last, _WINDOWS)) if last_periods is None else (last(last_periods),)
        super().__init__(some, method)


def pooled() -> RateModel:
    """All clicks over all impressions, for every series."""
    return RateModel([EVERYTHING], None, pooled=True)


class LastWeek(RateModel):
    """Each series' rate of the last week (of hours or days; else of the last period)."""

    def __init__(self) -> None:
        super().__init__([last(7)], None)

    def fit(self, panel: Panel, asked: Keys, horizon: int, report: Report = silent) -> None:
        """See `RateModel.fit`."""
        week = {"1h": 7 * cycle_of("1h"), "1d": 7}.get(panel.calendar.freq, 1)
        self._windows = (last(week),)
        super().fit(panel, asked, horizon, report)


def smoothed() -> RateModel:
    """Exponentially weighted clicks over exponentially weighted impressions."""
    return RateModel([decaying(keep) for keep in _DECAYS], None)


def _counts(panel: Panel) -> tuple[Values, Values]:
    """Clicks and impressions, shape (series, time) each."""
    return panel.target.astype(np.float64), exposure_of(panel)


def exposure_of(panel: Panel) -> Values:
    """Impressions, shape (series, time).

    Raises:
        OptionError: the panel has none.
    """
    if panel.exposure is None:
        raise OptionError("rates need impressions: name their column with --exposure.")
    return panel.exposure.astype(np.float64)
