"""How far forecasts of the next period have been off, and so how far the next one may be.

The deviation of sales grows with their mean to a power between 1/2 and 1, so errors are kept in
sizes to the power of 3/4: what a series was off by when it was ten times as large tells something
of it now. Errors of long ago fade.

Source of the power law: Taylor, "Aggregation, variance and the mean" (1961).
"""

from __future__ import annotations

import torch
from torch import Tensor

_POWER = 0.75
_MEMORY = 0.96  # what the errors of a period count one period later
_SMALL = 0.3  # of the size of a series that a value is taken to have, at least
_SMALLEST = 0.01  # of the size of a series that its errors are said to be, at least


class Noise:
    """Of one kind of forecast of each series.

    Example:
        >>> target, seen = torch.full((1, 9), 10.0), torch.ones(1, 9, dtype=torch.bool)
        >>> noise = Noise(torch.full((1, 10), 8.0), target, seen, torch.full((1, 10), 10.0))
        >>> noise.at(torch.tensor(0), torch.tensor(9), torch.tensor(160.0), torch.tensor(10.0))
        tensor(16.)

    Args:
        told: forecasts of each period from those before, NaN where none, shape (series, time + 1).
        target: what happened, shape (series, time).
        seen: whether it is known, shape (series, time).
        scale: size of each series before each period, shape (series, time + 1).
    """

    def __init__(self, told: Tensor, target: Tensor, seen: Tensor, scale: Tensor) -> None:
        known = seen & told[:, :-1].isfinite()
        off = (told[:, :-1] - target).abs() / _size(target, scale[:, :-1])
        error, weight = torch.zeros_like(told), torch.zeros_like(told)
        error[:, 1:], weight[:, 1:] = torch.where(known, off, 0.0), known
        for period in range(target.shape[1]):
            fades = torch.where(known[:, period], _MEMORY, 1.0)
            error[:, period + 1] += fades * error[:, period]
            weight[:, period + 1] += fades * weight[:, period]
        self._mean = error / weight  # NaN where none is known

    def at(self, series: Tensor, origin: Tensor, told: Tensor, scale: Tensor) -> Tensor:
        """The absolute error to be expected, half the scale where nothing is known of it.

        Args:
            series, origin: of shapes that broadcast; what is known before that period counts.
            told: the forecast that may be off.
            scale: size of the series.
        """
        found = self._mean[series, origin] * _size(told, scale)
        return torch.where(found.isfinite(), found, scale / 2).maximum(_SMALLEST * scale)


def _size(value: Tensor, scale: Tensor) -> Tensor:
    """What errors are measured in."""
    return value.abs().maximum(_SMALL * scale) ** _POWER
