"""Inputs of the network that forecasts click-through rates.

At each step they say what is known before a period: the rates of a series and of the groups that
it is in, over pasts of several lengths, each drawn towards the group above (see `credibility`) and
as if ads did not wear (see `wear`). They are differences of log-odds from the base, from which the
network starts.

The base takes the rate of a series over a past, and how its groups have moved from there over one
that is not longer: what moves from day to day moves many ads together. Which group and which pasts
do best changes from month to month, and choosing by what was best lately is worse than not
choosing: the base is the mean of all such pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.model.features import calendar_features
from nestcast.rates.credibility import Credibility, Strengths, fit_strengths
from nestcast.rates.hierarchy import hierarchy_of, sums_of
from nestcast.rates.shrinkage import pooled_rate
from nestcast.rates.wear import Wear, fit_wear

Values = NDArray[np.float64]

KEEPS = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)  # a period counts so many times as much as the next
_OLDEST = 30  # periods after which a series is no longer new
_FEW = 100  # values of a column that is embedded
_LATELY, _NOTHING = 0.8, 1e-3  # the past that tells how much is shown; the least that tells
_UNMOVED = 300.0  # clicks that a group counts for to move as that above


@dataclass(frozen=True)
class RateSchema:
    """The inputs; all of it fits into JSON.

    Args:
        vocabularies: column -> its values, whose positions are inputs.
        strengths: how alike rates are.
        rate: of everything that the model was fitted on, as if nothing were worn.
        horizon: periods ahead.
        wear: how rates fall with what has been shown.
    """

    vocabularies: dict[str, list[Any]]
    strengths: Strengths
    rate: float
    horizon: int
    wear: Wear

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The schema that was saved."""
        within, across = (tuple(values["strengths"][name]) for name in ("within", "across"))
        nested = {"strengths": Strengths(within, across), "wear": Wear(**values["wear"])}
        return cls(**{**values, **nested})


def rate_schema_of(panel: Panel, horizon: int) -> RateSchema:
    """Learn from a panel how its rates are to be smoothed."""
    assert panel.exposure is not None
    clicks, shown = panel.target.astype(np.float64), panel.exposure.astype(np.float64)
    wear = fit_wear(clicks, shown)
    missed = (wear.unworn(clicks, shown) - clicks).sum(axis=1)
    clicks = clicks.sum(axis=1)
    values = {name: np.unique(panel.keys[name]).tolist() for name in panel.keys.names}
    return RateSchema(
        {name: found for name, found in values.items() if len(found) <= _FEW},
        fit_strengths(panel.keys, clicks, missed),
        pooled_rate(clicks, clicks + missed),
        horizon,
        wear,
    )


