"""`nestcast explain`: what happens inside a fitted model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nestcast.commands import options
from nestcast.commands.grouped import grouped
from nestcast.errors import OptionError


@grouped
def explain(
    *,
    source: Annotated[
        str,
        typer.Argument(help="Folder of a nestcast compare text; with --model, folder or table."),
    ],
    line: Annotated[str | None, typer.Option(help="Line of text that the model reads.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Forecaster saved by nestcast forecast --save-model.")
    ] = None,
    item: Annotated[str | None, typer.Option(help="Series it reads: its item_id.")] = None,
    shop: Annotated[str | None, typer.Option(help="Series it reads: its shop_id.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Series it reads: value of another column, as in store=A; repeatable."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Picture (.png, .svg or .pdf), or its folder.")
    ] = Path("inside.png"),
    cells: Annotated[
        str | None,
        typer.Option(help="Which models, as in nested:2,lstm:2. Else the best on validation."),
    ] = None,
    over: Annotated[
        Path | None, typer.Option(help="Measure how slowly memory moves over the lines of a file.")
    ] = None,
    most: Annotated[
        int, typer.Option(help="Lines of that file, or series of the data, to measure on.")
    ] = 200,
    font: Annotated[
        Path | None, typer.Option(help="Font file with the line's characters, if none is found.")
    ] = None,
    seed: options.Seed = 0,
    rows: options.Rows,
    quiet: options.Quiet = False,
) -> None:
    """Draw gates, memory and influence of the past while a model reads a line or a series."""
    from nestcast.commands import explaining
    from nestcast.commands.reading import Reading
    from nestcast.console import Messages

    place = explaining.picture_at(output)
    if most < 1:
        raise OptionError("--most must be 1 or more.")
    if (line is None) == (model is None):
        raise OptionError(
            "give --line for a folder of compare text, or --model with --item, --shop or --key."
        )
    named = explaining.named(item, shop, key or [])
    if line is not None:
        if named:
            raise OptionError("--item, --shop and --key are for --model: leave them out.")
        explaining.explain_text(
            Path(source), line, place, options.names(cells or ""), over, most, font, seed,
            Messages(quiet),
        )  # fmt: skip
        return
    assert model is not None
    if cells is not None or over is not None:
        raise OptionError("--cells and --over are for --line: leave them out.")
    reading = Reading(rows, place)
    explaining.explain_series(source, model, named, place, most, reading, Messages(quiet))
