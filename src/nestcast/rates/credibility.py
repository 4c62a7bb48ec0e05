"""Rates of groups within groups, and what the values of a column bring to all of them.

A group's log-odds are drawn around those of the group above, and each part of it is one draw: an ad
shown a million times tells of its campaign hardly more than one shown ten thousand times. What a
value of a column brings wherever it comes up (a placement, say, in every campaign) is learned as
well, and with it what a campaign will have in a placement where it has not been yet.

Sources: W. S. Jewell, "The use of collateral data in credibility theory: a hierarchical model"
(1975); H. Bühlmann and A. Gisler, "A Course in Credibility Theory and its Applications" (2005),
chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize, special

from nestcast.data.keys import Keys
from nestcast.model.betabinomial import beta_binomial_log_prob
from nestcast.rates.hierarchy import hierarchy_of, sums_of
from nestcast.rates.shrinkage import pooled_rate

Values = NDArray[np.float64]
Codes = NDArray[np.int64]

_ROUNDS, _FITTING = 3, 5
_USUAL, _FREELY = np.log(5.0), 2.0  # logarithm of a strength before anything is seen, deviation
_BOUNDS = (-3.0, 14.0)  # of that logarithm
_EDGE = 1e-7  # of a rate


@dataclass(frozen=True)
class Strengths:
    """How alike rates are: for how many clicks counts what is known of others.

    Args:
        within: the group above, at each level: log-odds of its parts have a variance of about 1
            over this.
        across: that a value of each level's column brings nothing.
    """

    within: tuple[float, ...]
    across: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Level:
    """The groups of one level, in the order of their codes.

    Args:
        group: of each series.
        first: a series of each group.
        above: the group above each.
        value: of the level's column, for each group.
        compared: whether there is another part of the group above.
        crossed: whether values come up in several groups of the level above.
    """

    group: Codes
    first: Codes
    above: Codes
    value: Codes
    compared: NDArray[np.bool_]
    crossed: bool


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is known of the groups of a level, shape (groups, times) each.

    Args:
        clicks, missed: impressions with and without a click, were there no effects of values.
        prior, rate: of the group above and their own, likewise.
        counted: the share of what was seen that counts for the group above.
    """

    clicks: Values
    missed: Values
    prior: Values
    rate: Values
    counted: Values


class Credibility:
    """Rates of series and of their groups, at many times at once.

    Example:
        >>> keys = Keys({"campaign": np.array([1, 1, 1]), "ad": np.array([1, 2, 3])})
        >>> clicks, shown = np.array([[90_000.0], [10], [10]]), np.array([[1e6], [1000], [1000]])
        >>> model = Credibility(keys, Strengths((5.0, 5.0), (5.0, 5.0)), 0.01)
        >>> found = model.log_odds(clicks, shown - clicks, model.effects(clicks, shown - clicks))
        >>> special.expit(found[1:, :, 0]).round(3)  # of the campaign, and of ads
        array([[0.039, 0.039, 0.039],
               [0.09 , 0.013, 0.013]])

    Args:
        keys: of the series; their columns make groups, the most general first.
        strengths: how alike these are.
        rate: what stands for the rate of all before anything is seen.
    """

    def __init__(self, keys: Keys, strengths: Strengths, rate: float) -> None:
        self._levels, self._strengths, self._rate = _levels_of(keys), strengths, rate

    def effects(self, clicks: Values, missed: Values) -> list[Values]:
        """What values of columns bring to log-odds, shape (values, times) for each column.

        Args:
            clicks, missed: impressions with and without a click, shape (series, times).
        """
        effects = _no_effects(self._levels, clicks.shape[1])
        self._seen(clicks, missed, effects, learn=True)
        return effects

    def log_odds(self, clicks: Values, missed: Values, effects: Sequence[Values]) -> Values:
        """Of everything, of the groups at each level and of the series themselves.

        Args:
            clicks, missed: as for `effects`.
            effects: see there.

        Returns:
            Shape (1 + levels, series, times).
        """
        seen = self._seen(clicks, missed, list(effects))
        found = np.empty((1 + len(seen), *clicks.shape))
        found[0] = special.logit(seen[0].prior[:1])
        brought = np.zeros_like(clicks)
        for at, (level, one) in enumerate(zip(self._levels, seen, strict=True)):
            if level.crossed:
                brought += effects[at][level.value][level.group]
            found[1 + at] = special.logit(one.rate)[level.group] + brought
        edge = special.logit(1 - _EDGE)
        return found.clip(-edge, edge)

    def _seen(
        self, clicks: Values, missed: Values, effects: list[Values], learn: bool = False
    ) -> list[_Seen]:
        """What is known of groups; with `learn` effects are changed as well."""
        priors = [np.full((1, clicks.shape[1]), self._rate) for _ in self._levels]
        for _ in range(_ROUNDS):
            seen = _look(self._levels, self._strengths, self._rate, clicks, missed, effects, priors)
            priors = [one.prior for one in seen]
            if learn:
                for at, level in enumerate(self._levels):
                    if level.crossed:
                        values = _of_values(level, seen[at], effects[at])
                        effects[at] = _effects(*values, self._strengths.across[at])
        return seen


