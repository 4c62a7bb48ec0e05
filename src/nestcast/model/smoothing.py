"""Exponential smoothing of every series by many rules at once, weighed by how each has done so far.

Level, damped trend and season (additive or multiplicative) are updated after every period, by rules
that differ in how fast they forget. The forecast of a series is a mean over rules: one whose
absolute error so far is a times that of another counts a^-(p / 2) times as much after p periods,
the profile likelihood of Laplace errors, tempered. All of it before a period comes from before it.

Source: Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing" (2008), chapter
2: the models ANN, AAdN, ANA, AAdA, and those with M in place of the second A, in error correction
form.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

_LEVEL = (0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 0.95)  # how much of an error moves the level
_TREND = ((0.0, 1.0), (0.1, 0.98))  # of that, how much the trend; its damping
_SEASON = (0.03, 0.3)  # of the rest of the error, how much moves the season
_EVIDENCE = 0.5  # power of the likelihood
_REMEMBERED = 50  # periods that errors are remembered for, or half a year if that is longer
_INITS = (1, 2, 3)  # seasons after which the states of seasonal rules are computed anew
_CHUNK = 4_000_000  # values of a state at once
_MOST = 200_000_000  # forecasts kept; of longer histories those of the last periods
_SHARE = 0.05  # a season is at least this part of its level
_NOTHING = 1e-30
_LEAST_ERROR = 1e-4  # of the size of a series: rules are not told apart by less


class _Rules(NamedTuple):
    """How states are updated, each of shape (rules, 1), and where the kinds of season begin."""

    level: Tensor
    trend: Tensor
    damping: Tensor
    season: Tensor
    additive: int
    multiplicative: int


def _rules(seasonal: bool) -> _Rules:
    plain = [(a, a * b, phi, 0.0) for a, (b, phi) in product(_LEVEL, _TREND)]
    moved = [(a, b, phi, c * (1 - a)) for (a, b, phi, _), c in product(plain, _SEASON)]
    every = torch.tensor([*plain, *(moved * 2 if seasonal else [])])
    level, trend, damping, season = every.T[..., None]
    return _Rules(level, trend, damping, season, len(plain), len(plain) + len(moved))


class Smoothed(NamedTuple):
    """What smoothing says before each period.

    Args:
        first: the first period of those that follow; only the last ones are kept of many.
        forecast: NaN before a series has begun, shape (series, periods, ahead).
    """

    first: int
    forecast: Tensor

    def at(self, series: Tensor, origin: Tensor, steps: Tensor, scale: Tensor) -> Tensor:
        """Forecasts made at an origin of periods ahead, 0 for the origin itself.

        Args:
            series, origin, steps: of shapes that broadcast.
            scale: of the series, which stands for what is not known.
        """
        told = self.forecast[series, (origin - self.first).clamp(min=0), steps]
        return torch.where((origin >= self.first) & told.isfinite(), told, scale)

    def following(self) -> Tensor:
        """What was said of each period right before it, NaN if nothing, (series, time + 1)."""
        return pad(self.forecast[..., 0], (self.first, 0), value=torch.nan)


def smooth(target: Tensor, seen: Tensor, season: int, horizon: int, year: int = 0) -> Smoothed:
    """Forecasts of every series from every period.

    Example:
        >>> target = torch.tensor([[1.0, 2, 3, 4, 5, 6, 7, 8, 9]])
        >>> seen = torch.ones_like(target, dtype=torch.bool)
        >>> _, forecast = smooth(target, seen, season=12, horizon=2)
        >>> [round(value, 1) for value in forecast[0, -1].tolist()]
        [9.2, 9.6]

    Args:
        target: 0 where not seen, shape (series, time).
        seen: whether it is known, shape (series, time).
        season: periods of a season, 1 for none.
        horizon: periods ahead.
        year: periods of a year, half of which errors are remembered for if that is long.
    """
    series, length = target.shape
    kept = min(length + 1, max(1, _MOST // max(1, series * horizon)))
    first = length + 1 - kept
    forecast = target.new_empty((series, kept, horizon))
    rules = _rules(season > 1)
    memory = 1 - 1 / max(_REMEMBERED, year / 2)
    chunk = max(1, _CHUNK // (len(rules.level) * max(season, 8)))
    for begin in range(0, series, chunk):
        rows = slice(begin, begin + chunk)
        states = _States(rules, target[rows], seen[rows], season, memory)
        for period in range(length + 1):
            states.begin_season(period)
            if period >= first:
                forecast[rows, period - first] = states.forecast(period, horizon)
            if period < length:
                states.learn(period)
    return Smoothed(first, forecast)


class _States:
    """Of all rules for some series.

    Args:
        rules: of each first axis.
        target, seen, season: see `smooth`.
        memory: what the errors of a period count one period later.
    """

    def __init__(
        self, rules: _Rules, target: Tensor, seen: Tensor, season: int, memory: float
    ) -> None:
        self._rules, self._season, self._memory = rules, season, memory
        self._target, self._seen = target, seen
        self._start = torch.where(seen.any(dim=1), seen.int().argmax(dim=1), seen.shape[1])
        shape = (len(rules.level), len(target))
        self._level, self._trend = target.new_zeros(shape), target.new_zeros(shape)
        self._profile = target.new_zeros(season, *shape)  # of the season
        self._profile[:, rules.multiplicative :] = 1
        self._loss = target.new_zeros(shape)
        self._size, self._count = target.new_zeros(2, len(target))
        self._active = torch.zeros(shape, dtype=torch.bool)
        self._active[: rules.additive] = True
        self._negative = torch.zeros(len(target), dtype=torch.bool)

    def begin_season(self, period: int) -> None:
        """Compute the states of seasonal rules where one, two or three seasons are known."""
        for seasons in _INITS if self._season > 1 else ():
            rows = torch.nonzero(self._start == period - seasons * self._season)[:, 0]
            if len(rows):
                self._decompose(rows, period, seasons)

    def _decompose(self, rows: Tensor, period: int, seasons: int) -> None:
        """States from a line through the means of seasons, and what is left at each phase."""
        season, (_, _, _, _, additive, multiplicative) = self._season, self._rules
        begin = period - seasons * season
        shape = (len(rows), seasons, season)
        target = self._target[rows, begin:period].reshape(shape)
        seen = self._seen[rows, begin:period].reshape(shape)
        mean = _mean(target, seen, dim=2)
        slope = (mean[:, -1] - mean[:, 0]) / max(1, seasons - 1) / season
        time = torch.arange(seasons * season) - (seasons * season - 1) / 2
        line = (mean.mean(dim=1)[:, None] + slope[:, None] * time).reshape(shape)
        apart = _mean(target - line, seen, dim=1)  # (rows, season)
        ratio = _mean(target / torch.where(line > 0, line, 1.0), seen, dim=1)
        known = seen.any(dim=1).all(dim=1)
        positive = known & (line > 0).all(dim=(1, 2)) & ((target > 0) | ~seen).all(dim=(1, 2))
        phases = (torch.arange(season) + period) % season
        for rules, profile, able in (
            (slice(additive, multiplicative), apart - apart.mean(dim=1, keepdim=True), known),
            (slice(multiplicative, None), ratio / ratio.mean(dim=1, keepdim=True), positive),
        ):
            some = rows[able]
            self._profile[phases[:, None], rules, some] = profile[able].T[..., None]
            self._active[rules, some] = True
        moves = self._rules.trend[additive:] > 0
        self._level[additive:, rows] = line[:, -1, -1]
        self._trend[additive:, rows] = slope * moves
        if seasons == _INITS[0]:  # as good as the others in the mean, which had something to show
            self._loss[additive:, rows] = self._loss[:additive, rows].mean(dim=0)

    def forecast(self, period: int, horizon: int) -> Tensor:
        """The mean over rules, shape (series, horizon)."""
        count = self._count.clamp(min=1)
        loss, least = self._loss / count, _LEAST_ERROR * self._size / count
        evidence = -_EVIDENCE * self._count * loss.maximum(least).clamp(min=_NOTHING).log()
        weight = torch.where(self._active, evidence, -torch.inf).softmax(dim=0)
        additive, multiplicative = self._rules[-2:]
        powers = torch.arange(1, horizon + 1)[:, None]
        slopes = (self._rules.damping[:, 0] ** powers).cumsum(dim=0)  # (horizon, rules)
        mean = self._level.new_empty(horizon, self._level.shape[1])
        for first in range(min(horizon, self._season)):
            season = self._profile[(period + first) % self._season]
            counts = weight.clone()
            counts[multiplicative:] *= season[multiplicative:]
            seasons = slice(additive, multiplicative)
            level = (counts * self._level).sum(dim=0) + (weight * season)[seasons].sum(dim=0)
            same = slice(first, horizon, self._season)
            mean[same] = level + slopes[same] @ (counts * self._trend)
        mean = mean.T
        mean = torch.where(self._negative[:, None], mean, mean.clamp(min=0))
        return torch.where(self._start[:, None] < period, mean, torch.nan)

    def learn(self, period: int) -> None:
        """Update the states by what happened in a period."""
        rules, (additive, multiplicative) = self._rules, self._rules[-2:]
        y, seen = self._target[:, period], self._seen[:, period]
        self._negative |= y < 0
        self._level[:, self._start == period] = y[self._start == period]
        seen = seen & (self._start < period)
        usual = self._level + rules.damping * self._trend
        error = (self._seasoned(usual, period) - y).abs()
        memory = self._memory
        self._loss = torch.where(seen, memory * self._loss + error, self._loss)
        self._size = torch.where(seen, memory * self._size + y.abs(), self._size)
        self._count = torch.where(seen, memory * self._count + 1, self._count)
        season = self._profile[period % self._season]
        plain = y.expand_as(usual).clone()
        plain[additive:multiplicative] -= season[additive:multiplicative]
        plain[multiplicative:] /= season[multiplicative:]
        off = plain - usual
        trend = rules.damping * self._trend + rules.trend * off
        self._level = torch.where(seen, usual + rules.level * off, self._level)
        self._trend = torch.where(seen, trend, self._trend)
        found = y - usual  # of the season
        level = usual[multiplicative:]
        found[multiplicative:] = torch.where(level > 0, y / level, season[multiplicative:])
        found = season + rules.season * (found - season)
        found[multiplicative:].clamp_(_SHARE, 1 / _SHARE)
        self._profile[period % self._season] = torch.where(seen & self._active, found, season)

    def _seasoned(self, plain: Tensor, period: int) -> Tensor:
        """What rules say of a period, from what they would say of one without a season."""
        additive, multiplicative = self._rules[-2:]
        season = self._profile[period % self._season]
        found = plain.clone()
        found[additive:multiplicative] += season[additive:multiplicative]
        found[multiplicative:] *= season[multiplicative:]
        return found


def _mean(values: Tensor, seen: Tensor, dim: int) -> Tensor:
    """Mean over what was seen; 0 where nothing was."""
    return (values * seen).sum(dim=dim) / seen.sum(dim=dim).clamp(min=1)
