"""Options that several commands share, and how their text is read."""

from __future__ import annotations

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
Recipe = Annotated[
    str | None,
    typer.Option(
        help="global (networks for all series; unless told), ensemble (with boosted trees too; at "
        "effort best where LightGBM is installed) or seed (classical)."
    ),
]
Effort = Annotated[
    str | None, typer.Option(help="How long to train: quick, standard (unless told) or best.")
]
Likelihood = Annotated[
    str | None,
    typer.Option(
        help="What is forecast is one of: negative-binomial (counts, unless told), poisson, "
        "zero-inflated, hurdle, "
        "student-t (other numbers, unless told), normal, tweedie, quantiles."
    ),
]
Cell = Annotated[
    str | None,
    typer.Option(
        help="What remembers: nested:2 (unless told), lstm:1, gru:1, with any number, or mlp."
    ),
]

KnownAssortment = Annotated[
    bool,
    typer.Option(
        "--known-assortment", help="The series to forecast are known to be all that will be sold."
    ),
]
Tuning = Annotated[
    Path | None, typer.Option(help="Sizes and training options that nestcast tune found.")
]

Time = Annotated[str | None, typer.Option(help="Column with the date.")]
Series = Annotated[
    str | None, typer.Option(help="Columns that tell series apart, as in shop_id,item_id.")
]
Target = Annotated[str | None, typer.Option(help="Column to forecast.")]
Price = Annotated[str | None, typer.Option(help="Column with the price.")]
Exposure = Annotated[
    str | None,
    typer.Option(help="Column of impressions, of which the target counts clicks; rows for a log."),
]
ExposurePlan = Annotated[
    Path | None, typer.Option(help="Planned impressions: series columns, date, impressions.")
]
Cost = Annotated[str | None, typer.Option(help="Column of money spent on impressions.")]
Revenue = Annotated[str | None, typer.Option(help="Column of money that clicks earned.")]
Year = Annotated[int | None, typer.Option(help="Year of dates that are written without.")]
Observed = Annotated[
    str | None, typer.Option(help="Columns known only afterwards, as in temperature,stock.")
]
Known = Annotated[
    str | None, typer.Option(help="Columns known ahead, as in promotion,planned_price.")
]
Future = Annotated[
    Path | None, typer.Option(help="Table of the --known columns in the periods to forecast.")
]
Holidays = Annotated[
    str | None, typer.Option(help="Country whose holidays matter, as in US or DE-BY.")
]
Freq = Annotated[
    str | None, typer.Option(help="Length of a period: 1d, 1w or 1mo; of clicks also 1h.")
]
DateFormat = Annotated[str | None, typer.Option(help="How dates are written, as in %d/%m/%Y.")]
Encoding = Annotated[str, typer.Option(help="Encoding of the text files.")]
Preset = Annotated[str | None, typer.Option(help="Known cleaning of a data set: 1c.")]
KeepIncomplete = Annotated[
    bool, typer.Option("--keep-incomplete", help="Train on an incomplete last period too.")
]
MaxRejected = Annotated[float, typer.Option(help="Share of bad rows at which to stop.")]
Rejected = Annotated[
    Path | None, typer.Option(help="Where bad rows go. Else rejected.csv beside the result.")
]
MemoryLimit = Annotated[str, typer.Option(help="Memory for reading.")]


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
