"""Real data sets, against sums made by another library from the same files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from nestcast.data import Panel, find_pairs, read_pairs, read_panel

Shared = Callable[[str], Path]
MERGED = {0: 57, 1: 58, 11: 10}


def cells(panel: Panel) -> pl.DataFrame:
    """Shop, item, period and target of every cell that is not 0."""
    series, period = np.nonzero(panel.target)
    return pl.DataFrame(
        {
            "shop_id": panel.keys["shop_id"][series],
            "item_id": panel.keys["item_id"][series],
            "period": period,
            "sold": panel.target[series, period].astype(float),
        }
    )


def check(panel: Panel, rows: pl.DataFrame) -> None:
    expected = (
        rows.group_by("shop_id", "item_id", "period")
        .agg(pl.col("sold").sum())
        .filter(pl.col("sold") != 0)
        .sort("shop_id", "item_id", "period")
        .cast({"shop_id": pl.Int64, "item_id": pl.Int64, "period": pl.Int64, "sold": pl.Float64})
    )
    assert cells(panel).equals(expected)


def test_1c_monthly(shared_data: Shared) -> None:
    folder = shared_data("1c")
    rows = pl.read_parquet(folder / "sales_monthly.parquet").rename(
        {"date_block_num": "period", "item_cnt_month": "sold"}
    )
    panel = read_panel(folder)
    check(panel, rows)
    assert panel.report.rows_used == len(rows)
    assert len(panel.calendar) == 33
    assert panel.attributes["item_id"].columns["item_category_name"][0].startswith("Кино")
    merged = read_panel(folder, preset="1c")
    check(merged, rows.with_columns(pl.col("shop_id").replace(MERGED)))
    pairs = read_pairs(
        find_pairs(folder), series=panel.keys.names, preset="1c", attributes=panel.attributes
    )
    assert len(pairs) == 214_200
    assert not pairs.notes
    sold = rows.select(pl.col("shop_id").replace(MERGED), "item_id").unique()
    asked = pl.read_csv(folder / "test.csv").cast(sold.schema)
    found = merged.keys.locate(pairs.keys) >= 0
    assert found.sum() == len(asked.join(sold, on=["shop_id", "item_id"], how="semi")) > 100_000


def test_1c_daily(shared_data: Shared) -> None:
    folder = shared_data("1c_daily")
    rows = pl.read_csv(folder / "sales_train.csv").with_columns(
        period=pl.col("date_block_num"), sold=pl.col("item_cnt_day")
    )
    panel = read_panel(folder)
    check(panel, rows)
    assert panel.report.returns == (rows["sold"] < 0).sum()
    first = rows.group_by("shop_id", "item_id").agg(pl.col("period").min()).sort(pl.nth(0, 1))
    np.testing.assert_array_equal(panel.start, first["period"].to_numpy())
    prices = (
        rows.group_by("shop_id", "item_id", "period")
        .agg(pl.col("item_price").mean())
        .sort("shop_id", "item_id", "period")
    )
    price = panel.observed["item_price"]
    np.testing.assert_allclose(price[~np.isnan(price)], prices["item_price"], rtol=1e-6)


def test_walmart_weekly(shared_data: Shared) -> None:
    path = shared_data("walmart/walmart_weekly.csv")
    panel = read_panel(path, time="Date", series="Store", target="Weekly_Sales")
    rows = pl.read_csv(path).with_columns(pl.col("Date").str.to_date("%d-%m-%Y"))
    wide = rows.pivot(on="Date", index="Store", values="Weekly_Sales").sort("Store")
    assert panel.calendar.freq == "1w"
    assert panel.calendar.labels().tolist() == sorted(rows["Date"].unique().to_list())
    np.testing.assert_array_equal(panel.target, wide.drop("Store").to_numpy().astype("f4"))
