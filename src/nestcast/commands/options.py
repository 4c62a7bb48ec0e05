"""Options that several commands share, in groups, and how their text is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from nestcast.errors import OptionError

Source = Annotated[str, typer.Argument(help="Folder with sales_train.csv, or a table file.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]
Clip = Annotated[str | None, typer.Option(help="Clip the target and the forecast, as in 0,20.")]
Level = Annotated[str, typer.Option(help="Intervals to give, in per cent.")]
Threads = Annotated[int | None, typer.Option(help="Processor threads to use.")]
Origins = Annotated[int, typer.Option(help="How many of the last origins.")]
Horizon = Annotated[int, typer.Option(help="Periods to forecast from each.")]
Step = Annotated[int, typer.Option(help="Periods from one origin to the next.")]
AskedPairs = Annotated[
    Path | None,
    typer.Option(help="Series to forecast, from a file; each from when its item sells."),
]
Cluster = Annotated[
    str | None, typer.Option(help="Column of the item, which intervals of differences draw.")
]
KnownAssortment = Annotated[
    bool,
    typer.Option(
        "--known-assortment", help="The series to forecast are known to be all that will be sold."
    ),
]
ExposurePlan = Annotated[
    Path | None, typer.Option(help="Planned impressions: series columns, date, impressions.")
]
Stock = Annotated[
    Path | None,
    typer.Option(
        help="What is in stock: shop_id, item_id, on_hand, and if known on_order, lead_time_days, "
        "unit_cost, holding_cost, shortage_cost. Else stock.csv of the folder, if there is one."
    ),
]
ServiceLevel = Annotated[
    float | None,
    typer.Option(help="Lead times that a reorder point is to get through, in per cent (95)."),
]


@dataclass(frozen=True)
class Rows:
    """Which rows to read, and how; see `read_panel`."""

    time: Annotated[str | None, typer.Option(help="Column with the date.")] = None
    series: Annotated[
        str | None, typer.Option(help="Columns that tell series apart, as in shop_id,item_id.")
    ] = None
    target: Annotated[str | None, typer.Option(help="Column to forecast.")] = None
    price: Annotated[str | None, typer.Option(help="Column with the price.")] = None
    observed: Annotated[
        str | None, typer.Option(help="Columns known only afterwards, as in temperature,stock.")
    ] = None
    known: Annotated[
        str | None, typer.Option(help="Columns known ahead, as in promotion,planned_price.")
    ] = None
    future: Annotated[
        Path | None, typer.Option(help="Table of the --known columns in the periods to forecast.")
    ] = None
    holidays: Annotated[
        str | None, typer.Option(help="Country whose holidays matter, as in US or DE-BY.")
    ] = None
    freq: Annotated[
        str | None, typer.Option(help="Length of a period: 1d, 1w or 1mo; of clicks also 1h.")
    ] = None
    date_format: Annotated[
        str | None, typer.Option(help="How dates are written, as in %d/%m/%Y.")
    ] = None
    encoding: Annotated[str, typer.Option(help="Encoding of the text files.")] = "utf-8"
    preset: Annotated[str | None, typer.Option(help="Known cleaning of a data set: 1c.")] = None
    keep_incomplete: Annotated[
        bool, typer.Option("--keep-incomplete", help="Train on an incomplete last period too.")
    ] = False
    max_rejected: Annotated[float, typer.Option(help="Share of bad rows at which to stop.")] = 0.01
    rejected: Annotated[
        Path | None, typer.Option(help="Where bad rows go. Else rejected.csv beside the result.")
    ] = None
    memory_limit: Annotated[str, typer.Option(help="Memory for reading.")] = "2GB"
    threads: Threads = None


@dataclass(frozen=True)
class ClickColumns:
    """The columns of a table of clicks beside those of other rows."""

    exposure: Annotated[
        str | None,
        typer.Option(
            help="Column of impressions, of which the target counts clicks; rows for a log."
        ),
    ] = None
    cost: Annotated[str | None, typer.Option(help="Column of money spent on impressions.")] = None
    revenue: Annotated[str | None, typer.Option(help="Column of money that clicks earned.")] = None
    year: Annotated[int | None, typer.Option(help="Year of dates that are written without.")] = None


@dataclass(frozen=True)
class ForecastOptions:
    """What to forecast, and how."""

    pairs: Annotated[
        Path | None,
        typer.Option(help="Series to forecast. Else test.csv of the folder, or all that sold."),
    ] = None
    horizon: Annotated[
        int | None, typer.Option(help="Periods ahead. Else 1, or what the model was fitted for.")
    ] = None
    level: Level = "80,95"
    clip: Clip = None
    recipe: Annotated[
        str | None,
        typer.Option(
            help="global (networks for all series; unless told), ensemble (with boosted trees too; "
            "at effort best where LightGBM is installed) or seed (classical)."
        ),
    ] = None
    effort: Annotated[
        str | None, typer.Option(help="How long to train: quick, standard (unless told) or best.")
    ] = None
    likelihood: Annotated[
        str | None,
        typer.Option(
            help="What is forecast is one of: negative-binomial (counts, unless told), poisson, "
            "zero-inflated, hurdle, "
            "student-t (other numbers, unless told), normal, tweedie, quantiles."
        ),
    ] = None
    cell: Annotated[
        str | None,
        typer.Option(
            help="What remembers: nested:2 (unless told), lstm:1, gru:1, with any number, or mlp."
        ),
    ] = None
    known_assortment: KnownAssortment = False
    tuning: Annotated[
        Path | None, typer.Option(help="Sizes and training options that nestcast tune found.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option(help="Forecast with this saved model; for clicks also eb (empirical Bayes)."),
    ] = None
    save_model: Annotated[Path | None, typer.Option(help="Save the model to this folder.")] = None
    seed: Seed = 0


@dataclass(frozen=True)
class BacktestOptions:
    """What to forecast again, with which models, and where to write how good they were."""

    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Scores: .csv, .csv.gz, .parquet, .json. Else stdout."),
    ] = None
    plot: Annotated[Path | None, typer.Option(help="Picture: .png, .svg or .pdf.")] = None
    forecasts: Annotated[
        Path | None, typer.Option(help="Every forecast with its truth: .csv, .csv.gz or .parquet.")
    ] = None
    models: Annotated[
        str | None,
        typer.Option(
            help="Any of nestcast, seed, zero, naive, seasonal-naive, mean-3 (or another number), "
            "croston, sba, tsb, ets, lightgbm; for clicks eb, eb-7, ewma, last-week, pooled, "
            "lightgbm. The others are compared with the first."
        ),
    ] = None
    origins: Origins = 5
    horizon: Horizon = 1
    step: Step = 1
    ask: Annotated[
        str | None,
        typer.Option(
            help="Series to forecast: grid (every shop x every item that sell in the periods "
            "forecast), known (all that have begun) or, for clicks, shown (all that have "
            "impressions then). Else grid for counts by shop and item, shown for clicks."
        ),
    ] = None
    pairs: AskedPairs = None
    level: Level = "50,80,95"
    clip: Clip = None
    seeds: Annotated[int, typer.Option(help="Runs of each model that has random numbers.")] = 1
    refit: Annotated[
        bool, typer.Option("--refit/--no-refit", help="Train at every origin, or at the first.")
    ] = True
    known_assortment: KnownAssortment = False
    cluster: Cluster = None
    without: Annotated[
        str | None, typer.Option(help="Score also without some series, as in shop_id=9,20.")
    ] = None


@dataclass(frozen=True)
class TuneOptions:
    """What to search, and by which forecasts to choose."""

    output: Annotated[
        Path, typer.Option("-o", "--output", help="What was found, for --tuning: a .json file.")
    ]
    trials: Annotated[int, typer.Option(help="Settings to try.")] = 20
    study: Annotated[
        Path | None,
        typer.Option(help="Keep the trials in this file; an interrupted search goes on from it."),
    ] = None
    origins: Annotated[int, typer.Option(help="How many of the last origins to judge by.")] = 3
    horizon: Horizon = 1
    step: Step = 1
    ask: Annotated[
        str | None, typer.Option(help="Series to forecast: grid or known, as in a backtest.")
    ] = None
    clip: Clip = None
    metric: Annotated[
        str, typer.Option(help="To make small: rmse, mae, rmsse, mase, quantile-loss or crps.")
    ] = "rmse"
    effort: Annotated[str, typer.Option(help="Of each trial: quick, standard or best.")] = "quick"
    seed: Seed = 0


def numbers(text: str, option: str) -> list[float]:
    """Numbers separated by commas.

    Example:
        >>> numbers("80, 95", "--level")
        [80.0, 95.0]

    Raises:
        OptionError: one is no number.
    """
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise OptionError(f"{option} takes numbers separated by commas, not {text!r}.") from None


def limits(text: str | None) -> tuple[float, float] | None:
    """The two ends of --clip.

    Raises:
        OptionError: they are not two numbers.
    """
    if text is None:
        return None
    ends = numbers(text, "--clip")
    if len(ends) != 2:
        raise OptionError(f"--clip takes a low and a high end, as in 0,20, not {text!r}.")
    return ends[0], ends[1]


def names(text: str) -> list[str]:
    """Names separated by commas.

    Example:
        >>> names("shop_id, item_id")
        ['shop_id', 'item_id']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def use_threads(threads: int | None) -> None:
    """Let PyTorch use so many threads.

    Raises:
        OptionError: fewer than one.
    """
    if threads is not None:
        if threads < 1:
            raise OptionError(f"--threads must be 1 or more, not {threads}.")
        import torch

        torch.set_num_threads(threads)
