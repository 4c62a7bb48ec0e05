"""Small panels for tests."""

from __future__ import annotations

import numpy as np

from nestcast.data import Attributes, Calendar, Keys, Panel


def store(shops: int = 4, items: int = 12, months: int = 18, seed: int = 0) -> Panel:
    """A store whose items belong to 3 categories, with some pairs and starts missing."""
    rng = np.random.default_rng(seed)
    shop, item = np.divmod(np.arange(shops * items), items)
    category = np.arange(items) % 3
    rate = (0.3 + shop) * np.array([0.2, 1.0, 3.0])[category[item]]
    season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(months) / 12)
    target = rng.poisson(rate[:, None] * season).astype(np.float32)
    start = rng.integers(0, months // 2, len(shop)).astype(np.int32)
    target[np.arange(months) < start[:, None]] = 0
    panel = Panel(
        Keys({"shop_id": shop, "item_id": item + 100}),
        Calendar("1mo", np.datetime64("2022-01-01"), months),
        target,
        start,
        target_name="item_cnt_day",
        time_name="date",
        attributes={
            "item_id": Attributes(
                "item_id", np.arange(items) + 100, {"item_category_id": category + 40}
            )
        },
    )
    return panel.take(rng.random(len(shop)) < 0.9)


def weekly(series: int = 5, weeks: int = 60, seed: int = 0) -> Panel:
    """Real-valued weekly series of very different size with some missing periods."""
    rng = np.random.default_rng(seed)
    level = 10.0 ** np.arange(series)
    target = level[:, None] * (1 + 0.1 * rng.standard_normal((series, weeks)))
    target[rng.random(target.shape) < 0.05] = np.nan
    return Panel(
        Keys({"unique_id": np.array([f"s{i}" for i in range(series)])}),
        Calendar("1w", np.datetime64("2023-01-06"), weeks),
        target.astype(np.float32),
        np.zeros(series, np.int32),
        is_count=False,
    )
