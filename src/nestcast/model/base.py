"""The base: weighed simple forecasts, from which the network starts where targets are not small.

A network learns a season badly of which it has seen one or two. What happened a season ago, moved
to where a series stands now, is hard to beat where few data are known, so the network says by how
much the truth will differ from that. Levels (the usual size, the last value, the last few) are
averaged; each is moved as all series moved a season ago, and as the series itself moved more than
the others. Movements d count for d^2 / (d^2 + s^2) of themselves, the share of signal where noise
has the deviation s: a Christmas counts in full, what is no larger than noise hardly. How much
exponential smoothing counts against all that depends on how both have done with the series so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from nestcast.model.noise import Noise
from nestcast.model.smoothing import Smoothed

LEVEL = 4  # periods whose mean is the present level of a series
_WEEK = 7
_MONTH = 28  # days
_YEAR = 364  # days, whole weeks
_MOST = 8.0  # times the level of then that a season may be above or below it
_LEVELS = 3
_SMOOTHED = 2 * _LEVELS + 1  # which part that is
_BETTER = _SMOOTHED + 1
_NOISE = (0.1, 0.3, 0.3)  # before anything is learned: of all series, of one, of a year's days
_EVIDENCE = 2.0  # power of the ratio of errors by which smoothing counts, before it is learned
_PRIOR = 0.005  # how much a parameter that differs by 1 from what it was before must gain
WORST = 8.0  # units that an error may be: a series that comes from nothing tells little
_FARTHEST = 10.0  # logarithm of the deviation of noise, in sizes, that is taken to be possible
_CHUNK = 400_000  # steps whose simple forecasts are computed at once


class Past:
    """What was seen before any period of any series.

    Args:
        target: 0 where not seen, shape (series, time).
        seen: whether it is known, shape (series, time).
        season: periods of a season.
    """

    def __init__(self, target: Tensor, seen: Tensor, season: int) -> None:
        self.target, self.seen, self.season = target, seen, season
        self._total = _cumulated(target)

    def before(self, rows: Tensor, at: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
        """Targets of periods before the origin, 0 where there are none, and whether there are."""
        inside = (at >= 0) & (at < origin)
        at = at.clamp(min=0, max=max(self.target.shape[1] - 1, 0))
        seen = inside & self.seen[rows, at]
        return torch.where(seen, self.target[rows, at], 0.0), seen

    def level(self, series: Tensor, period: Tensor, window: int = LEVEL) -> Tensor:
        """Mean over the last few periods before each."""
        begin = (period - window).clamp(min=0)
        period = period.clamp(min=0)
        total = self._total[series, period] - self._total[series, begin]
        return total / (period - begin).clamp(min=1)

    def growth(self, series: Tensor, origin: Tensor, lag: Tensor, scale: Tensor) -> Tensor:
        """The level at the origin over the level as long ago as the lag, within 1/3 and 3."""
        return (
            (self.level(series, origin) + scale) / (self.level(series, origin - lag) + scale)
        ).clamp(1 / 3, 3)


class SimpleForecasts:
    """Levels and movements of any series at any step.

    Args:
        past: of the series.
        smoothed: what exponential smoothing says of each period.
        noise: of that.
        scale: of each series before each period, shape (series, time + 1).
    """

    def __init__(self, past: Past, smoothed: Smoothed, noise: Noise, scale: Tensor) -> None:
        self._past, self._smoothed = past, smoothed
        sums = (past.target.sum(dim=0), past.target.abs().sum(dim=0))
        self._total, self._size = map(_cumulated, sums)
        self._better = self._smoothing_better(noise, scale)

    def at(self, rows: Tensor, periods: Tensor, steps: Tensor, scale: Tensor) -> Tensor:
        """Three levels, how each moves with all series, how the last moves by itself, what
        smoothing says and how much better it has been, and the year.

        A series that was not there a season ago moves with all others. Of days the season is the
        week, and how all series together moved a year ago is one part more.

        Args:
            rows: series, shape (batch,).
            periods: first period to forecast at each step, shape (steps, batch).
            steps: which of the periods ahead, 0 for `periods` itself, shape (ahead,).
            scale: of the series, shape (steps, batch).

        Returns:
            Shape (steps, batch, ahead, parts).
        """
        series, origin, scale = rows[:, None], periods[..., None], scale[..., None]
        found = self._unsmoothed(series, origin, steps, scale)
        found.insert(_SMOOTHED, self._smoothed.at(series, origin, steps, scale))
        found.insert(_BETTER, self._better[series, origin])
        return _stacked(found)

    def _smoothing_better(self, noise: Noise, scale: Tensor) -> Tensor:
        """Logarithm of the errors of all else over those of smoothing, known before each period."""
        target, seen = self._past.target, self._past.seen
        count, length = target.shape
        told = torch.full_like(scale, torch.nan)
        chunk = max(1, _CHUNK // max(length, 1))
        for begin in range(0, count, chunk):
            rows = torch.arange(begin, min(count, begin + chunk))
            at = rows[:, None, None], torch.arange(length)[:, None]  # (series, time, ahead)
            found = self._unsmoothed(*at, torch.zeros(1, dtype=torch.long), scale[at])
            told[rows, :-1] = Base().unsmoothed(_stacked(found), scale[at], torch.zeros(1))[..., 0]
        begun = pad(seen.cumsum(dim=1), (1, 0)) > 0
        rest = Noise(torch.where(begun, told, torch.nan), target, seen, scale)
        every = torch.arange(count)[:, None], torch.arange(length + 1)
        ratio = rest.at(*every, scale, scale) / noise.at(*every, scale, scale)
        return ratio.log()

    def _unsmoothed(
        self, series: Tensor, origin: Tensor, steps: Tensor, scale: Tensor
    ) -> list[Tensor]:
        """The parts that smoothing has none in."""
        parts = self._days if self._past.season == _WEEK else self._seasons
        return parts(series, origin, origin + steps, scale)

    def _seasons(
        self, series: Tensor, origin: Tensor, target: Tensor, scale: Tensor
    ) -> list[Tensor]:
        past, season = self._past, self._past.season
        lag = season * ((target - origin) // season + 1)
        then = origin - lag
        last, seen = past.before(series, origin - 1, origin)
        level = torch.where(seen, past.level(series, origin), scale)
        levels = [scale, torch.where(seen, last, scale), level]
        moved = [
            self._moved(target - lag, since, window)
            for since, window in ((origin, season), (then, 1), (then, LEVEL))
        ]
        same, known = past.before(series, target - lag, origin)
        known = known & past.before(series, then - LEVEL, origin)[1]  # of then the level as well
        own = same * past.growth(series, origin, lag, scale) - level
        moved = [a * b for a, b in zip(levels, moved, strict=True)]
        return [*levels, *moved, torch.where(known, own, moved[-1])]

    def _days(self, series: Tensor, origin: Tensor, target: Tensor, scale: Tensor) -> list[Tensor]:
        past = self._past
        seen = past.before(series, origin - 1, origin)[1]
        means = [past.level(series, origin, window) for window in (_WEEK, _MONTH)]
        levels = [scale, *(torch.where(seen, mean, scale) for mean in means)]
        first = target - _WEEK * ((target - origin) // _WEEK + 1)
        weeks = [first - _WEEK * back for back in range(_MONTH // _WEEK)]
        by = sum(self._moved(day, origin, _MONTH) for day in weeks) / len(weeks)
        days = [past.before(series, day, origin) for day in weeks]
        count = torch.stack([known for _, known in days]).sum(dim=0)
        same = torch.stack([value for value, _ in days]).sum(dim=0) / count.clamp(min=1)
        moved = [level * by for level in levels]
        own = torch.where(count > 0, same - levels[-1], moved[-1])
        lag = _YEAR * ((target - origin + _WEEK // 2) // _YEAR + 1)
        year = self._moved(target - lag + _WEEK // 2, origin - lag, _MONTH, _WEEK)
        return [*levels, *moved, own, levels[-1] * year]

    def _moved(self, target: Tensor, origin: Tensor, window: int, width: int = 1) -> Tensor:
        """By which share all series, in periods until one, were above a window before an origin."""
        length = len(self._total) - 1
        end, begin = origin.clamp(min=0), (origin - window).clamp(min=0)
        level, size = (one[end] - one[begin] for one in (self._total, self._size))
        upto = (target + 1).clamp(min=min(width, length), max=length)
        then = self._total[upto] - self._total[(upto - width).clamp(min=0)]
        # What has both signs may come to nothing, of which no share can be taken.
        known = (origin >= window) & (target + 1 == upto) & (then > 0) & (level > size / 2)
        ratio = then / width / (level / window)
        return torch.where(known, ratio, 1.0).clamp(1 / _MOST, _MOST) - 1


@dataclass(frozen=True)
class Base:
    """How simple forecasts are weighed; all of it fits into JSON.

    Args:
        weights: log-odds of the levels for the first period ahead, shape (levels,).
        slopes: what is added to them for the last one, shape (levels,).
        noise: logarithms of the deviations of noise in movements, in sizes of the series.
        smoothed: log-odds of what smoothing says against all else, for the first period ahead;
            what is added to them for the last one; and for each logarithm that errors of all else
            are above its own.
        growth: the power of the periods ahead by which errors grow.
    """

    weights: tuple[float, ...] = (0.0,) * _LEVELS
    slopes: tuple[float, ...] = (0.0,) * _LEVELS
    noise: tuple[float, ...] = tuple(np.log(_NOISE).tolist())
    smoothed: tuple[float, ...] = (0.0, 0.0, _EVIDENCE)
    growth: float = 0.0

    def __call__(self, parts: Tensor, unit: Tensor, share: Tensor) -> Tensor:
        """The forecasts.

        Args:
            parts: what `SimpleForecasts.at` gives, shape (..., ahead, parts).
            unit: sizes of the series, shape (..., ahead or 1).
            share: how far ahead each period is, from 0 to 1, shape (ahead,).

        Returns:
            Shape (..., ahead).
        """
        given = (self.weights, self.slopes, self.noise, self.smoothed)
        return _weighed(parts, unit, share, *map(torch.tensor, given))

    def unsmoothed(self, parts: Tensor, unit: Tensor, share: Tensor) -> Tensor:
        """The forecasts without smoothing, and without the year of days, as for `__call__`."""
        given = (self.weights, self.slopes, self.noise)
        return _unsmoothed(parts, unit, share, *map(torch.tensor, given))

    def wider(self, error: Tensor, steps: Tensor) -> Tensor:
        """The absolute errors to be expected, shape (..., ahead).

        Args:
            error: of the first period ahead, shape (..., 1).
            steps: which of the periods ahead, 0 for the first one, shape (ahead,).
        """
        return error * (steps + 1) ** self.growth

    @classmethod
    def of(cls, parts: Tensor, unit: Tensor, share: Tensor, target: Tensor, known: Tensor) -> Base:
        """Learn the weights from the past, by least absolute errors in sizes of the series.

        Args:
            parts, unit, share: see `__call__`.
            target, known: what happened, and whether that is known, shape (..., ahead).
        """
        before = torch.tensor([*cls.weights, *cls.slopes, *cls.noise, *cls.smoothed])
        free = before.clone().requires_grad_()
        scaled = torch.where(known, target, 0.0) / unit
        search = torch.optim.LBFGS([free], max_iter=40, line_search_fn="strong_wolfe")

        def error(given: Tensor) -> Tensor:
            off = (_weighed(parts, unit, share, *_split(given)) / unit - scaled).abs()
            off = off.clamp(max=WORST)
            return (off * known).sum() / known.sum().clamp(min=1)

        usual = error(before).clamp(min=1e-9)

        def loss() -> Tensor:
            search.zero_grad()
            value = error(free) / usual + _PRIOR * ((free - before) ** 2).mean()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        first = search.step(loss)  # type: ignore[no-untyped-call]
        if not loss() <= first:  # of little, a search can run away
            return cls()
        weights, slopes, noise, smoothed = (tuple(part.tolist()) for part in _split(free.detach()))
        return cls(weights, slopes, noise, smoothed)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The weights that were saved, as `asdict` gives them."""
        weights = {name: tuple(one) for name, one in values.items() if name != "growth"}
        return cls(**weights, growth=values["growth"])


