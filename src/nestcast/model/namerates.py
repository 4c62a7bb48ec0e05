"""What an item will sell when it is new, from the words of its name.

At every period a ridge regression (A. E. Hoerl and R. W. Kennard, "Ridge regression", 1970) learns
from the items that were new before what single words, pairs of neighbours and categories are worth.
An item keeps the rate that it was given in the period in which it appeared.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from nestcast.data.keys import Column
from nestcast.data.panel import Panel
from nestcast.model.groups import Grouping
from nestcast.model.groupsums import GroupMeans, Sparse
from nestcast.model.nameparts import words_of

_PENALTY = 3.0  # items; what is new of a word counts by n / (n + about that)
_COLUMN_WEIGHT = 0.5  # of a category, squared, where all the words of a name weigh 1
_MOST_FITS = 60
_HALF_LIFE = 2.0  # years, after which what an item sold weighs half as much


def name_rates(
    panel: Panel, item: str, listed: NDArray[np.int64], means: GroupMeans, values: Sparse
) -> NDArray[np.float32]:
    """The rate at which each item was to be expected to sell in its first period.

    Args:
        panel: with attributes of its items.
        item: key column of the items.
        listed: the period in which each distinct item first sold, or one after the last,
            shape (items,).
        means: of the panel.
        values: what was sold, (series, time).

    Returns:
        Units per series, shape (items,); 0 for items of the first two periods, before which
        nothing was new.
    """
    length = len(panel.calendar)
    listed = np.minimum(listed, length)
    of_series = Grouping(panel).key(item)[1]
    new = means.sums(values, (item,), (item, listed[of_series]))
    sold = np.zeros(len(listed))
    sold[of_series] = new.means().sum(axis=1)[new.code]  # 0 but in the first period
    words, alone = _documents(panel, item)
    return _walked(words, alone, listed, sold, length, panel.calendar.year)


def has_names(panel: Panel, item: str) -> bool:
    """Whether items have names, mostly different ones."""
    known = panel.attributes.get(item)
    return known is not None and any(map(_is_name, known.columns.values()))


def _is_name(values: Column) -> bool:
    return values.dtype.kind in "UO" and 2 * len(set(values.tolist())) > len(values)


def _walked(
    words: sparse.csr_matrix,
    alone: NDArray[np.float64],
    listed: NDArray[np.int64],
    sold: NDArray[np.float64],
    length: int,
    year: int,
) -> NDArray[np.float32]:
    """Rates by a regression at every period on the items that were new before.

    Args:
        words: terms of each item that others have too, shape (items, terms).
        alone: sum of the squares of its other terms, shape (items,).
        listed, sold: see `name_rates`.
        length: periods known.
        year: periods in a year.
    """
    rates = np.zeros(len(listed), np.float32)
    coefficients = np.zeros(words.shape[1])
    fits = sorted({*range(length, 1, -max(1, -(-length // _MOST_FITS)))})
    for begin, end in zip(fits, [*fits[1:], length + 1], strict=True):
        before = np.flatnonzero((listed > 0) & (listed < begin))
        asked = np.flatnonzero((listed >= begin) & (listed < end))
        if not len(before) or not len(asked):
            continue
        weight = 0.5 ** ((begin - listed[before]) / (_HALF_LIFE * year))
        usual = float(np.average(sold[before], weights=weight))
        # A term that one item has takes part of that item's error on itself, and nothing else.
        weight = weight / (1 + weight * alone[before] / _PENALTY)
        coefficients = _ridge(words[before], sold[before] - usual, weight, coefficients)
        rates[asked] = np.maximum(usual + words[asked] @ coefficients, 0)
    return rates


def _ridge(
    x: sparse.csr_matrix,
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Coefficients with the least sum of weighted squared errors and penalty."""
    transposed = x.T.tocsr()

    def normal(b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(transposed @ (weight * (x @ b)) + _PENALTY * b)

    operator = LinearOperator((x.shape[1],) * 2, matvec=normal, dtype=np.float64)
    return np.asarray(cg(operator, transposed @ (weight * y), x0=start, rtol=1e-3, maxiter=200)[0])


def _documents(panel: Panel, item: str) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """Words, pairs of neighbours and values of other columns of each item.

    Returns:
        The terms that several items have, shape (items, terms), and for each item the sum of the
        squares of those that only it has, shape (items,).
    """
    grouping = Grouping(panel)
    parts = []
    for name, column in panel.attributes[item].columns.items():
        values = grouping.column(name)
        if _is_name(column):
            parts.append(_bags(values))
        else:
            code = np.unique(values, return_inverse=True)[1]
            at = np.arange(len(values)), code
            parts.append(sparse.csr_matrix((np.full(len(values), _COLUMN_WEIGHT**0.5), at)))
    every = sparse.hstack(parts).tocsc()
    shared = np.diff(every.indptr) > 1
    alone = every[:, ~shared].power(2).sum(axis=1)
    return every[:, shared].tocsr(), np.asarray(alone, np.float64).ravel()


def _bags(names: Column) -> sparse.csr_matrix:
    """Which words and pairs of neighbours each name has, as rows of length 1."""
    terms: dict[str, int] = {}
    row, column = [], []
    for number, name in enumerate(names):
        words = words_of(str(name))
        found = dict.fromkeys([*words, *map(" ".join, pairwise(words))])
        column += [terms.setdefault(term, len(terms)) for term in found]
        row += [number] * len(found)
    has = np.bincount(row, minlength=len(names)).astype(float)
    value = has[row] ** -0.5
    return sparse.csr_matrix((value, (row, column)), shape=(len(names), max(1, len(terms))))
