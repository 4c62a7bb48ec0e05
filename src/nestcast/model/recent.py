"""The mean of each series of late, which what networks say of small counts is averaged with.

Of large or steady targets much can be told of each series by itself (see `base`). Of small counts
it is hardly more than how many there have been of late, but networks, which learn from all series
together, make too little even of that. How all of them move from one period to another, with the
weekday for one, networks may know better, or may have learned by heart what moved all series in a
few past periods: how far both follow it, means of late and networks, is learned from the periods
held back. Both are averaged in logarithms.

Source: Bates and Granger, "The combination of forecasts" (1969).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        mean: of what was seen, later periods counting more, shape (batch, 1).
        known: how much of all that counts was seen, from 0 to 1, shape (batch, 1).
        level: what networks say of all series in each period ahead, in means of late, shape
            (ahead,) or (1,).
    """

    mean: Tensor
    known: Tensor
    level: Tensor

    @classmethod
    def of(cls, target: Tensor, seen: Tensor) -> Recent:
        """The mean after the last period, as if networks said the same of all together.

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
        return cls(mean[:, None], (1 - _MEMORY) * known[:, None], torch.ones(1))

    def level_of(self, said: Tensor) -> Tensor:
        """What networks say of these series together, in means of late, shape (ahead,).

        Args:
            said: means of each period ahead, shape (batch, ahead).
        """
        total = (self.known * self.mean).sum(dim=0)
        level = (self.known * said).sum(dim=0) / total.clamp(min=1e-9)
        return torch.where(total > 0, level, 1.0).clamp(1 / _MOST, _MOST)

    def at(self, level: Tensor) -> Recent:
        """The same where networks say such a level of all."""
        return replace(self, level=level)

    def averaged(
        self, family: Likelihood, raw: Tensor, size: Size, weight: float, follow: float
    ) -> Tensor:
        """Raw outputs of networks, moved towards the mean of late.

        Args:
            family: of counts.
            raw: shape (batch, ahead, outputs).
            size: of the series, shape (batch, ahead).
            weight: of the mean of late where it is fully known, from 0 to 1.
            follow: how far means go from the level of late to the one that networks say, from 0 to
                1. Networks go back as far where the weight is a half or more, and not at all where
                it is a quarter or less: there, they know better.
        """
        if weight == 0:
            return raw
        late = self.mean * self.level**follow
        ratio = (late / family.mean(raw, size)).clamp(min=_LEAST)
        back = min(max(4 * weight - 1, 0), 1) * (1 - follow)
        share = weight * self.known
        raw = raw.clone()
        raw[..., family.location] += share * ratio.log() - (1 - share) * back * self.level.log()
        return raw
