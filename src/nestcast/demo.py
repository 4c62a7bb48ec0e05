"""The demonstration: a simulated chain of shops, its next month, and how good the forecast was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nestcast.commands.selling import advice_of
from nestcast.console import Messages
from nestcast.data import Panel, read_pairs, read_panel, write_table
from nestcast.data.simulate import simulate_sales
from nestcast.errors import OptionError
from nestcast.evaluation import backtest
from nestcast.evaluation.models import RecipeModel
from nestcast.evaluation.registry import Contender
from nestcast.files import check_place
from nestcast.forecast import Floats, Forecast
from nestcast.forecaster import Forecaster
from nestcast.report import Accuracy, ClickAccuracy, read_accuracy, write_report
from nestcast.report.accuracy import FILE_NAME
from nestcast.seller import rank, read_stock
from nestcast.seller.demand import PATHS

_CLIP = (0.0, 20.0)  # as the competition that the layout is from scores
_SHOWN = 8
_ORIGINS = 3
_EFFORT = "quick"


def run_demo(folder: Path, seed: int, say: Messages) -> None:
    """Simulate, forecast, compare with the truth, write the page, and say where all of it is.

    Args:
        folder: where to; new, empty, or that of an earlier demonstration.
        seed: of the simulation and the training.
        say: told what happens.

    Raises:
        OptionError: the folder holds something else or cannot be written.
    """
    data, output, model = folder / "data", folder / "forecast.csv", folder / "model"
    page, ranking = folder / "report.html", folder / "ranking.csv"
    check_place(folder)
    if folder.is_file() or (
        folder.exists() and not (data / "truth.csv").exists() and any(folder.iterdir())
    ):
        raise OptionError(f"{folder} holds something other than a demo: name another folder.")
    folder.mkdir(exist_ok=True)
    size = simulate_sales(data, "demo", seed=seed, overwrite=True)
    say.say(f"simulated {size.shops} shops and {size.items} items over {size.months} months")

    panel = read_panel(data)
    pairs = read_pairs(data / "test.csv", series=panel.keys.names)
    say.say(f"read {panel.report.rows_read:,} daily rows: {len(panel):,} series")
    forecaster = Forecaster(seed=seed, clip=_CLIP, effort=_EFFORT)
    with say.training() as report:
        forecaster.fit(panel, pairs.keys, report)
    forecast = forecaster.predict(panel=panel, pairs=pairs.keys, samples=PATHS)
    write_table(forecast.to_columns(forecast.levels), output)
    forecaster.save(model)

    month = str(forecast.calendar.starts()[0])[:7]
    truth = np.loadtxt(data / "truth.csv", np.float32, delimiter=",", skiprows=1, usecols=1)
    past = _sold(panel, forecast)
    _show_largest(say, panel, forecast, truth, past, month)
    _show_errors(say, forecast, truth, past, month)
    accuracy = _backtest(panel, model, say)
    stock = read_stock(data / "stock.csv", series=panel.keys.names, attributes=panel.attributes)
    ranked = rank(forecast, panel, stock, clip=_CLIP)
    write_table(ranked.to_columns(), ranking)
    advice = advice_of(ranked)
    write_report(forecast, panel, page, clip=_CLIP, accuracy=accuracy, advice=advice)
    say.say(
        f"""
{page}  the page to look at, in any browser
{ranking}  what to act on first, and why, given what is in stock
{data}/  the rows, as a shop would have them, and the truth of {month}
{output}  units of each shop and item in {month}, with 80% and 95% intervals
{model}/  the model

The same by hand:
  nestcast simulate shop-data --size demo --seed {seed}
  nestcast forecast shop-data -o forecast.csv --clip 0,20 --effort {_EFFORT} --report report.html"""
    )


def _backtest(panel: Panel, model: Path, say: Messages) -> Accuracy | ClickAccuracy:
    """How good such forecasts were in months already known, kept with the model."""
    rules: list[str | Contender] = ["naive", "seasonal-naive", "mean-3"]

    def network(seed: int) -> RecipeModel:
        return RecipeModel("global", seed, _CLIP, effort=_EFFORT)

    rules.insert(0, Contender("nestcast", network, random=True))
    saved = model / FILE_NAME
    with say.steps(_ORIGINS * len(rules)) as tell:
        result = backtest(panel, rules, origins=_ORIGINS, refit=False, clip=_CLIP, tell=tell)
    result.write(saved)
    return read_accuracy(saved, panel.calendar)


def _sold(panel: Panel, forecast: Forecast) -> Floats:
    """What the series forecast sold in each month so far, shape (series, time)."""
    at = panel.keys.locate(forecast.keys)
    return np.where(at[:, None] < 0, 0, panel.target[at])


def _show_largest(
    say: Messages, panel: Panel, forecast: Forecast, truth: Floats, past: Floats, month: str
) -> None:
    largest = np.argsort(-forecast.mean[:, 0], kind="stable")[:_SHOWN]
    low, high = forecast.interval(80)
    names = {}
    for key, column in (("shop_id", "shop_name"), ("item_id", "item_name")):
        known = panel.attributes[key]
        names[key] = known.columns[column][known.positions(forecast.keys[key])]
    say.table(
        f"largest forecasts for {month}, in units",
        ["shop", "item", "last month", "forecast", "80% interval", "truth"],
        [
            (
                names["shop_id"][at],
                names["item_id"][at],
                int(past[at, -1]),
                float(forecast.mean[at, 0]),
                f"{low[at, 0]:.0f} to {high[at, 0]:.0f}",
                int(truth[at]),
            )
            for at in largest
        ],
    )


def _show_errors(
    say: Messages, forecast: Forecast, truth: Floats, past: Floats, month: str
) -> None:
    guesses = {
        "nestcast": forecast.mean[:, 0],
        "mean of the last 3 months": np.clip(past[:, -3:], *_CLIP).mean(axis=1),
        "same as the last month": np.clip(past[:, -1], *_CLIP),
        "nothing sold": np.zeros_like(truth),
    }
    right = np.clip(truth, *_CLIP)
    rows = [
        (name, f"{np.sqrt(np.mean((guess - right) ** 2)):.3f}") for name, guess in guesses.items()
    ]
    say.table(
        f"error over the {len(truth):,} shop-item pairs of {month}",
        ["forecast", "RMSE, units (less is better)"],
        rows,
    )
