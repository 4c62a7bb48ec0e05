"""Forecasts for tests, made without training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from nestcast.data import Attributes, Keys, Panel
from nestcast.data.report import ReadReport
from nestcast.forecast import Forecast, probabilities_of
from tests.panels import store


def guess(panel: Panel, horizon: int = 1, level=(80, 95), keys: Keys | None = None) -> Forecast:
    """Poisson counts, or normal values, around the mean of the last 3 periods."""
    keys = panel.keys if keys is None else keys
    at = panel.keys.locate(keys)
    recent = np.nan_to_num(panel.target[:, -3:]).mean(axis=1)
    mean = np.repeat(np.append(recent, 0.4)[at][:, None], horizon, axis=1)
    p = np.array(probabilities_of(level))
    if panel.is_count:
        quantiles = stats.poisson.ppf(p, np.maximum(mean, 0)[..., None])
    else:
        quantiles = stats.norm.ppf(p, mean[..., None], 0.1 * np.abs(mean[..., None]) + 1e-3)
    return Forecast(
        keys,
        panel.calendar.after(horizon),
        mean.astype(np.float32),
        p,
        quantiles.astype(np.float32),
        target_name=panel.target_name,
        time_name=panel.time_name,
    )


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "\"'><img src=x onerror=alert(3)>",
    "{{ 7 * 7 }} ${7 * 7} &amp; \\u003c",
    "\u202eright to left\u202c",
    "מלפפון חמוץ",
    "Игра престолов, издание 2",
    "緑茶 500ml ☕ 𝒳",
    "<!-- no comment",
    "line\u2028separator",
)


def named_store(items: int = 12, **options) -> Panel:
    """A store whose shops, items and categories have names, some of them hostile."""
    panel = store(items=items, **options)
    ids = np.arange(items) + 100
    names = np.array(
        [HOSTILE[i % len(HOSTILE)] + (f" {i}" if i >= 10 else "") for i in range(items)]
    )
    shops = np.unique(panel.keys["shop_id"])
    return replace(
        panel,
        attributes={
            "item_id": Attributes(
                "item_id",
                ids,
                {
                    "item_name": names,
                    "item_category_id": np.arange(items) % 3,
                    "item_category_name": np.array(["<b>Games</b>", "Книги", "Toys & more"])[
                        np.arange(items) % 3
                    ],
                },
            ),
            "shop_id": Attributes(
                "shop_id", shops, {"shop_name": np.array([f"Shop <{n}> ת" for n in shops])}
            ),
        },
        report=ReadReport(
            rows_read=1010,
            rows_used=1000,
            rejected={"date is no <date>": 7, "shop_id is missing": 3},
            returns=12,
            notes=("shop_id 0 is 57, rows: 4", "<i>odd</i>"),
        ),
    )
