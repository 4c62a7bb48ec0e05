"""Learning from the past how simple forecasts are to be weighed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from nestcast.model.base import WORST, Base
from nestcast.model.features import Features

_CELLS = 20_000  # series-steps to learn from
_AHEAD = 6  # periods ahead of each, at most
_POWERS = torch.linspace(0, 1, 21)  # of the periods ahead, by which errors may grow


def learn_base(features: Features, until: int, generator: np.random.Generator) -> Base:
    """The base that what happened before a period speaks for.

    Args:
        features: of the series.
        until: the period.
        generator: for the choice of steps.
    """
    start = features.start.numpy()
    lengths = np.maximum(until - start, 0)
    if not lengths.any():
        return Base()
    rows = generator.choice(len(lengths), _CELLS, p=lengths / lengths.sum())
    series = torch.from_numpy(rows)
    at = torch.from_numpy(start[rows] + generator.integers(lengths[rows]))[None]
    last = features.horizon - 1
    steps = torch.linspace(0, last, min(last + 1, _AHEAD)).long()
    target, known = features.targets(series, at, steps)
    target, known = target[0], (known & (at[..., None] + steps < until))[0]
    parts, scale = features.simple(series, at, steps)[0], features.scale(series, at)[0, :, None]
    share = steps / features.horizon
    base = Base.of(parts, scale, share, target, known)
    off = (base(parts, scale, share) - target).abs() / features.error(series, at)[0, :, None]
    return replace(base, growth=_growth(off.clamp(max=WORST), known, steps))


def _growth(off: Tensor, known: Tensor, steps: Tensor) -> float:
    """The power of the periods ahead by which errors grow: the likeliest one of Laplace errors.

    Args:
        off: errors in those of smoothing, shape (cells, ahead).
        known: whether they are, shape (cells, ahead).
        steps: which of the periods ahead, from 0, shape (ahead,).
    """
    if not known.any():
        return Base.growth
    width = (steps + 1) ** _POWERS[:, None, None]  # (powers, 1, ahead)
    count = known.sum()
    factor = (off / width * known).sum(dim=(1, 2)) / count
    loss = factor.clamp(min=1e-6).log() + (width.log() * known).sum(dim=(1, 2)) / count
    return float(_POWERS[loss.argmin()])
