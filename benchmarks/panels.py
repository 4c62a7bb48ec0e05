"""Panels of sums of the 1C data, and of weekly sales around a second Christmas.

    python benchmarks/panels.py ../shared/data

Sums of sales by shop or category, by week or month, and what daily rows say of revenue. Every
model forecasts from the same past origins and is given the same rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import torch

from nestcast import Panel, backtest, read_panel
from nestcast.evaluation.registry import Contender
from nestcast.evaluation.results import Backtest

MODELS = "nestcast,ets,tsb,seasonal-naive,lightgbm"
LEVEL = (80.0, 95.0)
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
    ask: str = "known"
    clip: tuple[float, float] | None = None

    def panel(self, data: Path) -> Panel:
        """Its periods that count."""
        panel = self.read(data)
        return panel.until(len(panel.calendar) - self.before)

    def forecast(self, panel: Panel, models: Sequence[str | Contender], seeds: int) -> Backtest:
        """Scores of models."""
        return backtest(
            panel,
            models,
            origins=self.origins,
            horizon=self.horizon,
            step=self.step,
            ask=self.ask,
            clip=self.clip,
            level=LEVEL,
            seeds=seeds,
        )


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
    print(head(METRICS, "RMSSE"))
    for name in options.only.split(","):
        kind = KINDS[name]
        models = options.models.split(",")
        result = kind.forecast(kind.panel(options.data), models, options.seeds)
        print(*lines(name, result, METRICS), sep="\n", flush=True)


def head(metrics: Sequence[str], first: str) -> str:
    """The head of a table of `lines`."""
    columns = ["", *metrics, f"{first} against the first, 95% interval", "s"]
    return f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|"


def lines(name: str, result: Backtest, metrics: Sequence[str]) -> Iterator[str]:
    """A table's line for each model, the best first; differences are of the first metric."""
    away = {one.model: one for one in result.differences(metrics[0])}
    means = {metric: result.means(metric) for metric in metrics}
    for model in sorted(result.models, key=means[metrics[0]].__getitem__):
        cells = [f"{means[metric][model]:.4g}" for metric in metrics]
        one = away.get(model)
        if one is None or model == result.models[0]:
            cells.append("")
        else:
            interval = f"({one.percent_low:+.1f} to {one.percent_high:+.1f})"
            cells.append(f"{one.percent:+.1f}% {interval}")
        cells.append(f"{sum(result.seconds()[model]):.0f}")
        yield f"| {name}: {model} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