def fit_strengths(keys: Keys, clicks: Values, missed: Values) -> Strengths:
    """How alike rates are, where what happened is most likely.

    Args:
        keys: of the series.
        clicks, missed: impressions with and without a click, shape (series,).
    """
    k, m = clicks[:, None], missed[:, None]
    levels, rate = _levels_of(keys), pooled_rate(clicks, clicks + missed)
    within, across = ([float(np.exp(_USUAL))] * len(levels) for _ in range(2))
    effects, priors = _no_effects(levels, 1), [np.full((1, 1), rate)] * len(levels)
    for _ in range(_FITTING):
        seen = _look(levels, Strengths(tuple(within), tuple(across)), rate, k, m, effects, priors)
        priors = [one.prior for one in seen]
        for at, (level, one) in enumerate(zip(levels, seen, strict=True)):
            within[at] = _fit_within(one, level.compared)
            if level.crossed:
                values = _of_values(level, one, effects[at])
                across[at] = _fit_across(*values)
                effects[at] = _effects(*values, across[at])
    return Strengths(tuple(within), tuple(across))


def _levels_of(keys: Keys) -> list[_Level]:
    hierarchy, levels = hierarchy_of(keys), []
    for at, name in enumerate(keys.names):
        group, first = hierarchy.groups[at], hierarchy.first_of_group(at)
        above = hierarchy.groups[at - 1][first] if at else np.zeros(len(first), np.int64)
        value = np.unique(keys[name], return_inverse=True)[1][first]
        crossed = at > 0 and len(np.unique(value)) < len(value)
        compared = ~hierarchy.only_child(at)[first]
        levels.append(_Level(group, first, above, value, compared, crossed))
    return levels


def _no_effects(levels: Sequence[_Level], times: int) -> list[Values]:
    return [np.zeros((1 + level.value.max(initial=0), times)) for level in levels]


def _look(
    levels: Sequence[_Level],
    strengths: Strengths,
    rate: float,
    clicks: Values,
    missed: Values,
    effects: Sequence[Values],
    priors: Sequence[Values],
) -> list[_Seen]:
    """One way up, on which groups are summed, and one down, on which they are drawn together.

    Args:
        priors: rates of the groups above that shares on the way up are computed with.
    """
    brought = sum(
        effects[at][level.value][level.group] for at, level in enumerate(levels) if level.crossed
    )
    of_series = levels[-1].first
    k, m = clicks[of_series], (missed * np.exp(brought))[of_series]
    up = []
    for level, within, prior in zip(
        reversed(levels), reversed(strengths.within), reversed(priors), strict=True
    ):
        counts_for = within / (prior * (1 - prior))
        counted = counts_for / (k + m + counts_for)
        up.append((level, within, k, m, counted))
        k, m = (sums_of(level.above, counted * one) for one in (k, m))
    found, above = [], ((k + rate) / (k + m + 1)).clip(_EDGE, 1 - _EDGE)
    for level, within, k, m, counted in reversed(up):
        prior = above[level.above]
        counts_for = within / (prior * (1 - prior))
        above = ((k + counts_for * prior) / (k + m + counts_for)).clip(_EDGE, 1 - _EDGE)
        found.append(_Seen(k, m, prior, above, counted))
    return found


def _of_values(level: _Level, seen: _Seen, effects: Values) -> tuple[Values, Values]:
    """Clicks of each value of a column, and those expected if it brought nothing."""
    odds = seen.prior / (1 - seen.prior)
    expected = seen.missed * np.exp(-effects[level.value]) * odds
    return (
        sums_of(level.value, seen.counted * seen.clicks),
        sums_of(level.value, seen.counted * expected),
    )


def _effects(clicks: Values, expected: Values, strength: float) -> Values:
    return np.asarray(np.log((clicks + strength) / (expected + strength)))


def _fit_within(seen: _Seen, compared: NDArray[np.bool_]) -> float:
    """Strength under which what groups had is most likely, given those above."""
    some = compared & ((seen.clicks + seen.missed)[:, 0] > 0)
    k, m, p = (torch.from_numpy(one[some, 0]) for one in (seen.clicks, seen.missed, seen.prior))

    def log_prob(strength: float) -> float:
        alpha, beta = strength / (1 - p), strength / p
        return float(beta_binomial_log_prob(k, k + m, alpha, beta).sum())

    return _most_likely(log_prob)


def _fit_across(clicks: Values, expected: Values) -> float:
    """Strength under which what values had is most likely: Poisson counts of gamma rates."""
    some = expected > 0
    k, e = clicks[some], expected[some]

    def log_prob(strength: float) -> float:
        gammas = special.gammaln(k + strength) - special.gammaln(strength)
        odds = strength * np.log(strength / (strength + e)) + special.xlogy(k, e / (strength + e))
        return float((gammas + odds).sum())

    return _most_likely(log_prob)


def _most_likely(log_prob: Callable[[float], float]) -> float:
    def loss(log_strength: float) -> float:
        prior = ((log_strength - _USUAL) / _FREELY) ** 2 / 2
        return float(prior) - log_prob(float(np.exp(log_strength)))

    found = optimize.minimize_scalar(loss, bounds=_BOUNDS, method="bounded")
    return float(np.exp(found.x))
