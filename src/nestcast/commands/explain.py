"""`nestcast explain`: what happens inside a fitted model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nestcast.commands import options
from nestcast.errors import OptionError


def explain(
    model: Annotated[Path, typer.Argument(help="Folder of a nestcast compare text.")],
    line: Annotated[str, typer.Option(help="Line of text that the model reads.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Picture: .png, .svg or .pdf.")
    ] = Path("inside.png"),
    cells: Annotated[
        str | None,
        typer.Option(help="Which models, as in nested:2,lstm:2. Else the best on validation."),
    ] = None,
    over: Annotated[
        Path | None, typer.Option(help="Measure how slowly memory moves over the lines of a file.")
    ] = None,
    most: Annotated[int, typer.Option(help="Lines of that file to read, at most.")] = 200,
    font: Annotated[
        Path | None, typer.Option(help="Font file with the line's characters, if none is found.")
    ] = None,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
) -> None:
    """Draw gates, memory and influence of the past while a character model reads a line."""
    from nestcast.console import Messages
    from nestcast.files import check_place
    from nestcast.lab import figure, inside, inside_figure
    from nestcast.lab.comparison import read_model
    from nestcast.lab.corpus import read_text

    say = Messages(quiet)
    if not figure.possible():
        raise OptionError("pictures need matplotlib: pip install 'nestcast[plots]'.")
    if output.suffix not in (".png", ".svg", ".pdf"):
        raise OptionError(f"cannot draw {output}: end its name in .png, .svg or .pdf.")
    if most < 1:
        raise OptionError("--most must be 1 or more.")
    check_place(output)
    others = [] if over is None else read_text(over).lines[:most]
    looks = []
    wanted: list[str | None] = [*options.names(cells or "")]
    for cell in wanted or [None]:
        trained, vocabulary = read_model(model, cell, seed)
        looks.append(inside.look(trained, vocabulary, line, others))
    if inside_figure.font_for(line, font) is None:
        say.say("no font here has the line's characters: they are numbered. See --font.")
    figure.save(inside_figure.picture(looks, font), output)
    for one in looks:
        for sentence in one.sentences():
            say.say(sentence)
    say.say(f"picture written to {output}")
