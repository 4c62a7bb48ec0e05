"""When shops were closed, and when they open again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nestcast.data.panel import Panel
from nestcast.model.cells import sold_by_value
from nestcast.model.groups import shop_codes


@dataclass(frozen=True, eq=False)
class Closures:
    """What is known of each shop at each period.

    A shop that sold nothing in the period before, and opened in this one a season ago, opens again:
    that it sold nothing since tells nothing of what it will sell. Any other may stay closed.

    Args:
        shop: of each series, from 0, shape (series,).
        closed: the period right after the last one in which it was open, (shops, time + 1).
        opens: when it opens, if it is closed and will; else a period that never comes.
    """

    shop: NDArray[np.int64]
    closed: NDArray[np.int64]
    opens: NDArray[np.int64]

    @classmethod
    def of(cls, panel: Panel, item: str) -> Closures:
        """Those of a panel, whose keys but that of the item say which shop it is."""
        shop = shop_codes(panel, item)
        sold = sold_by_value(panel, shop)
        time, season = sold.shape[1], panel.calendar.season
        period = np.arange(time + 1)
        closed = np.zeros((len(sold), time + 1), np.int64)
        closed[:, 1:] = np.maximum.accumulate(np.where(sold, period[1:], 0), axis=1)
        opened = sold[:, 1:] & ~sold[:, :-1]  # in period 1, 2, ...
        a_season_ago = np.zeros((len(sold), time + 1), bool)
        a_season_ago[:, season + 1 :] = opened[:, : max(time - season, 0)]
        opens = np.where(a_season_ago & (closed < period), period, time + 1)
        following = np.minimum.accumulate(opens[:, ::-1], axis=1)[:, ::-1]
        # It waits for the next one while it is closed, unless it opens otherwise before.
        then = np.take_along_axis(closed, np.minimum(following, time), axis=1)
        waits = (closed < period) & (closed == then)
        return cls(shop, closed, np.where(waits, following, time + 1))
