"""Panels of several kinds made of the 1C data, each forecast with default settings.

    python benchmarks/panels.py ../shared/data

Sums of sales by shop or category, by week or month, and what daily rows say of revenue. Every
model forecasts from the same past origins and is given the same rows. --before leaves out so many
last periods, to look at earlier origins.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import duckdb
import torch

from nestcast import Panel, backtest, read_panel

MODELS = "nestcast,ets,tsb,seasonal-naive,lightgbm"
METRICS = ("rmsse", "rmse", "quantile-loss", "coverage-80", "coverage-95")

MONTHLY = """
    select make_date(2013 + date_block_num // 12, date_block_num % 12 + 1, 1)::varchar as ds,
        {keys}, sum(item_cnt_month) as y
    from '{data}/1c/sales_monthly.parquet'
    join read_csv('{data}/1c/items.csv') using (item_id)
    group by all
"""
DAILY = """
    select date::varchar as ds, {keys}, {target} as y
    from read_csv('{data}/1c_daily/sales_train.csv', dateformat = '%d.%m.%Y')
    group by all
"""
SALES, REVENUE = "sum(item_cnt_day)::int", "sum(item_cnt_day * item_price)"


@dataclass(frozen=True)
class Kind:
    """A panel, and the origins to forecast from."""

    rows: str
    keys: str
    freq: str
    horizon: int
    step: int
    origins: int
    target: str = SALES


KINDS = {
    "shops-weekly": Kind(DAILY, "shop_id", "1w", 8, 8, 4),
    "shops-monthly": Kind(MONTHLY, "shop_id", "1mo", 3, 2, 4),
    "categories-monthly": Kind(MONTHLY, "item_category_id", "1mo", 3, 2, 4),
    "revenue-weekly": Kind(DAILY, "shop_id", "1w", 8, 8, 4, REVENUE),
    "revenue-monthly": Kind(DAILY, "shop_id", "1mo", 3, 2, 4, REVENUE),
}


def panel_of(kind: Kind, data: Path) -> Panel:
    """The panel."""
    rows = duckdb.sql(kind.rows.format(keys=kind.keys, target=kind.target, data=data))
    keys = kind.keys.split(", ")
    return read_panel(rows.to_arrow_table(), time="ds", series=keys, target="y", freq=kind.freq)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with 1c and 1c_daily")
    parser.add_argument("--only", default=",".join(KINDS), help="some of " + ", ".join(KINDS))
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--before", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| | " + " | ".join(METRICS) + " | RMSSE against the first, 95% interval | s |")
    print("|---" * (len(METRICS) + 3) + "|")
    for name in options.only.split(","):
        kind = KINDS[name]
        panel = panel_of(kind, options.data)
        result = backtest(
            panel.until(len(panel.calendar) - options.before),
            options.models.split(","),
            origins=kind.origins,
            horizon=kind.horizon,
            step=kind.step,
            ask="known",
            level=[80, 95],
            seeds=options.seeds,
        )
        away = {one.model: one for one in result.differences("rmsse")}
        means = {metric: result.means(metric) for metric in METRICS}
        for model in sorted(result.models, key=means["rmsse"].__getitem__):
            cells = [f"{means[metric][model]:.4g}" for metric in METRICS]
            one = away[model]
            if model != result.models[0]:
                cells.append(
                    f"{one.percent:+.1f}% ({one.percent_low:+.1f} to {one.percent_high:+.1f})"
                )
            else:
                cells.append("")
            cells.append(f"{sum(result.seconds()[model]):.0f}")
            print(f"| {name}: {model} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
