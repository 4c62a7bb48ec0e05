"""Shrinkage along the key columns: account, campaign, placement, ad, the most general first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from nestcast.data.keys import Keys
from nestcast.rates.shrinkage import PriorMethod, fit_concentration, pooled_rate

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Groups of series at each level: those that share the first column, the first two, and so on.

    Args:
        groups: group of each series at each level, shape (levels, series); at the last level each
            series is its own.
        names: the columns that groups of a level share.
    """

    groups: NDArray[np.int64]
    names: tuple[tuple[str, ...], ...]

    def sums(self, level: int, values: Values) -> Values:
        """The sum over each group, for each series, shape (series,)."""
        code = self.groups[level]
        return np.asarray(sums_of(code, values)[code])

    def only_child(self, level: int) -> NDArray[np.bool_]:
        """Whether a series' group is all that there is of the group above, shape (series,)."""
        if level == 0:
            return np.full(self.groups.shape[1], bool(self.groups[0].max(initial=0) == 0))
        above = self.groups[level - 1]
        pairs = np.unique(np.stack([above, self.groups[level]]), axis=1)[0]
        return np.asarray(np.bincount(pairs, minlength=above.max(initial=0) + 1)[above] == 1)

    def first_of_group(self, level: int) -> NDArray[np.int64]:
        """Position of one series of each group."""
        return np.unique(self.groups[level], return_index=True)[1]


def hierarchy_of(keys: Keys) -> Hierarchy:
    """The levels that key columns make, in their order.

    Example:
        >>> keys = Keys({"campaign": np.array([1, 1, 2]), "ad": np.array([7, 8, 7])})
        >>> hierarchy_of(keys).groups.tolist()
        [[0, 0, 1], [0, 1, 2]]
    """
    code = np.zeros(len(keys), np.int64)
    groups, names = [], []
    for at, name in enumerate(keys.names):
        values = np.unique(keys[name], return_inverse=True)[1]
        joined = code * (values.max(initial=0) + 1) + values
        code = np.unique(joined, return_inverse=True)[1].astype(np.int64)
        groups.append(code)
        names.append(keys.names[: at + 1])
    return Hierarchy(np.stack(groups), tuple(names))


def sums_of(code: NDArray[np.int64], values: Values) -> Values:
    """The sum over the rows of each group, from (series, ...) to (groups, ...)."""
    shape = (1 + code.max(initial=-1), len(code))
    adding = sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape)
    return np.asarray(adding @ values)


def fit_levels(
    hierarchy: Hierarchy, clicks: Values, impressions: Values, method: PriorMethod
) -> tuple[float, ...]:
    """How many impressions the group above counts for, at each level.

    Args:
        hierarchy: the groups.
        clicks, impressions: of each series, shape (series,).
        method: see `fit_prior`.
    """
    mean = np.full(len(clicks), pooled_rate(clicks, impressions))
    found = []
    for level in range(len(hierarchy.groups)):
        k, n = hierarchy.sums(level, clicks), hierarchy.sums(level, impressions)
        one = hierarchy.first_of_group(level)
        # Where a group is all of the one above, that it has the same rate tells nothing.
        one = one[~hierarchy.only_child(level)[one]]
        found.append(fit_concentration(k[one], n[one], mean[one], method) if len(one) else 1.0)
        mean = (k + found[-1] * mean) / (n + found[-1])
    return tuple(found)


def shrink(
    hierarchy: Hierarchy, concentrations: tuple[float, ...], clicks: Values, impressions: Values
) -> tuple[Values, Values]:
    """The rate of each series, drawn towards that of the groups it is in.

    From the most general group on, each takes the rate of the one above for as many impressions as
    the concentration of its level.

    Returns:
        Mean, and the share of `mean (1 - mean)` that is its variance, shape (series,) each: the
        posterior's, and for a series (or group) without impressions that of the levels below which
        nothing of it was seen.
    """
    mean = np.full(len(clicks), pooled_rate(clicks, impressions))
    share = np.zeros(len(clicks))
    for level, concentration in enumerate(concentrations):
        k, n = hierarchy.sums(level, clicks), hierarchy.sums(level, impressions)
        mean = (k + concentration * mean) / (n + concentration)
        # What is not known of the group above matters as far as this one's rate comes from it.
        inherited = (concentration / (n + concentration)) ** 2
        share = share * inherited + 1 / (concentration + n + 1)
    return mean, np.minimum(share, 0.999)
