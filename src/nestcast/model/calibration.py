"""Making intervals hold: what the model's probabilities turned out to be worth on past periods.

A model that was trained without the last periods is asked how probable each truth there was (the
probability integral transform). Whatever share of truths fell below its 10% quantile is then what
"10%" is replaced by: distributional conformal prediction, by classes of volume.

V. Chernozhukov, K. Wuthrich and Y. Zhu, "Distributional conformal prediction" (2021). Counts are
spread over the probability of the count seen, as in C. Czado, T. Gneiting and L. Held, "Predictive
model assessment for count data" (2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

Doubles = NDArray[np.float64]

_CLASSES = 4  # of volume
_FEWEST = 200  # truths that a class needs for a curve of its own
_DOUBT = 13  # periods of truths that count as much as no correction at all
_TAIL = [0, 0.005, 0.01, 0.025]
_KNOTS = np.array([*_TAIL, *np.arange(1, 20) / 20, *(1 - t for t in reversed(_TAIL))])


@dataclass(frozen=True)
class Calibration:
    """Curves from the probability asked for to the one to ask of the model.

    Args:
        edges: sizes that part the classes of volume, ascending.
        curves: of each class, values at the knots.
        correlation: of the normal scores of one series in consecutive periods ahead.
    """

    edges: tuple[float, ...] = ()
    curves: tuple[tuple[float, ...], ...] = (tuple(_KNOTS.tolist()),)
    correlation: float = 0.0

    @classmethod
    def of(cls, pit: Doubles, size: Doubles, origin: NDArray[np.int64]) -> Self:
        """Learn from the past.

        What moves all series of a period together does not average out over them, so periods
        tell how much is known, not cells.

        Example:
            >>> too_narrow = np.clip(np.random.default_rng(1).normal(0.5, 0.4, 9000), 0, 1)
            >>> curve = Calibration.of(too_narrow[:, None], np.ones(9000), np.arange(9000) % 90)
            >>> wider = curve.probabilities(np.array([0.1, 0.5, 0.9]), np.ones(1))
            >>> bool(wider[0, 0] < 0.05), bool(wider[0, 2] > 0.95)
            (True, True)

        Args:
            pit: probability of each truth or less, NaN where it is unknown, shape
                (cells, periods ahead).
            size: of each series, shape (cells,).
            origin: the first period ahead, shape (cells,).
        """
        edges = np.unique(np.quantile(size, np.arange(1, _CLASSES) / _CLASSES))
        which = np.searchsorted(edges, size)
        overall = _curve(pit[np.isfinite(pit)], _KNOTS)
        curves = []
        for one in range(len(edges) + 1):
            members = pit[which == one]
            curves.append(_curve(members[np.isfinite(members)], overall))
        period = origin[:, None] + np.arange(pit.shape[1])
        periods = len(np.unique(period[np.isfinite(pit)]))
        weight = periods / (periods + _DOUBT)
        drawn = [tuple((weight * one + (1 - weight) * _KNOTS).tolist()) for one in curves]
        scores = special.ndtri(np.clip(pit, 1e-4, 1 - 1e-4))
        return cls(tuple(float(e) for e in edges), tuple(drawn), _correlation(scores))

    def probabilities(self, wanted: Doubles, size: Doubles) -> Doubles:
        """What to ask of the model.

        Args:
            wanted: probabilities, broadcast to (cells, n).
            size: of each series, shape (cells,).

        Returns:
            Shape (cells, n).
        """
        which = np.searchsorted(np.asarray(self.edges), size)
        wanted = np.broadcast_to(wanted, (len(size), np.shape(wanted)[-1]))
        found = np.empty(wanted.shape)
        for one, curve in enumerate(self.curves):
            found[which == one] = np.interp(wanted[which == one], _KNOTS, curve)
        return found

    def uniforms(
        self, cells: int, horizon: int, count: int, generator: np.random.Generator
    ) -> Doubles:
        """Uniform numbers that hang together over the periods ahead, (cells, horizon, count)."""
        noise = generator.standard_normal((cells, horizon, count))
        kept = self.correlation
        for step in range(1, horizon):
            noise[:, step] = kept * noise[:, step - 1] + (1 - kept**2) ** 0.5 * noise[:, step]
        return np.asarray(special.ndtr(noise))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The calibration that was saved."""
        curves = tuple(tuple(curve) for curve in values["curves"])
        return cls(tuple(values["edges"]), curves, values["correlation"])


def spread_over(below: Doubles, upto: Doubles, generator: np.random.Generator) -> Doubles:
    """A uniform draw between P(Y < y) and P(Y <= y), which is uniform if the model is right."""
    return np.asarray(below + generator.random(below.shape) * (upto - below))


def _curve(pit: Doubles, prior: Doubles) -> Doubles:
    """Quantiles of the transform at the knots, drawn to a prior where there are few."""
    if len(pit) == 0:
        return np.asarray(prior)
    found = np.quantile(pit, _KNOTS)
    found[0], found[-1] = 0.0, 1.0
    weight = len(pit) / (len(pit) + _FEWEST)
    return np.asarray(weight * found + (1 - weight) * np.asarray(prior))


def _correlation(scores: Doubles) -> float:
    """Of neighbours along the last axis, at least 0."""
    one, other = scores[:, :-1], scores[:, 1:]
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < _FEWEST:
        return 0.0
    return float(np.clip(np.corrcoef(one[both], other[both])[0, 1], 0.0, 0.99))