class RateFeatures:
    """Features and targets of a panel at any step; see `model.features.Features`.

    Args:
        panel: with an exposure.
        schema: how to make them.
    """

    def __init__(self, panel: Panel, schema: RateSchema) -> None:
        assert panel.exposure is not None
        self.schema, self.horizon = schema, schema.horizon
        self.freq, self.length = panel.calendar.freq, len(panel.calendar)
        self.start = torch.from_numpy(panel.start.astype(np.int64))
        self.power = 1.0
        clicks, shown = panel.target.astype(np.float64), panel.exposure.astype(np.float64)
        self._clicks, self._shown = torch.from_numpy(panel.target), torch.from_numpy(panel.exposure)
        unworn = schema.wear.unworn(clicks, shown)
        pasts = [(_faded(clicks, keep), _faded(unworn - clicks, keep)) for keep in KEEPS]
        rates = Credibility(panel.keys, schema.strengths, schema.rate)
        effects = rates.effects(*pasts[-1])
        odds = [rates.log_odds(*past, effects) for past in pasts]
        base = _base([one[-1] for one in odds], pasts, panel.keys)
        worn = schema.wear.before(shown)
        seen = [np.log1p(_faded(shown, keep)) for keep in KEEPS]
        columns = [base + worn, *(one - base for past in odds for one in past), *seen, worn]
        self._past = _floats(np.stack(columns, axis=-1))
        self._base = _floats(base)
        self._so_far = _floats(np.cumsum(np.pad(shown, ((0, 0), (1, 0))), axis=1))
        self._usual = _floats(_usually(shown))
        self._calendar = torch.from_numpy(
            calendar_features(panel.calendar, schema.horizon, yearly=False)
        )

    def sizes(self) -> tuple[int, int]:
        """How many features `past` and `ahead` give."""
        return self._past.shape[-1] + 2, self._calendar.shape[-1] + 1

    def level(self, rows: Tensor, periods: Tensor, steps: Tensor) -> Tensor:
        """Logit of the base in the periods ahead, shape (steps, batch, ahead).

        Ads go on to wear until then, by what is usually shown of them.
        """
        before = self._so_far[rows, periods][..., None]
        usual = self._usual[rows, periods][..., None]
        wear = self.schema.wear
        worn = wear.slope * torch.log1p((before + steps * usual) / wear.scale)
        return self._base[rows, periods][..., None] + worn

    def exposure(self, rows: Tensor, periods: Tensor, steps: Tensor) -> Tensor:
        """Impressions in the periods ahead, 0 where unknown, shape (steps, batch, ahead)."""
        at = periods[..., None] + steps
        inside = at < self.length
        series = rows[:, None].expand_as(at)
        return torch.where(inside, self._shown[series, at.clamp(max=self.length - 1)], 0.0)

    def past(self, rows: Tensor, periods: Tensor) -> Tensor:
        """What each step knows of the past, shape (steps, batch, features)."""
        age = (periods - self.start[rows]).clamp(min=0, max=_OLDEST)
        extra = torch.stack([age.float().log1p(), (age == 0).float()], dim=-1)
        return torch.cat([self._past[rows, periods], extra], dim=-1)

    def ahead(self, rows: Tensor, periods: Tensor, steps: Tensor) -> Tensor:
        """What each step knows of the periods ahead, shape (steps, batch, ahead, features)."""
        target = periods[..., None] + steps
        far = (steps.float() / self.schema.horizon).expand_as(target)[..., None]
        return torch.cat([far, self._calendar[target]], dim=-1)

    def targets(self, rows: Tensor, periods: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Clicks in the periods ahead, and whether there were impressions that could tell."""
        shown = self.exposure(rows, periods, steps) > 0
        at = (periods[..., None] + steps).clamp(max=self.length - 1)
        clicks = self._clicks[rows[:, None].expand_as(at), at]
        return torch.where(shown, clicks, 0.0), shown


def _base(odds: Sequence[Values], pasts: Sequence[tuple[Values, Values]], keys: Keys) -> Values:
    """Log-odds of series over a past, moved as their groups over one that is not longer.

    Args:
        odds: of the series over each past, the shortest first.
        pasts: clicks of series, and impressions without a click.
        keys: of the series.
    """
    groups = hierarchy_of(keys).groups
    groups = groups[: max(1, len(groups) - 1)]
    total, count = np.zeros_like(odds[0]), 0
    for short, (clicks, missed) in enumerate(pasts):
        had = [sums_of(code, clicks)[code] for code in groups]
        for of_series in odds[short:]:
            expected = missed * np.exp(of_series)
            moved = (clicks.sum(axis=0) + _UNMOVED) / (expected.sum(axis=0) + _UNMOVED)
            for code, clicked in zip(groups, had, strict=True):
                moved = (clicked + _UNMOVED * moved) / (sums_of(code, expected)[code] + _UNMOVED)
                total += of_series + np.log(moved)
                count += 1
    return total / count


def _usually(shown: Values) -> Values:
    """Impressions in a period before each one; of new series, as many as others usually have."""
    sums, count = _faded(shown, _LATELY), _faded((shown > 0).astype(np.float64), _LATELY)
    mean = sums / np.maximum(count, _NOTHING)
    runs = count > _NOTHING
    logs = np.log1p(mean).sum(axis=0, where=runs) / np.maximum(runs.sum(axis=0), 1)
    return np.where(runs, mean, np.expm1(logs))


def _floats(values: Values) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _faded(values: Values, keep: float) -> Values:
    """Sums before each period, each counting `keep` times as much as the next."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    for period in range(values.shape[1]):
        sums[:, period + 1] = keep * sums[:, period] + values[:, period]
    return sums
