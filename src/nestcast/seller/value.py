"""What a unit is worth: the last price known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys
from nestcast.data.panel import Panel

Values = NDArray[np.float64]


def unit_prices(panel: Panel, keys: Keys) -> Values | None:
    """The last known price of each series, else of its item anywhere; None if there are no prices.

    Args:
        panel: what was read, with the price in `observed`.
        keys: the series asked for.

    Returns:
        Shape (series,), NaN where the item never had a price.
    """
    raise NotImplementedError
