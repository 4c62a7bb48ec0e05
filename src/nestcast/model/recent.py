"""The mean of each series of late, which what networks say of small counts is averaged with.

Of large or steady targets much can be told of each series by itself (see `base`). Of small counts
it is hardly more than how many there have been of late, but networks, which learn from all series
together, make too little even of that. How all of them move, with the season for one, networks
may know better, or late periods: means of late are moved half of the way to the level of what
networks say of all, period by period. Both are averaged in logarithms, as networks are.

Source: Bates and Granger, "The combination of forecasts" (1969).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nestcast.model.likelihood import Likelihood, Size

_MEMORY = 0.9  # what a period counts one period later
_MOST = 3.0  # times that means of late are too small or too large
_LEAST = 0.05  # of what a network says that the mean of late is taken to be


@dataclass(frozen=True)
class Recent:
    """Of some series.

    Args:
        mean: of what was seen, later periods counting more, shape (batch, 1 or ahead).
        known: how much of all that counts was seen, from 0 to 1, shape (batch, 1).
    """

    mean: Tensor
    known: Tensor

    @classmethod
    def of(cls, target: Tensor, seen: Tensor) -> Recent:
        """The mean after the last period.

        Example:
            >>> recent = Recent.of(torch.tensor([[4.0, 0.0]]), torch.tensor([[True, True]]))
            >>> round(recent.mean.item(), 2), round(recent.known.item(), 2)
            (1.89, 0.19)

        Args:
            target: 0 where not seen, shape (batch, time).
            seen: whether it is known, shape (batch, time).
        """
        weight = _MEMORY ** torch.arange(target.shape[1] - 1, -1, -1, dtype=target.dtype)
        known = seen.to(target.dtype) @ weight
        mean = target @ weight / known.clamp(min=1e-9)
        return cls(mean[:, None], (1 - _MEMORY) * known[:, None])

    def level(self, said: Tensor) -> Tensor:
        """What means are to be multiplied by to be half of the way to what networks say of all.

        Args:
            said: means of each period ahead, shape (batch, ahead).

        Returns:
            Shape (ahead,).
        """
        total = (self.known * self.mean).sum(dim=0)
        level = (self.known * said).sum(dim=0) / total.clamp(min=1e-9)
        return torch.where(total > 0, level, 1.0).clamp(1 / _MOST, _MOST).sqrt()

    def at(self, level: Tensor) -> Recent:
        """Means at the level of each period ahead."""
        return Recent(self.mean * level, self.known)

    def averaged(self, family: Likelihood, raw: Tensor, size: Size, weight: float) -> Tensor:
        """Raw outputs of networks, moved towards the mean of late.

        Args:
            family: of counts.
            raw: shape (batch, ahead, outputs).
            size: of the series, shape (batch, ahead).
            weight: of the mean of late where it is fully known, from 0 to 1.
        """
        if weight == 0:
            return raw
        ratio = (self.mean / family.mean(raw, size)).clamp(min=_LEAST)
        raw = raw.clone()
        raw[..., family.location] += weight * self.known * ratio.log()
        return raw
