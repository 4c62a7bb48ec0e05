"""How sure a difference between models is: a bootstrap that draws whole items.

The series of an item err together (a new game sells in all shops or in none), and so do its months.
Drawing series one by one would pretend to more evidence than there is; drawing items, each with all
its series at all origins, does not (A. C. Cameron, J. B. Gelbach and D. L. Miller, "Bootstrap-based
improvements for inference with clustered errors", 2008, as pairs-cluster bootstrap).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.evaluation.scoring import is_pooled, value

Values = NDArray[np.float64]

_DRAWS_AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums of one run: its origin, model and seed, and for each cell its cluster and sums.

    Args:
        origin, model, seed: what ran.
        cluster: shape (cells,).
        sums: numerator and denominator, or what else `scoring.value` takes, shape (cells, sums).
    """

    origin: int
    model: str
    cluster: NDArray[np.generic]
    sums: Values
    seed: int = 0


@dataclass(frozen=True)
class Difference:
    """A model's mean metric, and how far it is from the reference's.

    Args:
        model, reference: the two.
        value: the model's metric, mean over origins and seeds.
        difference: value less the reference's; below 0 is better for errors.
        low, high: ends of the confidence interval of the difference.
        percent, percent_low, percent_high: the same in per cent of the reference's.
    """

    model: str
    reference: str
    value: float
    difference: float
    low: float
    high: float
    percent: float
    percent_low: float
    percent_high: float

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it: what cannot be told is None."""
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def differences(
    runs: Sequence[Sums],
    metric: str,
    reference: str,
    confidence: float = 95,
    draws: int = 1000,
    seed: int = 0,
    *,
    draw_seeds: bool = False,
) -> list[Difference]:
    """Percentile intervals of the differences of every model from the reference.

    Example:
        >>> item = np.array(["a", "b", "c", "d"])
        >>> error = np.array([[1.0, 1], [2, 1], [3, 1], [4, 1]])
        >>> runs = [Sums(0, "one", item, error), Sums(0, "two", item, error + [1, 0])]
        >>> one, two = differences(runs, "mae", reference="one")
        >>> two.difference, two.low, two.high
        (1.0, 1.0, 1.0)

    Args:
        runs: all models at all origins with all seeds; a metric is averaged over origins, seeds.
        metric: which, see `scoring.value`.
        reference: a model's name.
        confidence: of the interval, in per cent.
        draws: bootstrap samples; the same items are drawn for all models and origins.
        seed: of the draws.
        draw_seeds: draw the seeds too, for each model and origin by themselves, so that the
            interval is of models trained anew and not of those that were.
    """
    clusters, code = np.unique(np.concatenate([run.cluster for run in runs]), return_inverse=True)
    codes = np.split(code, np.cumsum([len(run.cluster) for run in runs])[:-1])
    # One column for each run and sum, (clusters, runs * sums).
    columns = [
        np.bincount(at, part, minlength=len(clusters))
        for at, run in zip(codes, runs, strict=True)
        for part in run.sums.T
    ]
    sums = np.stack(columns, axis=1)
    models = list(dict.fromkeys(run.model for run in runs))
    # A metric of all origins together is made from their sums, another one from each's.
    groups = [(run.model, run.seed, -1 if is_pooled(metric) else run.origin) for run in runs]
    together = list(dict.fromkeys(groups))
    of_group = [[i for i, group in enumerate(groups) if group == one] for one in together]
    of_model = {
        name: [i for i, (model, *_) in enumerate(together) if model == name] for name in models
    }

    alike: dict[tuple[str, int], list[int]] = {}  # runs that differ in their seed only
    for i, (model, _, origin) in enumerate(together):
        alike.setdefault((model, origin), []).append(i)
    rng = np.random.default_rng([seed, 1]) if draw_seeds else None

    def values(total: Values, rng: np.random.Generator | None = None) -> Values:
        """From (draws, runs * sums) to the mean metric of each model, (draws, models)."""
        by_run = total.reshape(len(total), len(runs), -1)
        each = value(metric, np.stack([by_run[:, at].sum(axis=1) for at in of_group], axis=1))
        if rng is not None:
            for at in alike.values():
                each[:, at] = over_drawn_seeds(each[:, at], rng)[:, None]
        return np.stack([_mean(each[:, of_model[name]]) for name in models], axis=1)

    point = values(sums.sum(axis=0)[None])[0]
    drawn = np.concatenate(
        [values(weights @ sums, rng) for weights in _draws(len(clusters), draws, seed)]
    )
    at = models.index(reference)
    away, drawn_away = point - point[at], drawn - drawn[:, at : at + 1]
    with np.errstate(divide="ignore", invalid="ignore"):  # a reference of 0 has no percentages
        relative, drawn_relative = away / point[at], drawn_away / drawn[:, at : at + 1]
    tail = (1 - confidence / 100) / 2
    low, high = _quantiles(drawn_away, tail)
    low_relative, high_relative = _quantiles(drawn_relative, tail)
    return [
        Difference(
            name,
            reference,
            *(float(v[i]) for v in (point, away, low, high)),
            *(float(100 * v[i]) for v in (relative, low_relative, high_relative)),
        )
        for i, name in enumerate(models)
    ]


def over_drawn_seeds(each: Values, rng: np.random.Generator) -> Values:
    """Means over seeds drawn with replacement, (draws,), from (draws, seeds).

    Their deviations are widened by sqrt(n / (n - 1)), since so few of them stand for all.
    """
    seeds = each.shape[1]
    mean: Values = each.mean(axis=1)
    if seeds == 1:
        return mean
    which = rng.integers(seeds, size=each.shape)
    away = np.take_along_axis(each, which, axis=1).mean(axis=1) - mean
    return np.asarray(mean + away * (seeds / (seeds - 1)) ** 0.5)


def _draws(clusters: int, draws: int, seed: int) -> Iterator[Values]:
    """How often each cluster is drawn, (draws, clusters) in parts."""
    rng = np.random.default_rng(seed)
    even = np.full(clusters, 1 / clusters)
    for done in range(0, draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - done)
        yield rng.multinomial(clusters, even, size=size).astype(np.float64)


def _mean(values: Values) -> Values:
    """The mean of each row over what is there, NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.where(
        count > 0, np.where(known, values, 0).sum(axis=1) / np.maximum(count, 1), np.nan
    )


def _quantiles(values: Values, tail: float) -> tuple[Values, Values]:
    known = [column[np.isfinite(column)] for column in values.T]
    ends = [np.quantile(one, [tail, 1 - tail]) if len(one) else [np.nan] * 2 for one in known]
    low, high = np.array(ends).T
    return low, high
