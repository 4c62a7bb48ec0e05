"""Grouping: sums, means, gaps, and independence of threads and order."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestcast.data import read_panel


def frame(rows: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "shop": rng.choice(["north", "süd", "east"], rows),
            "item": rng.integers(-5, 40, rows),
            "day": np.datetime64("2023-12-20") + rng.integers(0, 400, rows),
            "sold": rng.normal(0, 10, rows) * 10.0 ** rng.integers(-6, 6, rows),
            "price": rng.gamma(2, 300, rows),
        }
    )


COLUMNS = {"time": "day", "series": ("shop", "item"), "target": "sold", "price": "price"}


@pytest.mark.parametrize("freq", ["1d", "1w", "1mo"])
def test_sums_and_means_are_those_of_polars(freq: str) -> None:
    rows = frame(5000)
    panel = read_panel(rows, freq=freq, keep_incomplete=True, **COLUMNS)
    expected = (
        rows.with_columns(period=pl.col("day").dt.truncate(freq))
        .group_by("shop", "item", "period")
        .agg(pl.col("sold").sum(), pl.col("price").mean())
        .sort("shop", "item", "period")
    )
    target, price = panel.target, panel.observed["price"]
    filled = ~np.isnan(price)
    series, period = np.nonzero(filled)
    assert panel.keys["shop"][series].tolist() == expected["shop"].to_list()
    assert panel.keys["item"][series].tolist() == expected["item"].to_list()
    assert panel.calendar.starts()[period].tolist() == expected["period"].to_list()
    # Rounded once to float32; and Polars' own sums are off by the last bit of addends up to 1e7.
    np.testing.assert_allclose(target[filled], expected["sold"], rtol=2**-24, atol=1e-8)
    np.testing.assert_allclose(price[filled], expected["price"], rtol=1e-7)
    np.testing.assert_array_equal(panel.start, np.argmax(filled, axis=1))
    after_start = np.arange(len(panel.calendar)) >= panel.start[:, None]
    np.testing.assert_array_equal(np.isnan(target), after_start & ~filled)
    assert (target[~after_start] == 0).all()
    assert not panel.is_count


def test_gaps_of_counts_are_zero() -> None:
    rows = frame(300).with_columns(sold=pl.col("item"))
    panel = read_panel(rows, freq="1mo", keep_incomplete=True, **COLUMNS)
    assert panel.is_count
    assert not np.isnan(panel.target).any()
    assert panel.target.sum() == rows["sold"].sum()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 3, 7]))
def test_neither_threads_nor_the_order_of_rows_matter(seed: int, threads: int) -> None:
    rows = frame(400, seed).with_columns(pl.lit(1).alias("item"))
    one = read_panel(rows, freq="1mo", threads=1, **COLUMNS)
    other = read_panel(
        rows.sample(fraction=1, shuffle=True, seed=seed), freq="1mo", threads=threads, **COLUMNS
    )
    np.testing.assert_array_equal(one.target, other.target)
    np.testing.assert_array_equal(one.observed["price"], other.observed["price"])


def test_threads_on_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    frame(200_000).write_csv(path)
    one, two = (read_panel(path, freq="1w", threads=threads, **COLUMNS) for threads in (1, 4))
    assert one.target.tobytes() == two.target.tobytes()
    assert one.observed["price"].tobytes() == two.observed["price"].tobytes()


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 1e12])
def test_sizes_of_numbers(scale: float) -> None:
    values = np.array([0.1, 0.2, 0.30000001, -0.05]) * scale
    rows = pl.DataFrame({"unique_id": ["a"] * 4, "ds": ["2024-01-01"] * 4, "y": values})
    panel = read_panel(rows, freq="1mo")
    assert panel.target[0, 0] == np.float32(values.sum())


def test_too_many_combinations_are_refused() -> None:
    from nestcast.errors import DataError

    rows = 3000
    keys = {f"k{at}": np.arange(rows) for at in range(6)}
    table = pl.DataFrame({**keys, "ds": ["2024-01-01"] * rows, "y": [1] * rows})
    with pytest.raises(DataError, match="--series"):
        read_panel(table, time="ds", series=list(keys), target="y", freq="1mo")


@pytest.mark.slow
def test_a_small_memory_limit_is_enough_for_a_large_file(tmp_path: Path) -> None:
    import resource
    import subprocess
    import sys

    path = tmp_path / "sales_train.csv"
    rng = np.random.default_rng(0)
    rows = 6_000_000
    days = np.arange(np.datetime64("2013-01-01"), np.datetime64("2015-11-01"))
    pl.DataFrame(
        {
            "date": pl.Series(days)[rng.integers(0, len(days), rows)],
            "shop_id": rng.integers(0, 30, rows),
            "item_id": rng.integers(0, 2000, rows),
            "item_price": rng.gamma(2, 300, rows).round(2),
            "item_cnt_day": rng.integers(1, 4, rows),
        }
    ).write_csv(path)
    script = f"""
import resource
from nestcast.data import read_panel
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
panel = read_panel({str(path)!r}, memory_limit="200MB", threads=2)
print(panel.report.rows_used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    used, kilobytes = map(int, done.stdout.split())
    assert used == rows
    # The panel itself takes 16 MB and the grouped rows 65 MB; all rows would take 300 MB.
    assert kilobytes < 400_000
    assert resource.RUSAGE_SELF == 0
