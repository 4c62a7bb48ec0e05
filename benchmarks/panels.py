"""Panels of sums of the 1C data, and of weekly sales around a second Christmas.

    python benchmarks/panels.py ../shared/data

Sums of sales by shop or category, by week or month, and what daily rows say of revenue. Every
model forecasts from the same past origins and is given the same rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
    """A panel, and the origins to forecast from; `before` leaves out so many last periods."""

    read: Callable[[Path], Panel]
    horizon: int
    step: int
    origins: int
    before: int = 0


def sums(rows: str, key: str, freq: str, target: str = SALES) -> Callable[[Path], Panel]:
    """Reads the sums by a key."""

    def read(data: Path) -> Panel:
        table = duckdb.sql(rows.format(keys=key, target=target, data=data)).to_arrow_table()
        return read_panel(table, time="ds", series=key, target="y", freq=freq)

    return read


def walmart(data: Path) -> Panel:
    """Weekly sales of 45 stores with covariates."""
    return read_panel(
        data / "walmart" / "walmart_weekly.csv",
        time="Date",
        series="Store",
        target="Weekly_Sales",
        freq="1w",
        known="Holiday_Flag",
        observed=["Temperature", "Fuel_Price", "CPI", "Unemployment"],
    )


KINDS = {
    "shops-weekly": Kind(sums(DAILY, "shop_id", "1w"), 8, 8, 4),
    "shops-monthly": Kind(sums(MONTHLY, "shop_id", "1mo"), 3, 2, 4),
    "categories-monthly": Kind(sums(MONTHLY, "item_category_id", "1mo"), 3, 2, 4),
    "revenue-weekly": Kind(sums(DAILY, "shop_id", "1w", REVENUE), 8, 8, 4),
    "revenue-monthly": Kind(sums(DAILY, "shop_id", "1mo", REVENUE), 3, 2, 4),
    "walmart-christmas": Kind(walmart, 8, 6, 5, before=24),
}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with 1c, 1c_daily and walmart")
    parser.add_argument("--only", default=",".join(KINDS), help="some of " + ", ".join(KINDS))
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| | " + " | ".join(METRICS) + " | RMSSE against the first, 95% interval | s |")
    print("|---" * (len(METRICS) + 3) + "|")
    for name in options.only.split(","):
        kind = KINDS[name]
        panel = kind.read(options.data)
        result = backtest(
            panel.until(len(panel.calendar) - kind.before),
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
