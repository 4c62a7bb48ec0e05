"""How sure a difference between two cells is, given few seeds and a test text of many pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nestcast.evaluation.bootstrap import over_drawn_seeds
from nestcast.lab.runs import Units

_AT_ONCE = 100


@dataclass(frozen=True)
class Difference:
    """How far a cell's loss is from another's, in nats per character.

    Example:
        >>> print(Difference("nested:2", "lstm:1", 0.004, -0.01, 0.02))
        nested:2 and lstm:1: no difference shown (+0.004 nats, 95% interval -0.010 to +0.020)
        >>> print(Difference("nested:2", "lstm:1", 0.031, 0.02, 0.04))
        nested:2 is worse than lstm:1 (+0.031 nats, 95% interval +0.020 to +0.040)

    Args:
        cell, other: the two.
        value: the first's loss less the second's; below 0 the first is better.
        low, high: ends of the interval.
        confidence: of the interval, in per cent.
    """

    cell: str
    other: str
    value: float
    low: float
    high: float
    confidence: float = 95

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        numbers = (
            f"({self.value:+.3f} nats, {self.confidence:g}% interval "
            f"{self.low:+.3f} to {self.high:+.3f})"
        )
        if not self.shown:
            return f"{self.cell} and {self.other}: no difference shown {numbers}"
        word = "better" if self.value < 0 else "worse"
        return f"{self.cell} is {word} than {self.other} {numbers}"


def differences(
    scores: Mapping[str, Sequence[Units]], confidence: float = 95, draws: int = 2000, seed: int = 0
) -> list[Difference]:
    """Percentile intervals of the differences of every pair of cells.

    Pieces of the text are drawn with replacement, the same ones for all cells, because a hard
    line is hard for every cell; seeds are drawn for each cell by itself, and their deviations are
    widened by sqrt(n / (n - 1)), since so few of them stand for all.

    Args:
        scores: by cell, for each seed the sums of losses and characters, shape (pieces, 2).
        confidence: of the intervals, in per cent.
        draws: bootstrap samples.
        seed: of the draws.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 6 and 8.
    """
    rng = np.random.default_rng(seed)
    cells = list(scores)
    pieces = len(scores[cells[0]][0])
    # (pieces, seeds) of each cell, and the characters, which are the same for all
    losses = {cell: np.stack([one[:, 0] for one in scores[cell]], axis=1) for cell in cells}
    characters = scores[cells[0]][0][:, 1]
    drawn: dict[str, list[np.ndarray]] = {cell: [] for cell in cells}
    for done in range(0, draws, _AT_ONCE):
        size = min(_AT_ONCE, draws - done)
        weights = rng.multinomial(pieces, np.full(pieces, 1 / pieces), size=size).astype(float)
        for cell in cells:
            each = (weights @ losses[cell]) / (weights @ characters)[:, None]  # (draws, seeds)
            drawn[cell].append(over_drawn_seeds(each, rng))
    means = {cell: float(losses[cell].mean(axis=1).sum() / characters.sum()) for cell in cells}
    tail = (1 - confidence / 100) / 2
    found = []
    for second, other in enumerate(cells):
        for cell in cells[second + 1 :]:
            away = np.concatenate(drawn[cell]) - np.concatenate(drawn[other])
            low, high = np.quantile(away, [tail, 1 - tail])
            value = means[cell] - means[other]
            found.append(Difference(cell, other, value, float(low), float(high), confidence))
    return found
