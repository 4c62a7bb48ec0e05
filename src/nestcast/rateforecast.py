"""The RateForecast: how often what is shown will be clicked, and how many clicks that makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nestcast.data.calendar import Calendar
from nestcast.data.keys import Column, Keys
from nestcast.errors import OptionError
from nestcast.forecast import Floats, Forecast, probabilities_of
from nestcast.model.betabinomial import (
    beta_binomial_quantile,
    beta_quantile,
    sample_beta_binomial,
    sample_joint,
    seen_concentration,
)

Values = NDArray[np.float64]

_SAMPLES = 1000
_SMALLEST_RATE, _LARGEST_CONCENTRATION = 1e-12, 1e12


@dataclass(frozen=True, eq=False, kw_only=True)
class RateForecast(Forecast):
    """For each series and period ahead, the rate of clicks as a beta distribution.

    `mean` is the expected rate (clicks over impressions). `quantiles` are bounds of the period's
    rate: an interval holds both the rate behind the clicks and, at the impressions expected, what
    will be seen of it. Where impressions are many the two are the same; where they are few, what
    is seen may be none. Bounds of clicks need not be whole numbers: each number stands for all
    within 1/2 of it, so that intervals hold their level on average and not more. For the same
    reason an interval that starts at no clicks, and so leaves out nothing below, leaves out all
    that it may above.

    Example:
        >>> keys = Keys({"ad": np.array(["a", "b"])})
        >>> days = Calendar("1d", np.datetime64("2024-05-01"), 1)
        >>> rate, concentration, impressions = [[0.01], [0.02]], [[400], [50]], [[9000], [0]]
        >>> forecast = rate_forecast(keys, days, rate, concentration, impressions, [80])
        >>> forecast.to_columns([80])["clicks"].tolist()
        [90.0, 0.0]
        >>> forecast.given([[100], [100]]).clicks_quantiles()[0].round(1).tolist()
        [[0.0, 0.8, 1.9]]

    Args:
        concentration: alpha + beta of the beta distribution, shape (series, horizon).
        exposure: expected impressions, shape (series, horizon).
        exposure_dispersion: `a` in the variance `m + a m^2` of the impressions, shape (series,
            horizon); None if they are given and not forecast.
        extra: how much more than by chance clicks vary at a given rate, see
            `betabinomial.seen_concentration`.
    """

    concentration: Floats
    exposure: Floats
    exposure_dispersion: Floats | None = None
    extra: float = 0.0

    @property
    def clicks(self) -> Values:
        """Expected clicks, shape (series, horizon)."""
        return self.mean.astype(np.float64) * self.exposure

    def given(self, exposure: ArrayLike) -> RateForecast:
        """The same rates at other impressions, which are known then, shape (series, horizon)."""
        return rate_forecast(
            self.keys,
            self.calendar,
            self.mean,
            self.concentration,
            exposure,
            self.levels,
            extra=self.extra,
            target_name=self.target_name,
            time_name=self.time_name,
        )

    def clicks_quantiles(self, seed: int = 0) -> Values:
        """Bounds of the clicks at `probabilities`, shape (series, horizon, levels).

        Where impressions are forecast, they come from samples of both.

        Args:
            seed: of the samples.
        """
        if self.exposure_dispersion is None:
            return _seen(
                self.probabilities, self.exposure, self.mean, self.concentration, self.extra
            )
        _, clicks = self.sample(seed=seed)
        apart = np.random.default_rng(seed).random(clicks.shape) - 0.5
        spread = np.maximum(clicks + apart, 0)

        def quantiles(p: Values) -> Values:
            return np.moveaxis(np.quantile(spread, p, axis=-1), 0, -1)

        return _bounds(self.probabilities, quantiles, np.array(np.inf))

    def sample(
        self, samples: int = _SAMPLES, seed: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Impressions and clicks drawn together, shape (series, horizon, samples) each."""
        rng = np.random.default_rng(seed)
        spread = self.exposure_dispersion
        if spread is not None:
            given = (self.exposure, spread, self.mean, self.concentration)
            return sample_joint(rng, *given, samples, self.extra)
        shape = (*self.exposure.shape, samples)
        n = np.broadcast_to(np.round(self.exposure).astype(np.int64)[..., None], shape)
        rate = self.mean[..., None]
        M = seen_concentration(self.concentration[..., None], n, self.extra)
        return n, sample_beta_binomial(rng, n, rate, M, shape)

    def unsampled(self, kept: float) -> RateForecast:
        """The forecast of all impressions, from a log that kept a share of those not clicked.

        A rate p in the log is `q = p / (p + (1 - p) / kept)` in truth (X. He et al., "Practical
        lessons from predicting clicks on ads at Facebook", 2014, section 6.3). The concentration
        is changed so that the variance of q is what that of p makes it.

        Raises:
            OptionError: the share is not above 0 and up to 1.
        """
        rate = self.mean.astype(np.float64)
        true = unsampled_rate(rate, kept)
        slope = (1 / kept) / (rate + (1 - rate) / kept) ** 2
        variance = slope**2 * rate * (1 - rate) / (self.concentration + 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            concentration = np.where(
                variance > 0, true * (1 - true) / variance - 1, self.concentration
            )
        made = rate_forecast(
            self.keys,
            self.calendar,
            true,
            np.maximum(concentration, 1e-6),
            self.exposure * (rate + (1 - rate) / kept),
            self.levels,
            extra=self.extra,
            target_name=self.target_name,
            time_name=self.time_name,
        )
        return replace(made, exposure_dispersion=self.exposure_dispersion)

    def to_columns(self, level: Sequence[float] = ()) -> dict[str, Column]:
        """A long table: keys, time, `ctr`, `ctr-lo-80`, `ctr-hi-80`, ..., `impressions`, `clicks`.

        Rows are ordered by series, then by period.
        """
        columns: dict[str, NDArray[Any]] = {}
        names = {"mean": "ctr"}
        for name, values in super().to_columns(level).items():
            bound = name.startswith(("lo-", "hi-"))
            columns[f"ctr-{name}" if bound else names.get(name, name)] = values
        columns["impressions"] = self.exposure.ravel()
        columns["clicks"] = self.clicks.astype(np.float32).ravel()
        return columns


def rate_forecast(
    keys: Keys,
    calendar: Calendar,
    mean: ArrayLike,
    concentration: ArrayLike,
    exposure: ArrayLike,
    level: Sequence[float],
    *,
    exposure_dispersion: ArrayLike | None = None,
    extra: float = 0.0,
    target_name: str = "clicks",
    time_name: str = "date",
) -> RateForecast:
    """A RateForecast with the quantiles that central intervals need.

    Args:
        keys: the series.
        calendar: the periods ahead.
        mean: expected rate, shape (series, horizon).
        concentration: alpha + beta of its beta distribution, shape (series, horizon).
        exposure: expected impressions, shape (series, horizon).
        level: central intervals, in per cent.
        exposure_dispersion: of the impressions, if these are forecast.
        extra: how much more than by chance clicks vary at a given rate.
        target_name, time_name: column names used in output.
    """
    shape = (len(keys), len(calendar))
    rate, M, n = (
        np.broadcast_to(np.asarray(one, np.float64), shape)
        for one in (mean, concentration, exposure)
    )
    rate = np.clip(rate, _SMALLEST_RATE, 1 - _SMALLEST_RATE)
    M = np.clip(M, 1e-6, _LARGEST_CONCENTRATION)
    p = np.array(probabilities_of(level))
    behind = beta_quantile(p, rate[..., None], M[..., None])
    whole = np.round(n)[..., None]
    seen = _seen(p, n, rate, M, extra) / np.maximum(whole, 1)
    outer = np.where(p < 0.5, np.minimum(behind, seen), np.maximum(behind, seen))
    quantiles = np.where((p == 0.5) | (whole == 0), behind, outer)
    return RateForecast(
        keys=keys,
        calendar=calendar,
        mean=rate.astype(np.float32),
        probabilities=p,
        quantiles=quantiles.astype(np.float32),
        target_name=target_name,
        time_name=time_name,
        concentration=M.astype(np.float32),
        exposure=n.astype(np.float32),
        exposure_dispersion=None
        if exposure_dispersion is None
        else np.broadcast_to(np.asarray(exposure_dispersion, np.float32), shape),
        extra=extra,
    )


def _seen(
    probabilities: Values, exposure: ArrayLike, rate: ArrayLike, M: ArrayLike, extra: float
) -> Values:
    """Bounds of the clicks at so many impressions, shape (series, horizon, levels)."""
    n, mean, M = (np.asarray(one, np.float64)[..., None] for one in (exposure, rate, M))
    n = np.round(n)
    M = seen_concentration(M, n, extra)
    return _bounds(probabilities, lambda p: beta_binomial_quantile(p, n, mean, M, spread=True), n)


def _bounds(p: Values, quantiles: Callable[[Values], Values], most: Values) -> Values:
    """Bounds of intervals: quantiles, but where one bound leaves out nothing, the other all.

    Of clicks that are mostly none the 10% quantile is 0, so that from there to the 90% quantile
    are 90%: the 80% interval ends at the 80% quantile.

    Args:
        p: ascending, and as far from 1/2 on both sides.
        quantiles: of the clicks, at such probabilities, shape (..., levels).
        most: clicks that there can be, shape (..., 1) or ().
    """
    central, upper = quantiles(p), p > 0.5
    across = central[..., ::-1]
    nothing_beyond = np.where(upper, across <= 0, across >= most)
    something_here = np.where(upper, central < most, central > 0)
    rest = quantiles(np.where(upper, 2 * p - 1, np.where(p < 0.5, 2 * p, p)))
    bounds = np.where(nothing_beyond & something_here & (p != 0.5), rest, central)
    # The median stays inside of every interval, and each one inside of wider ones.
    median = central[..., p == 0.5]
    bounds = np.where(upper, np.maximum(bounds, median), np.minimum(bounds, median))
    low = np.minimum.accumulate(bounds[..., ::-1], axis=-1)[..., ::-1]
    return np.where(upper, np.maximum.accumulate(bounds, axis=-1), low)


def unsampled_rate(rate: ArrayLike, kept: float) -> Values:
    """The true rate behind a rate in a log that kept only a share of what was not clicked.

    `q = p / (p + (1 - p) / kept)` (He et al. 2014).

    Example:
        >>> unsampled_rate([0.5, 0.0], kept=0.1).round(4)
        array([0.0909, 0.    ])

    Args:
        rate: p, any shape.
        kept: share of the impressions without a click that the log has.

    Raises:
        OptionError: the share is not above 0 and up to 1.
    """
    if not 0 < kept <= 1:
        raise OptionError(f"the share of negatives kept is above 0 and up to 1, not {kept:g}.")
    p = np.asarray(rate, np.float64)
    return np.asarray(p / (p + (1 - p) / kept))
