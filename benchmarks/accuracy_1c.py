"""Accuracy on the 1C data: months 28 to 32, each forecast from the months before.

    python benchmarks/accuracy_1c.py ../shared/data/1c --out accuracy            # what is missing
    python benchmarks/accuracy_1c.py ../shared/data/1c --out accuracy --tables   # tables so far

Asked for are the full grid (every shop x every item that sell in the month) and the pairs of
test.csv whose item had sold by then. A model is fitted once for each month and seed, on the grid,
and asked for both. Targets are clipped to 0 to 20. "average" is the mean of nestcast and LightGBM
with the weight that was best for the month before, 1/2 for the first one.

What is done is kept in --out, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nestcast import Keys, Panel, read_pairs, read_panel
from nestcast.evaluation.backtest import Model
from nestcast.evaluation.metrics import pit_covered
from nestcast.evaluation.origins import Origin, rolling_origins
from nestcast.evaluation.registry import contender
from nestcast.evaluation.results import Backtest, Run, ScoredOrigin
from nestcast.evaluation.scoring import Cells, cells_of, score
from nestcast.evaluation.segments import NEWNESS, VOLUMES
from nestcast.forecast import Forecast

CLIP = (0.0, 20.0)
LEVEL = (50.0, 80.0, 95.0)
MONTHS = "28,29,30,31,32"
MODELS = "nestcast,lightgbm,seasonal-naive,naive,mean-3,tsb,croston"
RANDOM = ("nestcast", "lightgbm")
FINE = tuple(float(level) for level in range(1, 100))  # levels that tell a whole distribution
HELD = (80.0, 95.0)
ITEM, SHOP = "item_id", "shop_id"
SPORADIC = (9, 20)  # shops that open now and then
SEGMENTS = {"without shops 9 and 20": lambda origin: ~np.isin(origin.asked[SHOP], SPORADIC)}


class Month:
    """A month to forecast, asked for in both ways."""

    def __init__(self, panel: Panel, pairs: Keys, number: int) -> None:
        until = panel.until(number + 1)
        self.number = number
        [grid] = rolling_origins(until, 1, ask="grid", clip=CLIP)
        [asked] = rolling_origins(until, 1, ask=pairs, clip=CLIP)
        clipped = replace(grid.known, target=np.clip(grid.known.target, *CLIP))
        self.origins = {"grid": grid, "pairs": asked}
        self.known = clipped
        self.cells = {name: cells_of(one, ITEM, SEGMENTS) for name, one in self.origins.items()}


def run(month: Month, model_name: str, model: Model, out: Path) -> None:
    """Fit and forecast, and keep the scores and the means."""
    kept: dict[str, np.ndarray] = {}
    begin = time.process_time()
    model.fit(month.known, month.origins["grid"].asked, 1)
    fitted = time.process_time()
    for name, origin in month.origins.items():
        asked = model.predict(month.known, origin.asked, 1, LEVEL)
        mean, quantiles = np.clip(asked.mean, *CLIP), np.clip(asked.quantiles, *CLIP)
        forecast = replace(asked, mean=mean, quantiles=quantiles)
        kept |= {f"{name} mean": forecast.mean[:, 0]}
        for metric, sums in score(origin, forecast, month.cells[name]).items():
            kept[f"{name} {metric}"] = sums
        if name == "grid":
            took = time.process_time() - fitted
            if model_name == "nestcast":  # trees would need a model for each of so many levels
                kept["held"] = spread_coverage(
                    month, model.predict(month.known, origin.asked, 1, FINE)
                )
            kept["seconds"] = np.array([fitted - begin, took])
    np.savez(out, **kept)


def spread_coverage(month: Month, forecast: Forecast) -> np.ndarray:
    """Sums of `pit_covered` by class of volume, and their counts, shape (classes, levels + 1)."""
    actual, cells = month.origins["grid"].actual, month.cells["grid"]
    quantiles = np.clip(forecast.quantiles[:, 0], *CLIP)  # (series, probabilities)
    known = np.concatenate([[0.0], forecast.probabilities, [1.0]])
    found = (known[1:] + known[:-1]) / 2  # a probability lies between two of those asked for
    found[[0, -1]] = 0, 1
    below, upto = found[(quantiles < actual).sum(axis=1)], found[(quantiles <= actual).sum(axis=1)]
    held = [pit_covered(below, upto, level) for level in HELD]
    volume = cells.volume[cells.of_series]
    one = np.ones(len(volume))
    return np.stack([np.bincount(volume, part, len(VOLUMES)) for part in (*held, one)], axis=1)


def runs_of(
    months: list[Month], ask: str, models: list[str], seeds: int, out: Path
) -> Iterator[Run]:
    """The runs that were made."""
    for number, month in enumerate(months):
        for model in models:
            for seed in range(seeds):
                path = place(out, month.number, model, seed)
                if path.exists():
                    kept = np.load(path)
                    sums = {
                        name.removeprefix(f"{ask} "): kept[name]
                        for name in kept
                        if name.startswith(f"{ask} ") and name != f"{ask} mean"
                    }
                    yield Run(number, model, seed, sums, *map(float, kept["seconds"]))
        yield from averages(months, number, ask, seeds, out)


def averages(months: list[Month], number: int, ask: str, seeds: int, out: Path) -> Iterator[Run]:
    """Of nestcast and LightGBM, weighted as was best in the month before."""

    def both(number: int, seed: int) -> list[np.ndarray] | None:
        paths = [place(out, months[number].number, model, seed) for model in RANDOM]
        if not all(path.exists() for path in paths):
            return None
        return [np.load(path)[f"{ask} mean"].astype(float) for path in paths]

    for seed in range(seeds):
        weight, before = 0.5, both(number - 1, seed) if number else None
        if before is not None:
            actual = months[number - 1].origins[ask].actual[:, 0]
            apart = before[1] - before[0]
            weight = float(np.clip(((actual - before[0]) * apart).sum() / (apart**2).sum(), 0, 1))
        now = both(number, seed)
        if now is not None:
            origin, cells = months[number].origins[ask], months[number].cells[ask]
            mean = now[0] + weight * (now[1] - now[0])
            yield Run(number, "average", seed, only_of_means(origin, mean, cells), 0.0, 0.0)


def only_of_means(origin: Origin, mean: np.ndarray, cells: Cells) -> dict[str, np.ndarray]:
    """Scores of a forecast without a distribution."""
    forecast = Forecast(
        origin.asked,
        origin.known.calendar.after(1),
        mean[:, None],
        np.array([0.5]),
        mean[:, None, None],
    )
    found = score(origin, forecast, cells)
    return {name: found[name] for name in ("rmse", "mae", "bias")}


def place(out: Path, month: int, model: str, seed: int) -> Path:
    """Where a run is kept."""
    return out / f"{month}-{model}-{seed}.npz"


def tables(result: Backtest) -> None:
    """Print what there is."""
    models = result.models
    months = [str(origin.date)[:7] for origin in result.origins]
    seconds = result.seconds()
    rmse = result.by_origin("rmse")
    spread = {
        model: np.std(
            [
                np.mean([np.sqrt(np.divide(*one.sums["rmse"].sum(axis=0))) for one in of_seed])
                for seed in range(10)
                if (of_seed := [r for r in result.runs if (r.model, r.seed) == (model, seed)])
            ]
        )
        for model in models
    }
    print(f"| RMSE | {' | '.join(months)} | mean | ± seeds | CPU s to fit | to forecast |")
    print("|---|" + "---:|" * (len(months) + 4))
    for model in models:
        values = " | ".join(f"{one:.4f}" for one in rmse[model])
        fit, predict = seconds[model]
        print(
            f"| {model} | {values} | {rmse[model].mean():.4f} | {spread[model]:.4f} "
            f"| {fit:.0f} | {predict:.0f} |"
        )
    print("\n| mean RMSE | " + " | ".join([*NEWNESS, *SEGMENTS]) + " |")
    print("|---|" + "---:|" * (len(NEWNESS) + len(SEGMENTS)))
    for model in models:
        row = [result.means("rmse", segment)[model] for segment in (*NEWNESS, *SEGMENTS)]
        print(f"| {model} | " + " | ".join(f"{one:.4f}" for one in row) + " |")
    print("\n| difference of RMSE to nestcast | 95% interval |\n|---|---|")
    for one in result.differences("rmse"):
        print(f"| {one.model} | {one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f}) |")
    rest = [model for model in models if model != "average"]
    kept = replace(result, runs=tuple(run for run in result.runs if run.model in rest))
    print("\n| difference of quantile loss to nestcast | 95% interval |\n|---|---|")
    for one in kept.differences("quantile-loss"):
        print(f"| {one.model} | {one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f}) |")
    metrics = ["mae", "bias", "quantile-loss", "crps", "coverage-80", "coverage-95", "width-80"]
    print("\n| | " + " | ".join(metrics) + " |")
    print("|---|" + "---:|" * len(metrics))
    for model in rest:
        row = [kept.means(metric)[model] for metric in metrics]
        print(f"| {model} | " + " | ".join(f"{one:.4f}" for one in row) + " |")
    print("\n| coverage of 80% / 95% | " + " | ".join(VOLUMES) + " |")
    print("|---|" + "---:|" * len(VOLUMES))
    for model in rest:
        row = [
            " / ".join(f"{kept.means(f'coverage-{level}', one)[model]:.3f}" for level in (80, 95))
            for one in VOLUMES
        ]
        print(f"| {model} | " + " | ".join(row) + " |")


def spread_table(paths: list[Path]) -> None:
    """Print how much of counts that are spread intervals hold on the grid, of runs that kept it."""
    kept = [np.load(path) for path in paths if path.exists()]
    held = [one["held"] for one in kept if "held" in one]
    if held:
        of_class = np.sum(held, axis=0)
        sums = np.vstack([of_class.sum(axis=0), of_class])
        print(f"\n| nestcast, counts spread, grid | all | {' | '.join(VOLUMES)} |")
        print("|---|" + "---:|" * len(sums))
        for level, inside in zip(HELD, sums.T, strict=False):
            shares = " | ".join(f"{share:.3f}" for share in inside / sums[:, -1])
            print(f"| in {level:g}% | {shares} |")


def main() -> None:
    """Run what is missing, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("accuracy"))
    parser.add_argument("--months", default=MONTHS)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--known-assortment", action="store_true")
    parser.add_argument("--tables", action="store_true", help="only print tables")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(exist_ok=True, parents=True)
    panel = read_panel(options.folder, preset="1c", threads=1)
    pairs = read_pairs(options.folder / "test.csv", series=panel.keys.names, preset="1c").keys
    months = [Month(panel, pairs, int(number)) for number in options.months.split(",")]
    models = options.models.split(",")
    for seed in range(0 if options.tables else options.seeds):
        for month in months:
            for name in models:
                out = place(options.out, month.number, name, seed)
                one = contender(name, CLIP, known_assortment=options.known_assortment)
                if not out.exists() and (seed == 0 or one.random):
                    run(month, name, one.make(seed), out)
                    print(out, flush=True)
    for ask in ("grid", "pairs"):
        print(f"\n{ask}\n")
        scored = tuple(ScoredOrigin(one.origins[ask].date, one.cells[ask]) for one in months)
        runs = tuple(runs_of(months, ask, models, options.seeds, options.out))
        tables(Backtest(scored, runs, LEVEL, 1))
    seeds = range(options.seeds)
    spread_table([place(options.out, m.number, "nestcast", seed) for m in months for seed in seeds])


if __name__ == "__main__":
    main()