def _split(given: Tensor) -> tuple[Tensor, ...]:
    """Weights, slopes, noise, and what is smoothed."""
    weights, rest = given[: 2 * _LEVELS], given[2 * _LEVELS :]
    return weights[:_LEVELS], weights[_LEVELS:], rest[: len(_NOISE)], rest[len(_NOISE) :]


def _weighed(
    parts: Tensor,
    unit: Tensor,
    share: Tensor,
    weights: Tensor,
    slopes: Tensor,
    noise: Tensor,
    smoothed: Tensor,
) -> Tensor:
    """What `Base.__call__` gives, for parameters as tensors."""
    found = _unsmoothed(parts, unit, share, weights, slopes, noise)
    odds = smoothed[0] + share * smoothed[1] + smoothed[2] * parts[..., _BETTER]
    found = found + odds.sigmoid() * (parts[..., _SMOOTHED] - found)
    if parts.shape[-1] > _BETTER + 1:
        found = found + _signal(parts[..., -1], _variance(noise[2], unit))
    return found


def _unsmoothed(
    parts: Tensor, unit: Tensor, share: Tensor, weights: Tensor, slopes: Tensor, noise: Tensor
) -> Tensor:
    """What `Base.unsmoothed` gives, for parameters as tensors."""
    weight = (weights + share[:, None] * slopes).softmax(dim=-1)
    levels, moved = parts[..., :_LEVELS], parts[..., _LEVELS : 2 * _LEVELS]
    moved = _signal(moved, _variance(noise[0], unit)[..., None])
    own = parts[..., 2 * _LEVELS] - moved[..., -1]
    return (weight * (levels + moved)).sum(dim=-1) + _signal(own, _variance(noise[1], unit))


def _variance(noise: Tensor, unit: Tensor) -> Tensor:
    """Of noise, from the logarithm of its deviation in sizes of the series."""
    return (2 * noise.clamp(-_FARTHEST, _FARTHEST)).exp() * unit**2


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """Parts along a last axis of their own."""
    return torch.stack(torch.broadcast_tensors(*parts), dim=-1)  # type: ignore[no-untyped-call]


def _signal(moved: Tensor, variance: Tensor) -> Tensor:
    """What of a movement is to be expected again."""
    return moved**3 / (moved**2 + variance)


def _cumulated(values: Tensor) -> Tensor:
    """Sums before each period, shape (..., time + 1)."""
    return torch.cat([values.new_zeros(*values.shape[:-1], 1), values.cumsum(dim=-1)], dim=-1)
