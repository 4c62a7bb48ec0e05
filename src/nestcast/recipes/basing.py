"""Learning from the past how simple forecasts are to be weighed."""

from __future__ import annotations

import numpy as np
import torch

from nestcast.model.base import Base
from nestcast.model.features import Features

_CELLS = 20_000  # series-steps to learn from
_AHEAD = 6  # periods ahead of each, at most


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
    return Base.of(
        features.simple(series, at, steps)[0],
        features.scale(series, at)[0, :, None],
        steps / features.horizon,
        target[0],
        (known & (at[..., None] + steps < until))[0],
    )
