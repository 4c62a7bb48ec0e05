"""Does the simulated chain look like the real one? Time and memory of the full size, then a table.

    python benchmarks/simulator.py ../shared/data/1c

The simulation runs in a process of its own, on one thread, for each seed; the statistics are the
same queries on the real and the simulated monthly sales.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import duckdb

# Each is one number or a few, of the table `sold` (m: month, s: shop, i: item, y: units, not 0).
STATISTICS = {
    "shop-item-months with sales": "SELECT count(*) FROM sold",
    "units": "SELECT sum(y) FROM sold",
    "items sold in the first month, in the last": """
        SELECT count(DISTINCT i) FILTER (m = 0), count(DISTINCT i) FILTER (m = last)
        FROM sold, ends""",
    "of these months, 1 unit": "SELECT avg((y = 1)::INT) FROM sold",
    "2 units": "SELECT avg((y = 2)::INT) FROM sold",
    "3 to 5": "SELECT avg((y BETWEEN 3 AND 5)::INT) FROM sold",
    "6 to 20": "SELECT avg((y BETWEEN 6 AND 20)::INT) FROM sold",
    "over 20": "SELECT avg((y > 20)::INT) FROM sold",
    "99% and 99.9% quantile of units": "SELECT unnest(quantile_cont(y, [0.99, 0.999])) FROM sold",
    "shops that sell an item in a month: median, 90%": """
        SELECT unnest(quantile_cont(n, [0.5, 0.9])) FROM (SELECT count(*) n FROM sold GROUP BY i, m)
        """,
    "units of an item in all: median, 90%": """
        SELECT unnest(quantile_cont(n, [0.5, 0.9])) FROM (SELECT sum(y) n FROM sold GROUP BY i)""",
    "December over November": """
        SELECT sum(y) FILTER (m % 12 = 11) / sum(y) FILTER (m % 12 = 10) FROM sold""",
    "correlation with the month before, units up to 20": """
        SELECT corr(least(a.y, 20), least(coalesce(b.y, 0), 20)) FROM ends, sold a
        LEFT JOIN sold b ON b.s = a.s AND b.i = a.i AND b.m = a.m - 1 WHERE a.m > last - 12""",
    "last month, every shop x item sold in it: pairs": "SELECT count(*) FROM asked",
    "share of zeros among them": "SELECT avg((y = 0)::INT) FROM asked",
    "share of pairs never sold before": "SELECT avg(is_new_pair::INT) FROM asked",
    "share of items never sold before": "SELECT avg(is_new_item::INT) FROM asked",
    "mean, units clipped to [0, 20]": "SELECT avg(least(greatest(y, 0), 20)) FROM asked",
}
VIEWS = """
CREATE OR REPLACE TABLE ends AS SELECT max(m) AS last FROM sold;
CREATE OR REPLACE TABLE asked AS
WITH now AS (SELECT * FROM sold, ends WHERE m = last),
     past AS (SELECT * FROM sold, ends WHERE m < last)
SELECT shops.s, items.i, coalesce(y, 0) AS y,
       (shops.s, items.i) NOT IN (SELECT (s, i) FROM past) AS is_new_pair,
       items.i NOT IN (SELECT i FROM past) AS is_new_item
FROM (SELECT DISTINCT s FROM now) shops CROSS JOIN (SELECT DISTINCT i FROM now) items
LEFT JOIN now ON now.s = shops.s AND now.i = items.i;
"""


def simulated(folder: Path, seed: int) -> tuple[float, float]:
    """Seconds and peak memory in GB of writing a full-sized chain."""
    arguments = ["simulate", str(folder), "--size", "full", "--seed", str(seed), "--quiet"]
    begin = time.perf_counter()
    process = os.spawnve(
        os.P_NOWAIT,
        sys.executable,
        [sys.executable, "-m", "nestcast", *arguments],
        {**os.environ, "OMP_NUM_THREADS": "1"},
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit("nestcast simulate failed")
    return time.perf_counter() - begin, usage.ru_maxrss / 1e6


def statistics_of(sold: str) -> dict[str, list[float]]:
    """All statistics of a query that gives m, s, i, y."""
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE sold AS SELECT * FROM ({sold}) WHERE y <> 0")
        db.execute(VIEWS)
        return {
            name: [float(v) for row in db.sql(query).fetchall() for v in row]
            for name, query in STATISTICS.items()
        }


def shown(values: list[float]) -> str:
    """Numbers with three figures or as whole ones."""
    return ", ".join(f"{v:,.0f}" if v > 10 else f"{v:.3g}" for v in values)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with sales_monthly.parquet")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    real = statistics_of(
        "SELECT date_block_num m, shop_id s, item_id i, item_cnt_month y "
        f"FROM '{options.folder / 'sales_monthly.parquet'}'"
    )
    columns = [real]
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seeds):
            folder = Path(scratch) / str(seed)
            seconds, memory = simulated(folder, seed)
            rows = f"read_csv('{folder / 'sales_train.csv'}')"
            size = duckdb.sql(f"SELECT count(*), avg((item_cnt_day < 0)::INT) FROM {rows}")
            count, returns = size.fetchall()[0]
            print(
                f"seed {seed}: {count:,} daily rows, {returns:.2%} returns, "
                f"{seconds:.1f} s, {memory:.2f} GB"
            )
            columns.append(
                statistics_of(
                    "SELECT date_block_num m, shop_id s, item_id i, sum(item_cnt_day) y "
                    f"FROM {rows} GROUP BY ALL"
                )
            )
    seeds = [f"seed {seed}" for seed in range(options.seeds)]
    print("\n| | real |", " | ".join(seeds), "|")
    print("|---|---|" + "---|" * len(seeds))
    for name in STATISTICS:
        print(f"| {name} |", " | ".join(shown(column[name]) for column in columns), "|")


if __name__ == "__main__":
    main()
