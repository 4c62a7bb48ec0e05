"""Inputs of the network that forecasts click-through rates.

At each step they say what is known before a period: the rates of a series and of the groups that
it is in, over pasts of several lengths, each drawn towards the group above (see `hierarchy`). They
are differences of logits from the base, from which the network starts; and what these rates would
be if ads did not wear (see `wear`).

The base takes the rate of a group over a short past, and how a series differs from its group over
a longer one: what moves from day to day moves many ads together. Which group and which pasts do
best changes from month to month, and choosing by what was best lately is worse than not choosing:
the base is the mean of the logits of all such pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

from nestcast.data.panel import Panel
from nestcast.model.features import calendar_features
from nestcast.rates.hierarchy import Hierarchy, fit_levels, hierarchy_of
from nestcast.rates.wear import Wear, fit_wear

Values = NDArray[np.float64]

KEEPS = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0)  # a period counts so many times as much as the next
_LONG = (0.9, 1.0)  # pasts over which wear counts
_OLDEST = 30  # periods after which a series is no longer new
_FEW = 100  # values of a column that is embedded
_DOUBTFUL = 1.0  # impressions at the rate of all that are added to all


@dataclass(frozen=True)
class RateSchema:
    """The inputs; all of it fits into JSON.

    Args:
        vocabularies: column -> its values, whose positions are inputs.
        concentrations: impressions that the group above counts for, at each level of the keys.
        rate: the rate of everything that the model was fitted on.
        horizon: periods ahead.
        wear: how rates fall with what has been shown.
    """

    vocabularies: dict[str, list[Any]]
    concentrations: tuple[float, ...]
    rate: float
    horizon: int
    wear: Wear

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The schema that was saved."""
        concentrations, wear = tuple(values["concentrations"]), Wear(**values["wear"])
        return cls(**{**values, "concentrations": concentrations, "wear": wear})


def rate_schema_of(panel: Panel, horizon: int) -> RateSchema:
    """Learn from a panel how its rates are to be smoothed."""
    assert panel.exposure is not None
    clicks, shown = panel.target.sum(axis=1, dtype=float), panel.exposure.sum(axis=1, dtype=float)
    levels = fit_levels(hierarchy_of(panel.keys), clicks, shown, "likelihood")
    everything = float((clicks.sum() + 0.5) / (shown.sum() + 1))
    values = {name: np.unique(panel.keys[name]).tolist() for name in panel.keys.names}
    few = {name: found for name, found in values.items() if len(found) <= _FEW}
    wear = fit_wear(panel.target.astype(float), panel.exposure.astype(float))
    return RateSchema(few, levels, everything, horizon, wear)


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
        hierarchy = hierarchy_of(panel.keys)
        smoothed = [
            _smoothed(hierarchy, schema.concentrations, schema.rate, clicks, shown, keep)
            for keep in KEEPS
        ]
        logits = [[special.logit(rate) for rate in rates] for rates, _ in smoothed]
        base = _base(logits)
        self._base = torch.from_numpy(base.astype(np.float32))
        columns = [base, *(logit - base for one in logits for logit in one)]
        columns += [np.log1p(seen) for _, seen in smoothed]
        columns += self._unworn(hierarchy, clicks, shown, base)
        self._past = torch.from_numpy(np.stack(columns, axis=-1).astype(np.float32))
        self._calendar = torch.from_numpy(
            calendar_features(panel.calendar, schema.horizon, yearly=False)
        )

    def _unworn(
        self, hierarchy: Hierarchy, clicks: Values, shown: Values, base: Values
    ) -> list[Values]:
        """What long pasts say once wear is taken out and put back at its present state."""
        schema, worn = self.schema, self.schema.wear.before(shown)
        unworn = schema.wear.unworn(clicks, shown)
        found = [worn]
        for keep in _LONG:
            rates, _ = _smoothed(
                hierarchy, schema.concentrations, schema.rate, clicks, unworn, keep
            )
            found += [special.logit(rate) + worn - base for rate in rates[1:]]
        return found

    def sizes(self) -> tuple[int, int]:
        """How many features `past` and `ahead` give."""
        return self._past.shape[-1] + 2, self._calendar.shape[-1] + 1

    def level(self, rows: Tensor, periods: Tensor) -> Tensor:
        """Logit of the base before each period, shape (steps, batch)."""
        return self._base[rows, periods]

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


def _smoothed(
    hierarchy: Hierarchy,
    concentrations: tuple[float, ...],
    everything: float,
    clicks: Values,
    shown: Values,
    keep: float,
) -> tuple[list[Values], Values]:
    """Rates before each period over a fading past, from that of all to that of each series.

    Returns:
        For everything and each level the rates, and the impressions behind the last ones, all of
        shape (series, time + 1).
    """
    k, n = _faded(clicks, keep), _faded(shown, keep)
    rate = (k.sum(axis=0) + _DOUBTFUL * everything) / (n.sum(axis=0) + _DOUBTFUL)
    rates = [np.broadcast_to(rate, k.shape)]
    for level, concentration in enumerate(concentrations):
        some, all_ = (_over_groups(hierarchy.groups[level], one) for one in (k, n))
        rates.append((some + concentration * rates[-1]) / (all_ + concentration))
    return [np.clip(one, 1e-7, 1 - 1e-7) for one in rates], n


def _base(logits: list[list[Values]]) -> Values:
    """The mean over all ways to take a group over one past and its series over as long a one.

    Args:
        logits: by past, the shortest first, and level.
    """
    series = len(logits[0]) - 1
    pairs = [(short, long) for long in range(len(logits)) for short in range(long + 1)]
    total, count = np.zeros_like(logits[0][series]), 0
    for group in range(1, max(series, 2)):
        for short, long in pairs:
            if group > 1 and short == long:
                continue  # the same for every group
            total += logits[short][group] + logits[long][series] - logits[long][group]
            count += 1
    return np.asarray(total / count)


def _faded(values: Values, keep: float) -> Values:
    """Sums before each period, each counting `keep` times as much as the next."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    for period in range(values.shape[1]):
        sums[:, period + 1] = keep * sums[:, period] + values[:, period]
    return sums


def _over_groups(code: NDArray[np.int64], values: Values) -> Values:
    sums = np.zeros((code.max(initial=0) + 1, values.shape[1]))
    np.add.at(sums, code, values)
    return sums[code]
