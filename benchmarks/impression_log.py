"""From an impression log to a panel on one thread, by format of the file.

    taskset -c 0 python benchmarks/impression_log.py

Writes a seeded log with one row for each impression (timestamp, campaign, placement, ad, click) as
CSV, gzipped CSV and Parquet, and reads each by the day, in turns, each time in a fresh process.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FORMATS = {"CSV": "log.csv", "gzipped CSV": "log.csv.gz", "Parquet": "log.parquet"}


def write(folder: Path, rows: int) -> None:
    """Write the log: 30 days, 20 campaigns, 6 placements, 500 ads, 1% of impressions clicked."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET memory_limit = '2GB'")
    connection.execute("SELECT setseed(0.5)").fetchall()
    connection.execute(
        "CREATE TABLE log AS SELECT TIMESTAMP '2024-01-01' + to_seconds(r * 2592000 // "
        f"{rows}) AS timestamp, 'campaign ' || (ad % 20) AS campaign, "
        "'placement ' || (random() * 6)::INT AS placement, 'ad ' || ad AS ad, "
        "(random() < 0.01)::INT AS click FROM "
        f"(SELECT range AS r, (random() * 499)::INT AS ad FROM range({rows}))"
    )
    for name in FORMATS.values():
        connection.execute(f"COPY log TO '{folder / name}'")


def measure(path: Path, memory_limit: str) -> None:
    """Print rows used, impressions, clicks, seconds by the clock and the processor, peak in GB."""
    from nestcast.data import read_panel

    begin, used = time.perf_counter(), time.process_time()
    panel = read_panel(
        path,
        time="timestamp",
        series=["campaign", "placement", "ad"],
        target="click",
        exposure="rows",
        freq="1d",
        threads=1,
        memory_limit=memory_limit,
    )
    clock, processor = time.perf_counter() - begin, time.process_time() - used
    assert panel.exposure is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(panel.report.rows_used, panel.exposure.sum(dtype=float), clock, processor, peak)


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory-limit", default="2GB")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--write", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(Path(options.write), options.rows)
        return
    if options.measure:
        measure(Path(options.measure), options.memory_limit)
        return
    results: dict[str, list[list[float]]] = {name: [] for name in FORMATS}
    with tempfile.TemporaryDirectory() as scratch:
        # In a process of its own, since the peak of a child begins with that of its parent.
        command = [sys.executable, __file__, "--write", scratch, "--rows", str(options.rows)]
        subprocess.run(command, check=True)
        for _ in range(options.runs):
            for name, file in FORMATS.items():
                command = [sys.executable, __file__, "--measure", str(Path(scratch, file))]
                command += ["--memory-limit", options.memory_limit]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                results[name].append([float(number) for number in done.stdout.split()])
    print(f"{options.rows:,} rows, {options.runs} runs each\n")
    print("| | seconds by the clock, median (min to max) | of the processor | peak memory, GB |")
    print("|---|---|---|---|")
    for name, measured in results.items():
        rows, impressions, clock, processor, memory = zip(*measured, strict=True)
        assert set(rows) == set(impressions) == {options.rows}
        spread = f"{statistics.median(clock):.1f} ({min(clock):.1f} to {max(clock):.1f})"
        print(f"| {name} | {spread} | {statistics.median(processor):.1f} | {max(memory):.2f} |")


if __name__ == "__main__":
    main()
