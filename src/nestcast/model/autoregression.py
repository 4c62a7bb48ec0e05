"""What each shop is expected to sell of an item, given what every shop sold of it before.

A vector autoregression (C. A. Sims, "Macroeconomics and Reality", 1980): each shop has coefficients
for what all shops sold of an item in the last two periods, found by ridge regression over items and
periods. It knows which shops are ahead of which and who buys alike, which means over shops do not.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from nestcast.data.keys import numbered
from nestcast.data.panel import Panel
from nestcast.model.groups import shop_codes
from nestcast.model.groupsums import Sparse

_AGES = 3  # items new in the last period, new in the one before, and older: they fall unlike
_PENALTY = 300.0  # on squared coefficients
_LEAST_VARIANCE = 0.5  # of what sells nearly nothing; else it grows with what is sold
_STEADY = 50.0  # units added on both sides of a ratio of sums, which else rests on few
_BULK = 20.0  # times the mean of what was sold where anything was: more counts as that
_MOST_SHOPS = 100


def has_shops(panel: Panel, item: str) -> bool:
    """Whether there are several shops, and few enough to give each its coefficients."""
    return 1 < len(set(shop_codes(panel, item).tolist())) <= _MOST_SHOPS


def expected_by_shop(
    panel: Panel, item: str, listed: NDArray[np.int64], values: Sparse
) -> NDArray[np.float32]:
    """What each series was expected to sell in each period, at the level of the periods before.

    How much all items together rise or fall from one period to the next is taken out of what the
    regressions learn, so they say how shops and items differ.

    Args:
        panel: the series.
        item: key column of the items; the other keys say which shop it is.
        listed: the period in which each distinct item first sold, shape (items,).
        values: what was sold, (series, time).

    Returns:
        Units, shape (series, time + 1), each from the periods before; 0 for items of which nothing
        was sold in the last two periods, and where there was nothing yet to learn from.
    """
    shop, of_item = shop_codes(panel, item), numbered(panel.keys[item])[1]
    shape = len(listed), int(shop.max(initial=-1)) + 1
    sold = _by_period(values, of_item, shop, shape)
    none = sparse.csr_matrix(shape, dtype=np.float32)
    expected = np.zeros((len(shop), values.length + 1), np.float32)
    regressions = [Ridge(2 * shape[1] + 1, shape[1], panel.calendar.year) for _ in range(_AGES)]
    for period in range(1, values.length + 1):
        lagged = sparse.hstack([sold[period - 1], sold[period - 2] if period > 1 else none]).tocsr()
        items = np.flatnonzero(lagged.getnnz(axis=1))
        x = np.hstack([lagged[items].toarray(), np.ones((len(items), 1))])
        age = np.minimum(period - listed[items], _AGES) - 1
        found = np.zeros((shape[0], shape[1]), np.float32)
        for number, regression in enumerate(regressions):
            found[items[age == number]] = regression(x[age == number])
        expected[:, period] = found[of_item, shop]
        if period == values.length:
            break
        last, y = x[:, : shape[1]], sold[period][items].toarray()
        before, now = (max(one[age > 0].sum(), 0) + _STEADY for one in (last, y))
        are_open = max(np.count_nonzero(last.any(axis=0)), 1)
        weight = 1 / (_LEAST_VARIANCE + np.abs(last).sum(axis=1) / are_open)
        for number, regression in enumerate(regressions):
            of_age = age == number
            regression.learn(x[of_age], y[of_age] * (before / now), weight[of_age])
    return expected


class Ridge:
    """A ridge regression that learns one period after another and slowly forgets.

    Args:
        inputs, outputs: how many.
        half_life: periods after which what was learned counts half as much.
    """

    def __init__(self, inputs: int, outputs: int, half_life: float) -> None:
        self._gram = np.zeros((inputs, inputs))
        self._moment = np.zeros((inputs, outputs))
        self._kept = 0.5 ** (1 / half_life)

    def learn(
        self, x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
    ) -> None:
        """Learn from another period: inputs (n, inputs), outputs (n, outputs), weights (n,)."""
        weighted = (x * weight[:, None]).T
        self._gram = self._kept * self._gram + weighted @ x
        self._moment = self._kept * self._moment + weighted @ y

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is expected, not less than 0, shape (n, outputs)."""
        gram = self._gram + _PENALTY * np.eye(len(self._gram))
        return np.maximum(x @ np.linalg.solve(gram, self._moment), 0)


def _by_period(
    values: Sparse, item: NDArray[np.int64], shop: NDArray[np.int64], shape: tuple[int, int]
) -> list[sparse.csr_matrix]:
    """What was sold in each period, (items, shops); one bulk sale must not decide what follows."""
    cells = np.bincount(values.period, minlength=values.length).cumsum()
    units = np.bincount(values.period, np.abs(values.value), values.length).cumsum()
    most = (_BULK * units / np.maximum(cells, 1))[values.period]
    value = np.clip(values.value, -most, most)
    order = np.argsort(values.period, kind="stable")
    ends = np.searchsorted(values.period[order], np.arange(values.length + 1))
    parts = [order[begin:end] for begin, end in pairwise(ends)]
    return [
        sparse.csr_matrix(
            (value[part], (item[values.row[part]], shop[values.row[part]])), shape=shape
        )
        for part in parts
    ]
