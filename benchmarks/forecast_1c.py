"""Time and memory of whole forecasts on the 1C data, from files to submission, on one thread.

    python benchmarks/forecast_1c.py ../shared/data/1c

Each runs as the command does, in a process of its own; they take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds of the clock and of the processor, and peak memory in GB, of one command."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "nestcast", *arguments], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"nestcast {' '.join(arguments)} failed")
    seconds = time.perf_counter() - begin
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--best", action="store_true", help="also `--effort best`, half an hour")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        output, model = str(Path(scratch) / "submission.csv"), str(Path(scratch) / "model")
        common = ["forecast", str(options.folder), "-o", output, "--preset", "1c"]
        common += ["--threads", "1", "--quiet"]
        clipped = [*common, "--clip", "0,20"]
        commands = {
            "seed recipe": [*clipped, "--recipe", "seed"],
            "quick effort": [*clipped, "--effort", "quick"],
            "standard effort": [*clipped, "--save-model", model],
            "its saved model, which forecasts anew": [*common, "--model", model],
        }
        if options.best:
            commands["best effort"] = [*clipped, "--effort", "best"]
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for _ in range(options.runs):
            for name, arguments in commands.items():
                (Path(model) / "forecast.safetensors").unlink(missing_ok=True)  # made anew
                results[name].append(run(arguments))
    print("| command | seconds, median (min to max) | of the processor | peak memory, GB |")
    print("|---|---|---|---|")
    for name, measured in results.items():
        seconds, processor, memory = (sorted(values) for values in zip(*measured, strict=True))
        print(
            f"| {name} | {statistics.median(seconds):.0f} ({seconds[0]:.0f} to {seconds[-1]:.0f}) "
            f"| {statistics.median(processor):.0f} | {memory[-1]:.2f} |"
        )


if __name__ == "__main__":
    main()
