"""Cells compared on classical Chinese quatrains: the experiment of docs/comparison.md.

    python benchmarks/poems.py ../shared/data/poems --out poems          # train, measure, write
    python benchmarks/poems.py --write                                   # the page's tables only

Interrupted, it goes on where it was. Tables and figure of docs/comparison.md are made from
docs/comparison/results.json, which this writes.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "comparison"
PAGE = DOCS / "comparison.md"
CELLS = "lstm:1,lstm:2,nested:2,nested:3,gru:1"
OPTIONS = [
    "--lines", "--params", "400k", "--min-count", "5", "--rates", "0.003,0.01,0.03",
    "--trial-epochs", "2", "--threads", "1",
]  # fmt: skip
MOST = 1000  # poems of each period
LINE = "春眠不觉晓\t处处闻啼鸟\t夜来风雨声\t花落知多少"


def periods(poems: Path, folder: Path) -> list[str]:
    """Quatrains of seven characters a line, of each period: the values of --also."""
    tang = (poems / "quatrain_train_tang.txt").read_text(encoding="utf-8").splitlines()
    later = (poems / "quatrain_train.txt").read_text(encoding="utf-8").splitlines()[len(tang) :]
    texts = {
        "test-7": (poems / "quatrain_test.txt").read_text(encoding="utf-8").splitlines(),
        "song-7": later,
        "yuan-7": quatrains(poems / "yuan.tsv"),
        "qing-7": quatrains(poems / "qing.tsv"),
    }
    options = []
    for name, lines in texts.items():
        sevens = [line for line in lines if [len(part) for part in line.split("\t")] == [7] * 4]
        random.Random(0).shuffle(sevens)
        path = folder / f"{name}.txt"
        path.write_text("\n".join(sevens[:MOST]) + "\n", encoding="utf-8")
        options += ["--also", f"{name}={path}"]
    return options


def quatrains(table: Path) -> list[str]:
    """Poems of four clauses, without punctuation and with tabs between them."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        clauses = [re.split("[，。？！；、：]", row["body"]) for row in rows]
    return ["\t".join(filter(None, parts)) for parts in clauses]


def train(poems: Path, out: Path, epochs: int, seeds: int) -> None:
    """The comparison."""
    texts = out.with_name(out.name + "-texts")
    texts.mkdir(exist_ok=True)
    files = {"train": "train_tang", "valid": "valid", "test": "test"}
    arguments = [f"--{name}={poems / f'quatrain_{file}.txt'}" for name, file in files.items()]
    arguments += [*OPTIONS, f"--cells={CELLS}", f"--epochs={epochs}", f"--seeds={seeds}"]
    arguments += [*periods(poems, texts), f"--out={out}"]
    subprocess.run([sys.executable, "-m", "nestcast", "compare", "text", *arguments], check=True)


def slowness(poems: Path, out: Path) -> dict[str, dict[str, list[float]]]:
    """Mean lag-1 autocorrelation of memories over 200 test poems: by cell, level and seed."""
    from nestcast.lab.comparison import read_model
    from nestcast.lab.inside import look

    lines = (poems / "quatrain_test.txt").read_text(encoding="utf-8").splitlines()[:200]
    found: dict[str, dict[str, list[float]]] = {}
    cells = json.loads((out / "results.json").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        for run in cells[cell]["seeds"]:
            model, vocabulary = read_model(out, cell, run["seed"])
            seen = look(model, vocabulary, LINE, lines)
            for level, values in seen.autocorrelations.items():
                of_level = found.setdefault(cell, {}).setdefault(level, [])
                of_level.append(float(np.nanmean(values)))
    return found


def draw_inside(out: Path, font: Path | None) -> None:
    """Pictures of a nested and a stacked cell that read one poem, the same one."""
    from nestcast.lab.comparison import read_model
    from nestcast.lab.inside import look
    from nestcast.lab.inside_figure import picture

    looks = [look(*read_model(out, cell), LINE) for cell in ("nested:2", "lstm:2")]
    picture(looks, font).savefig(KEPT / "inside.png", dpi=90)


def keep(out: Path, slow: dict[str, dict[str, list[float]]]) -> None:
    """Put what the page needs into docs."""
    KEPT.mkdir(exist_ok=True)
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    for text in found["texts"].values():
        text["file"] = Path(text["file"]).name
    found["autocorrelation"] = slow
    (KEPT / "results.json").write_text(json.dumps(found, ensure_ascii=False) + "\n", "utf-8")
    for name in ("curves.png", "curves.svg"):
        shutil.copy(out / name, KEPT / name)


def tables(found: dict[str, Any]) -> str:
    """The part of the page that comes from results.json."""
    from nestcast.lab.results import markdown

    slow = ["| cell | level or layer | autocorrelation | by seed |", "|---|---|---:|---|"]
    for cell, levels in found["autocorrelation"].items():
        for level, values in levels.items():
            seeds = ", ".join(f"{value:.3f}" for value in values)
            slow.append(f"| {cell} | {level} | {np.mean(values):.3f} | {seeds} |")
    return markdown(found) + "\nHow slowly memories move:\n\n" + "\n".join(slow) + "\n"


def write_page() -> None:
    """Put the tables between their marks."""
    found = json.loads((KEPT / "results.json").read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split("<!-- made by benchmarks/poems.py -->\n")
    _, after = rest.split("<!-- end -->\n")
    marked = f"<!-- made by benchmarks/poems.py -->\n{tables(found)}<!-- end -->\n"
    PAGE.write_text(before + marked + after, encoding="utf-8")


def main() -> None:
    """Train if told where the poems are, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("poems", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, default=Path("poems"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--font", type=Path, help="a font with Chinese characters")
    parser.add_argument("--write", action="store_true", help="only write the page again")
    options = parser.parse_args()
    if not options.write:
        if options.poems is None:
            parser.error("the folder with the poems is missing")
        train(options.poems, options.out, options.epochs, options.seeds)
        keep(options.out, slowness(options.poems, options.out))
        draw_inside(options.out, options.font)
    write_page()


if __name__ == "__main__":
    main()
