"""Likelihoods compared: the same short training with each that a target can have.

    python benchmarks/likelihoods.py ../shared/data
    python benchmarks/likelihoods.py ../shared/data --only 1c,carparts

Counts: 1C's shops and items (months 25 to 27 of the full grid, clipped to 0 to 20), car parts, sums
of 1C by category and month. Real values: revenue of shops by week and month, Walmart's stores
around their second Christmas and later. `nestcast forecast --likelihood` takes the same names.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from nestcast import Panel, read_panel
from nestcast.evaluation.models import RecipeModel
from nestcast.evaluation.registry import Contender
from panels import KINDS, Kind, head, lines, walmart
from series import carparts

COUNTS = ("negative-binomial", "poisson", "zero-inflated", "hurdle")
REAL = ("student-t", "normal", "quantiles")
METRICS = ("quantile-loss", "crps", "rmsse", "rmse", "coverage-80", "coverage-95")


def car_parts(data: Path) -> Panel:
    """Monthly sales of parts."""
    with tempfile.TemporaryDirectory() as folder:
        rows = carparts(data / "carparts", Path(folder))
        return read_panel(rows, time="ds", series="unique_id", target="y", freq="1mo")


def pairs(data: Path) -> Panel:
    """Monthly sales of 1C's shops and items, up to month 27."""
    return read_panel(data / "1c", preset="1c", threads=1).until(28)


SUMS = ("categories-monthly", "revenue-weekly", "revenue-monthly", "walmart-christmas")
PAST = {
    "1c": Kind(pairs, 1, 1, 3, ask="grid", clip=(0.0, 20.0)),
    "carparts": Kind(car_parts, 6, 3, 3),
    **{name: KINDS[name] for name in SUMS},
    "walmart-later": Kind(walmart, 8, 4, 5),
}


def trained(likelihood: str, clip: tuple[float, float] | None) -> Contender:
    """One short training with a likelihood."""
    return Contender(
        likelihood,
        lambda seed: RecipeModel(None, seed, clip, effort="quick", likelihood=likelihood),
        random=True,
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with 1c, 1c_daily, carparts and walmart")
    parser.add_argument("--only", default=",".join(PAST), help="some of " + ", ".join(PAST))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(head(METRICS, "quantile loss"))
    for name in options.only.split(","):
        kind = PAST[name]
        panel = kind.panel(options.data)
        families = COUNTS if panel.is_count else REAL
        models = [trained(family, kind.clip) for family in families]
        result = kind.forecast(panel, models, options.seeds)
        print(*lines(name, result, METRICS), sep="\n", flush=True)


if __name__ == "__main__":
    main()
