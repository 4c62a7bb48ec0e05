"""What the network sees, gathered from the panel one batch at a time.

The step that forecasts from period p on sees only periods before p, and of the periods ahead what
is known in advance: the calendar, the covariates given for them, and what happened a season before.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestcast.data.calendar import Calendar
from nestcast.data.keys import numbered
from nestcast.data.panel import Panel
from nestcast.model.autoregression import expected_by_shop
from nestcast.model.base import Past, SimpleForecasts
from nestcast.model.closures import Closures
from nestcast.model.groups import Grouping
from nestcast.model.groupsums import GroupMeans, Sparse
from nestcast.model.nameparts import with_name_parts
from nestcast.model.namerates import name_rates
from nestcast.model.noise import Noise
from nestcast.model.population import from_listing
from nestcast.model.recent import Recent
from nestcast.model.schema import Schema
from nestcast.model.smoothing import smooth

_PSEUDO_CELLS = 50.0  # of all newcomers, with which those of a group are averaged
_OLDEST = 12  # age in periods beyond which it does not count: it would tell the date

Table = tuple[Tensor, Tensor]  # group of each series (series,), value of each group (groups, time)


class Features:
    """Inputs and targets of a panel for any set of series and steps.

    Example:
        >>> from nestcast.data import Calendar, Keys
        >>> from nestcast.model.schema import schema_of
        >>> panel = Panel(
        ...     Keys({"item": np.array([1])}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 3),
        ...     np.array([[0, 2, 4]], dtype=np.float32),
        ...     np.array([1], dtype=np.int32),
        ... )
        >>> features = Features(panel, schema_of(panel))
        >>> rows, periods = torch.tensor([0]), torch.tensor([[1], [2], [3]])
        >>> features.scale(rows, periods).ravel().tolist()  # typical, (1 + 2) / 2, (1 + 2 + 4) / 3
        [3.0, 1.5, 2.3333332538604736]
        >>> features.past(rows, periods).shape[:2]
        torch.Size([3, 1])

    Args:
        panel: the series, each asked for among them.
        schema: which inputs to give.
    """

    def __init__(self, panel: Panel, schema: Schema) -> None:
        self.schema, self.horizon = schema, schema.horizon
        own_start = panel.start.astype(np.int64)
        panel = from_listing(with_name_parts(panel)[0])
        calendar = panel.calendar
        self.length, self.season, self.freq = len(calendar), calendar.season, calendar.freq
        self.start = torch.from_numpy(panel.start.astype(np.int64))
        self._own_start = torch.from_numpy(own_start)
        seen = np.isfinite(panel.target) & (np.arange(self.length) >= panel.start[:, None])
        filled = np.where(seen, panel.target, np.float32(0))
        pseudo_count = min(schema.typical, 1.0) if panel.is_count else 0.0
        scale = _running_scale(filled, seen, schema.typical, pseudo_count, calendar.year)
        self._closures = None
        if schema.reopening:
            found = Closures.of(panel, schema.item)
            self._closures = tuple(map(torch.from_numpy, (found.shop, found.closed, found.opens)))
            is_open = seen & (found.closed[:, 1:] > np.arange(self.length))[found.shop]
            scale_open = _running_scale(
                filled, is_open, schema.typical, pseudo_count, calendar.year
            )
            self._open, self._scale_open = map(torch.from_numpy, (is_open, scale_open))
        self._target, self._seen = torch.from_numpy(filled), torch.from_numpy(seen)
        every = max(1, len(panel) // 50_000)
        self.power = max(float((self._target[::every] ** 2).mean()), 1e-12)  # mean square
        self._scale = torch.from_numpy(scale)
        self._past = Past(self._target, self._seen, self.season)
        if schema.based:
            given = self._target, self._seen
            self._smoothed = smooth(*given, self.season, schema.horizon, calendar.year)
            self._noise = Noise(self._smoothed.following(), *given, self._scale)
            self._simple = SimpleForecasts(self._past, self._smoothed, self._noise, self._scale)
        self._calendar = torch.from_numpy(
            calendar_features(calendar, schema.horizon, schema.yearly)
        )
        size = scale[:, :-1] if schema.relative else np.float32(1)
        # What is smaller than this differs little from nothing; above, ratios count.
        self._small = 0.1 * (1.0 if schema.relative else min(schema.typical, 1.0))
        self._set_groups(panel, Sparse.of(np.asarray(filled / size, np.float32)), own_start)
        self._observed = [_last_and_usual(panel.observed[name]) for name in schema.observed]
        self._known = [self._known_ahead(panel, name) for name in schema.known]

    def _set_groups(self, panel: Panel, values: Sparse, own_start: NDArray[np.int64]) -> None:
        schema = self.schema
        items, item = numbered(panel.keys[schema.item])
        listed = np.full(len(items), self.length, np.int64)
        np.minimum.at(listed, item, own_start)
        self._listed = torch.from_numpy(listed[item])
        groups, grouping = GroupMeans(panel), Grouping(panel)
        self._means: list[Table] = []
        self._of_shop: list[bool] = []
        for group in (*schema.groups, *schema.parts):
            sums = groups.sums(values, group)
            self._means.append((torch.from_numpy(sums.code), self._ratio(_lagged(sums.means()))))
            self._of_shop.append(any(grouping.owner(name) != schema.item for name in group))
        self._newcomers: list[Table] = []
        for group in schema.newcomers:
            sums = groups.sums(values, group, (schema.item, listed[item]))
            # A series of games has a new one every other year: what names share is kept for good.
            window = self.length if group in schema.parts else panel.calendar.year
            means = sums.running_means(window, _PSEUDO_CELLS)
            self._newcomers.append((torch.from_numpy(sums.code), torch.from_numpy(means)))
        self._arrivals: list[Table] = []
        for group in schema.assortment:
            kinds = grouping.kinds(group, schema.item)
            arrivals = np.zeros((kinds.max(initial=0) + 1, self.length + 1), np.float32)
            np.add.at(arrivals, (kinds, listed), 1)
            self._arrivals.append((torch.from_numpy(kinds[item]), torch.from_numpy(arrivals)))
        self._rates = torch.zeros(0)
        if schema.names:
            rates = name_rates(panel, schema.item, listed, groups, values)
            self._rates = torch.from_numpy(rates[item])
        self._by_shop = torch.zeros(0)
        if schema.by_shop:
            expected = expected_by_shop(panel, schema.item, listed, values)
            self._by_shop = torch.from_numpy(expected)
        self._shares: list[Table] = []
        if schema.newcomers:
            sold = values._replace(value=np.ones_like(values.value))
            sums = groups.sums(sold, (schema.item,))
            self._shares.append((torch.from_numpy(sums.code), self._ratio(_lagged(sums.means()))))

    def _ratio(self, sizes: Tensor) -> Tensor:
        """Of what is large by its logarithm, of what is small as it is."""
        return (sizes / self._small).asinh()

    def _known_ahead(self, panel: Panel, name: str) -> Tensor:
        """A known covariate as (series or 1, time + horizon), NaN beyond what was given."""
        values = np.atleast_2d(panel.known[name])
        ahead = self.length + self.schema.horizon - values.shape[1]
        if ahead > 0:
            values = np.pad(values, ((0, 0), (0, ahead)), constant_values=np.nan)
        return torch.from_numpy(np.asarray(values, np.float32))

    def sizes(self) -> tuple[int, int]:
        """How many features `past` and `ahead` give."""
        one = torch.zeros(1, dtype=torch.int64)
        return self.past(one, one[None]).shape[-1], self.ahead(one, one[None], one).shape[-1]

    def scale(self, rows: Tensor, periods: Tensor) -> Tensor:
        """Typical absolute size of each series before each period.

        Args:
            rows: series, shape (batch,).
            periods: first period to forecast at each step, shape (steps, batch).

        Returns:
            Positive numbers, shape (steps, batch).
        """
        as_of = self._as_of(rows, periods)
        scale = self._scale[rows, as_of]
        if self._closures is None:
            return scale
        return torch.where(as_of < periods, self._scale_open[rows, as_of], scale)

    def _as_of(self, rows: Tensor, periods: Tensor) -> Tensor:
        """The periods as of which the shops of some series are seen; as for `scale`.

        Those in which one was closed are as the last one before, once it has opened again.
        """
        if self._closures is None:
            return periods
        code, closed, opens = self._closures
        shop = code[rows]
        has_opened = opens[shop, periods] <= periods.amax(dim=0)
        return torch.where(has_opened, closed[shop, periods], periods)

    def recent(self, rows: Tensor, origin: int) -> Recent:
        """The mean of late, before a period, of some series (batch,)."""
        seen = self._seen[rows, :origin]
        if self._closures is not None:
            opens = self._as_of(rows, torch.full((1, len(rows)), origin))[0] < origin
            seen = seen & (self._open[rows, :origin] | ~opens[:, None])
        return Recent.of(self._target[rows, :origin], seen)

    def error(self, rows: Tensor, periods: Tensor) -> Tensor:
        """Absolute error to be expected of smoothing, where there is a base; as for `scale`."""
        scale = self.scale(rows, periods)
        return self._noise.at(rows, periods, self._told(rows, periods, scale), scale)

    def _told(self, rows: Tensor, periods: Tensor, scale: Tensor) -> Tensor:
        """What smoothing says of each period right before it."""
        return self._smoothed.at(rows, periods, torch.zeros((), dtype=torch.long), scale)

    def simple(self, rows: Tensor, periods: Tensor, steps: Tensor) -> Tensor:
        """Parts of the base, where there is one; see `SimpleForecasts.at`."""
        return self._simple.at(rows, periods, steps, self.scale(rows, periods))

    def past(self, rows: Tensor, periods: Tensor) -> Tensor:
        """What each step knows of the past, shape (steps, batch, features); see `scale`."""
        schema = self.schema
        as_of = self._as_of(rows, periods)
        last, last_seen = self._past.before(rows, as_of - 1, periods)
        scale = self.scale(rows, periods)
        age = (periods - self.start[rows]).clamp(min=0, max=_OLDEST)
        own_age = (periods - self._own_start[rows]).clamp(min=0, max=_OLDEST)
        columns = [
            last.asinh(),
            last / scale,
            (last != 0).float(),
            last_seen.float(),
            scale.log(),
            age.float().log1p(),
            own_age.float().log1p(),
            (own_age == 0).float(),
            (periods <= self._listed[rows]).float(),
        ]
        if schema.based:
            error = self.error(rows, periods)
            told = self._told(rows, periods, scale)
            apart = [((one - told) / error).asinh() for one in (last, scale)]
            columns += [*apart, (error / scale).log()]
        if not schema.relative:
            columns += [last / schema.typical, scale / schema.typical]
        for (code, means), of_shop in zip(self._means, self._of_shop, strict=True):
            columns.append(means[code[rows], as_of if of_shop else periods])
        newcomers = [means[code[rows], periods] for code, means in self._newcomers]
        columns += map(self._ratio, newcomers)
        for code, means in self._shares:
            columns.append(means[code[rows], periods])
        if not schema.relative:
            columns += [means / schema.typical for means in newcomers]
        if schema.names:
            rate = self._rates[rows] * (periods >= self._listed[rows])
            columns.append(self._ratio(rate))
            if not schema.relative:
                columns.append(rate / schema.typical)
        if schema.by_shop:
            expected = self._by_shop[rows, as_of]
            columns += [self._ratio(expected), expected / schema.typical]
        for code, arrivals in self._arrivals:
            columns.append(arrivals[code[rows], periods].log1p())
        for values, usual in self._observed:
            at = values[rows, periods]
            given = torch.isfinite(at)
            # Not the level itself: one that drifts leads beyond all that training has seen.
            columns += [(at - usual[rows, periods]).nan_to_num(), given.float()]
        return torch.stack(columns, dim=-1)

    def ahead(self, rows: Tensor, periods: Tensor, steps: Tensor) -> Tensor:
        """What each step knows of the periods it forecasts.

        Args:
            rows, periods: as for `scale`.
            steps: which of the periods ahead, 0 for `periods` itself, shape (ahead,).

        Returns:
            Shape (steps, batch, ahead, features).
        """
        series, origin = rows[:, None], periods[..., None]
        target = origin + steps  # (steps, batch, ahead)
        scale = self.scale(rows, periods)[..., None]
        lag = self.season * (steps // self.season + 1)
        same, seen = self._past.before(series, target - lag, origin)
        growth = self._past.growth(series, origin, lag, scale)
        columns = [
            same / scale,
            seen.float(),
            same * growth / scale,
            (steps.float() / self.schema.horizon).expand_as(target),
        ]
        if self.season < self.length - 1 and self.schema.year != self.season:
            last_year, year_seen = self._past.before(series, target - self.schema.year, origin)
            columns += [last_year / scale, year_seen.float()]
        before = origin - lag  # of the last period known, as long ago; means are one later
        if self.schema.based:
            told = self._smoothed.at(series, origin, steps, scale)
            apart = (same * growth - told) / self.error(rows, periods)[..., None]
            columns += [told / scale, torch.where(seen, apart.asinh(), 0.0)]
        for code, means in self._means[: len(self.schema.groups)]:
            at = means[code[series], (target - lag + 1).clamp(min=0)]
            then = means[code[series], before.clamp(min=0)]
            columns += [at, torch.where(before > 0, at - then, 0.0)]
        if self.schema.earlier:
            earlier, earlier_seen = self._past.before(series, target - lag - self.season, origin)
            columns += [earlier / scale, earlier_seen.float()]
        for values in self._known:
            at = values[series if len(values) > 1 else 0, target]
            given = torch.isfinite(at)
            columns += [torch.where(given, at, 0.0), given.float()]
        return torch.cat([torch.stack(columns, dim=-1), self._calendar[target]], dim=-1)

    def targets(self, rows: Tensor, periods: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """What happened in the periods ahead, and whether it is known; arguments as for `ahead`.

        Returns:
            Two tensors of shape (steps, batch, ahead).
        """
        at = periods[..., None] + steps
        inside = at < self.length
        at = at.clamp(max=self.length - 1)
        series = rows[:, None].expand_as(at)
        return self._target[series, at], inside & self._seen[series, at]


def calendar_features(
    calendar: Calendar, ahead: int = 1, yearly: bool = True
) -> NDArray[np.float32]:
    """Season and length of each period and of some after the last, shape (time + ahead, features).

    Months: which month, and its days. Weeks and days: the year as two waves. Days: the weekday.

    Args:
        calendar: the periods.
        ahead: how many after the last.
        yearly: whether to tell the time of the year; of months nothing is left without it.
    """
    starts = calendar.start_of(np.arange(len(calendar) + ahead))
    if calendar.freq == "1mo":
        month = starts.astype("M8[M]").astype(np.int64) % 12
        ends = calendar.start_of(np.arange(1, len(calendar) + ahead + 1))
        days = (ends - starts).astype(np.float32)
        which = np.column_stack([np.eye(12, dtype=np.float32)[month], days - np.float32(30.5)])
        return which[:, : 13 * yearly]
    day_of_year = (starts - starts.astype("M8[Y]")).astype(np.float32)
    angle = day_of_year[:, None] * np.array([1, 2]) * np.float32(2 * math.pi / 365.25)
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)[:, : 4 * yearly]
    waves = waves.astype(np.float32)
    if calendar.freq == "1w":
        return waves
    weekday = (starts.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return np.column_stack([waves, np.eye(7, dtype=np.float32)[weekday]])


def _running_scale(
    filled: NDArray[np.float32],
    seen: NDArray[np.bool_],
    typical: float,
    pseudo_count: float,
    window: int,
) -> NDArray[np.float32]:
    """Mean absolute target in the window before each period, always positive.

    Counts get one more observation of `pseudo_count`, so that a history of zeros is small, not
    nothing. A series without history, or of zeros in real values, has the typical size.
    """
    total, count = _cumulated(np.abs(filled)), _cumulated(seen)
    if total.shape[1] > window:
        total[:, window:] -= total[:, :-window].copy()
        count[:, window:] -= count[:, :-window].copy()
    none_yet = count == 0
    mean = (total + np.float32(pseudo_count)) / np.maximum(count + (pseudo_count > 0), 1)
    return np.where(none_yet | (mean <= 0), np.float32(typical), mean)


def _cumulated(values: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32]:
    """Sums before each period, shape (series, time + 1)."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1), np.float32)
    np.cumsum(values, axis=1, dtype=np.float32, out=sums[:, 1:])
    return sums


def _last_and_usual(values: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """A covariate before each period, by its inverse hyperbolic sine: the last value, and the mean.

    Both have shape (series, time + 1) and are NaN where none has been seen. A price at which
    nothing was sold is not seen, so the last one stands.
    """
    seen = np.isfinite(values)
    found = np.arcsinh(np.where(seen, values, 0))
    at = np.maximum.accumulate(np.where(seen, np.arange(values.shape[1]), -1), axis=1)
    last = np.full((len(values), values.shape[1] + 1), np.nan, np.float32)
    last[:, 1:] = np.where(at >= 0, np.take_along_axis(found, np.maximum(at, 0), axis=1), np.nan)
    total, count = _cumulated(found), _cumulated(seen)
    usual = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return torch.from_numpy(last), torch.from_numpy(usual)


def _lagged(means: NDArray[np.float32]) -> Tensor:
    """The value of the period before each, shape (groups, time + 1)."""
    return torch.from_numpy(np.pad(means, ((0, 0), (1, 0))))
