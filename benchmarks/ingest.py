"""From raw daily rows to a panel on one thread, beside the same grouping in pandas.

    taskset -c 0 python benchmarks/ingest.py

Simulates a chain of the size of Kaggle's "Predict Future Sales", then reads its rows in turns, each
time in a fresh process. nestcast checks every row as well, and lays the panel out; pandas only
parses and groups. On a machine that does other work too, the processor's seconds say more than
those of the clock.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def nestcast(folder: Path) -> int:
    """Rows that entered the panel."""
    from nestcast.data import read_panel

    return read_panel(folder, threads=1).report.rows_used


def pandas(folder: Path) -> int:
    """Rows that entered the groups."""
    import pandas as pd

    rows = pd.read_csv(folder / "sales_train.csv")
    rows["month"] = pd.to_datetime(rows["date"], format="%d.%m.%Y").dt.to_period("M")
    groups = rows.groupby(["shop_id", "item_id", "month"])
    months = groups.agg({"item_cnt_day": ["sum", "size"], "item_price": "mean"})
    return int(months["item_cnt_day", "size"].sum())


WAYS = {"nestcast": nestcast, "pandas": pandas}


def measure(way: str, folder: Path) -> None:
    """Print rows, seconds by the clock and of the processor, and peak memory in GB."""
    importlib.import_module({"nestcast": "nestcast.data"}.get(way, way))  # not timed
    begin, used = time.perf_counter(), time.process_time()
    rows = WAYS[way](folder)
    clock, processor = time.perf_counter() - begin, time.process_time() - used
    print(rows, clock, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]))
        return
    from nestcast.data.simulate import simulate_sales

    results: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "chain")
        simulate_sales(folder, "full", seed=options.seed)
        for _ in range(options.runs):
            for way, measured in results.items():
                command = [sys.executable, __file__, "--measure", way, str(folder)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                measured.append([float(number) for number in done.stdout.split()])
    rows = {int(run[0]) for measured in results.values() for run in measured}
    print(f"{', '.join(f'{count:,}' for count in rows)} daily rows, {options.runs} runs each\n")
    print("| | seconds by the clock, median (min to max) | of the processor | peak memory, GB |")
    print("|---|---|---|---|")
    for way, measured in results.items():
        _, clock, processor, memory = zip(*measured, strict=True)
        print(f"| {way} | {spread(clock)} | {spread(processor)} | {max(memory):.2f} |")
    for at, name in ((1, "clock"), (2, "processor")):
        ours, theirs = (statistics.median(run[at] for run in results[way]) for way in WAYS)
        print(f"\npandas / nestcast, medians by the {name}: {theirs / ours:.2f}")


def spread(numbers: tuple[float, ...]) -> str:
    """Median and range."""
    return f"{statistics.median(numbers):.2f} ({min(numbers):.2f} to {max(numbers):.2f})"


if __name__ == "__main__":
    main()
