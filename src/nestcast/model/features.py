"""What the network sees at each step, gathered from the panel one batch at a time.

The step that forecasts period p sees only periods before p, and the calendar of p itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestcast.data.calendar import Calendar
from nestcast.data.panel import Panel
from nestcast.model.groups import Group, group_codes


class Features:
    """Inputs and targets of a panel for any set of series and steps.

    Example:
        >>> from nestcast.data import Calendar, Keys
        >>> panel = Panel(
        ...     Keys({"item": np.array([1])}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 3),
        ...     np.array([[0, 2, 4]], dtype=np.float32),
        ...     np.array([1], dtype=np.int32),
        ... )
        >>> features = Features(panel, groups=[()], typical=1.0)
        >>> rows, periods = torch.tensor([0]), torch.tensor([[1], [2], [3]])
        >>> features.scale(rows, periods).ravel().tolist()  # 1, (1 + 2) / 2, (1 + 2 + 4) / 3
        [1.0, 1.5, 2.3333332538604736]
        >>> features.inputs(rows, periods).shape == (3, 1, features.size)
        True

    Args:
        panel: the series.
        groups: the groups whose mean of the period before is an input.
        typical: mean absolute target over all series, the scale of a series without history.
    """

    def __init__(self, panel: Panel, groups: Sequence[Group], typical: float) -> None:
        self.season = panel.calendar.season
        self.start = torch.from_numpy(panel.start.astype(np.int64))
        self.length = len(panel.calendar)
        after_start = np.arange(self.length) >= panel.start[:, None]  # (series, time)
        seen = np.isfinite(panel.target) & after_start
        filled = np.where(seen, panel.target, np.float32(0))
        self._target = torch.from_numpy(filled)
        self._seen = torch.from_numpy(seen)
        pseudo_count = min(typical, 1.0) if panel.is_count else 0.0
        self._scale = torch.from_numpy(_running_scale(filled, seen, typical, pseudo_count))
        self._groups = [
            (torch.from_numpy(code), torch.from_numpy(_group_means(filled, seen, code)))
            for code in (group_codes(panel, group) for group in groups)
        ]
        self._calendar = torch.from_numpy(calendar_features(panel.calendar))
        self.size = 7 + 2 * len(self._groups) + self._calendar.shape[1]

    def scale(self, rows: Tensor, periods: Tensor) -> Tensor:
        """Typical absolute size of each series before each period.

        Args:
            rows: series, shape (batch,).
            periods: period to forecast at each step, shape (steps, batch).

        Returns:
            Positive numbers, shape (steps, batch).
        """
        return self._scale[rows, periods]

    def inputs(self, rows: Tensor, periods: Tensor) -> Tensor:
        """The inputs of each step, shape (steps, batch, size); arguments as for `scale`."""
        last, last_seen = self._past(rows, periods, 1)
        season, season_seen = self._past(rows, periods, self.season)
        scale = self.scale(rows, periods)
        age = (periods - self.start[rows]).clamp(min=0).float()
        columns = [
            last.asinh(),
            last / scale,
            (last > 0).float(),
            last_seen.float(),
            (season / scale) * season_seen,
            scale.log(),
            age.log1p(),
        ]
        for code, means in self._groups:  # means: (groups, time + 1)
            group = code[rows]
            columns.append(means[group, periods].asinh())
            earlier = (periods + 1 - self.season).clamp(min=0)
            columns.append(means[group, earlier].asinh())
        own = torch.stack(columns, dim=-1)  # (steps, batch, 7 + 2 groups)
        return torch.cat([own, self._calendar[periods]], dim=-1)

    def targets(self, rows: Tensor, periods: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
        """What happened from each period on, and whether it is known.

        Returns:
            Two tensors of shape (steps, batch, horizon).
        """
        ahead = periods[..., None] + torch.arange(horizon)  # (steps, batch, horizon)
        inside = ahead < self.length
        at = ahead.clamp(max=self.length - 1)
        series = rows[:, None].expand_as(at)
        return self._target[series, at], inside & self._seen[series, at]

    def _past(self, rows: Tensor, periods: Tensor, lag: int) -> tuple[Tensor, Tensor]:
        at = (periods - lag).clamp(min=0, max=self.length - 1)
        seen = self._seen[rows, at] & (periods >= lag)
        return self._target[rows, at] * seen, seen


def calendar_features(calendar: Calendar) -> NDArray[np.float32]:
    """Season and length of each period and of the one after the last, shape (time + 1, features).

    Months: which month, and its days. Weeks and days: the year as two waves; days: the weekday.
    """
    starts = calendar.start_of(np.arange(len(calendar) + 1))
    if calendar.freq == "1mo":
        month = starts.astype("M8[M]").astype(np.int64) % 12
        days = (calendar.start_of(np.arange(1, len(calendar) + 2)) - starts).astype(np.float32)
        return np.column_stack([np.eye(12, dtype=np.float32)[month], (days - 30.5)[:, None]])
    day_of_year = (starts - starts.astype("M8[Y]")).astype(np.float32)
    angle = day_of_year[:, None] * np.array([1, 2]) * np.float32(2 * math.pi / 365.25)
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
    if calendar.freq == "1w":
        return waves
    weekday = (starts.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return np.column_stack([waves, np.eye(7, dtype=np.float32)[weekday]])


def _running_scale(
    filled: NDArray[np.float32], seen: NDArray[np.bool_], typical: float, pseudo_count: float
) -> NDArray[np.float32]:
    """Mean absolute target before each period, always positive.

    Counts get one more observation of `pseudo_count`, so that a history of zeros is small, not
    nothing. A series without history, or of zeros in real values, has the typical size.
    """
    shape = (filled.shape[0], filled.shape[1] + 1)
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    np.cumsum(np.abs(filled), axis=1, out=total[:, 1:])
    np.cumsum(seen, axis=1, out=count[:, 1:])
    none_yet = count == 0
    mean = (total + np.float32(pseudo_count)) / np.maximum(count + (pseudo_count > 0), 1)
    return np.where(none_yet | (mean <= 0), np.float32(typical), mean)


def _group_means(
    filled: NDArray[np.float32], seen: NDArray[np.bool_], code: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mean target of each group in the period before, shape (groups, time + 1)."""
    order = np.argsort(code, kind="stable")
    edges = np.flatnonzero(np.diff(code[order], prepend=-1))
    total = np.add.reduceat(filled[order], edges, axis=0, dtype=np.float64)
    count = np.add.reduceat(seen[order], edges, axis=0, dtype=np.int64)
    means = np.zeros((len(edges), filled.shape[1] + 1), dtype=np.float32)
    means[:, 1:] = total / np.maximum(count, 1)
    return means
