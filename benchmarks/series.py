"""Cells compared on real series: the experiments of docs/comparison.md.

    python benchmarks/series.py ../shared/data --out series          # train, measure, write
    python benchmarks/series.py --out series --keep                  # write what there is so far
    python benchmarks/series.py --write                              # the page's tables only

Interrupted, it goes on where it was. Tables and figures of docs/comparison.md are made from
docs/comparison/carparts.json and 1c.json, which this writes.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np

DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "comparison"
PAGE = DOCS / "comparison.md"
CELLS = "lstm:1,lstm:2,gru:1,nested:2,nested:3,mlp,nested-additive:2,nested-identity:2"
SETS = ("carparts", "1c")
PART = "21059522"  # that the picture shows


def carparts(folder: Path, out: Path) -> Path:
    """The table of parts by months as rows of part, month and sales; only complete series."""
    with (folder / "carparts.csv").open(encoding="utf-8", newline="") as file:
        (_, *months), *parts = csv.reader(file)
    dates = [datetime.strptime(month, "%b-%y").date() for month in months]
    path = out / "carparts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["unique_id", "ds", "y"])
        for part, *sales in parts:
            if all(sales):
                rows.writerows((part, day, sold) for day, sold in zip(dates, sales, strict=True))
    return path


def compare(source: Path, out: Path, seeds: int, origins: int, *options: str) -> None:
    """Run the command; what is done is not run again."""
    arguments = [source, f"--cells={CELLS}", f"--seeds={seeds}", f"--origins={origins}"]
    arguments += ["--effort=quick", "--threads=1", f"--out={out}", *options]
    command = [sys.executable, "-m", "nestcast", "compare", "series", *map(str, arguments)]
    subprocess.run(command, check=True)


def keep(out: Path, name: str) -> None:
    """Put what the page needs into docs."""
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    (KEPT / f"{name}.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    for ending in ("png", "svg"):
        shutil.copy(out / f"differences.{ending}", KEPT / f"{name}.{ending}")


def look_inside(table: Path) -> None:
    """How slowly memories of forecasters move, and a picture of one that reads a part's sales."""
    from nestcast import Forecaster, read_panel
    from nestcast.lab.results import markdown_table
    from nestcast.lab.series_inside import look_at_series
    from nestcast.lab.series_inside_figure import picture

    panel = read_panel(table, threads=1)
    one = panel.keys.take(panel.keys["unique_id"].astype(str) == PART)
    rows = []
    for cell in ("lstm:2", "nested:2", "nested:3"):
        looks = []
        for seed in (0, 1):
            forecaster = Forecaster(seed=seed, effort="quick", cell=cell, members=1).fit(panel)
            looks.append(look_at_series(forecaster, panel, one))
        if cell == "nested:2":
            picture(looks[0]).savefig(KEPT / "carparts-inside.png", dpi=90)
        for level in looks[0].autocorrelations:
            values = [float(np.nanmean(look.autocorrelations[level])) for look in looks]
            seeds = ", ".join(f"{value:.3f}" for value in values)
            rows.append([cell, level, f"{np.mean(values):.3f}", seeds])
    header = ["cell", "level or layer", "autocorrelation", "by seed"]
    (KEPT / "carparts-memory.md").write_text(markdown_table(header, rows) + "\n", encoding="utf-8")


def tables(name: str) -> str:
    """The part of the page that comes from the results on one set."""
    from nestcast.lab.series_results import markdown

    found = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    first = next(iter(found["cells"]))
    text = f"{markdown(found)}\n![Differences from {first}](comparison/{name}.png)\n"
    memory = KEPT / f"{name}-memory.md"
    if memory.exists():
        text += "\nHow slowly memories of networks trained on all months move, on average:\n\n"
        text += memory.read_text(encoding="utf-8")
        text += f"\n![Inside nested:2](comparison/{name}-inside.png)\n"
    return text


def write_page() -> None:
    """Put the tables between their marks."""
    for name in SETS:
        if not (KEPT / f"{name}.json").exists():
            continue
        page = PAGE.read_text(encoding="utf-8")
        mark = f"<!-- {name}: made by benchmarks/series.py -->\n"
        before, rest = page.split(mark)
        end = f"<!-- end of {name} -->\n"
        _, after = rest.split(end)
        PAGE.write_text(f"{before}{mark}{tables(name)}{end}{after}", encoding="utf-8")


def main() -> None:
    """Compare if told where the data are, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", help="folder with carparts and 1c")
    parser.add_argument("--out", type=Path, default=Path("series"))
    parser.add_argument("--only", choices=SETS, help="only this set, and do not write the page")
    parser.add_argument("--seeds", type=int, default=2, help="for carparts")
    parser.add_argument("--origins", type=int, default=1, help="for carparts")
    parser.add_argument("--seeds-1c", type=int, default=1)
    parser.add_argument("--origins-1c", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="only write what was measured so far")
    parser.add_argument("--write", action="store_true", help="only write the page again")
    options = parser.parse_args()
    if not (options.write or options.keep):
        if options.data is None:
            parser.error("the folder with the data is missing")
        options.out.mkdir(exist_ok=True)
        if options.only != "1c":
            source = carparts(options.data / "carparts", options.out)
            compare(source, options.out / "carparts", options.seeds, options.origins)
        if options.only != "carparts":
            compare(
                options.data / "1c", options.out / "1c", options.seeds_1c, options.origins_1c,
                "--preset=1c", "--clip=0,20",
            )  # fmt: skip
        if options.only:
            return
        look_inside(options.out / "carparts.csv")
    if not options.write:
        for name in SETS:
            if (options.out / name / "results.json").exists():
                keep(options.out / name, name)
    write_page()


if __name__ == "__main__":
    main()
