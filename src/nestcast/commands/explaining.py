"""What `nestcast explain` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nestcast.commands.options import use_threads
from nestcast.commands.reading import Reading
from nestcast.console import Messages
from nestcast.data.keys import Keys
from nestcast.data.panel import Panel
from nestcast.errors import DataError, OptionError
from nestcast.files import check_place
from nestcast.forecaster import Forecaster
from nestcast.lab import figure, inside, inside_figure, series_inside, series_inside_figure
from nestcast.lab.comparison import read_model
from nestcast.lab.corpus import read_text

_USUAL_NAME = "inside.png"


def picture_at(output: Path) -> Path:
    """Where the picture goes: a file, or a file in a folder.

    Raises:
        OptionError: no picture can be written there, or drawn at all.
    """
    if not figure.possible():
        raise OptionError("pictures need matplotlib: pip install 'nestcast[plots]'.")
    if output.is_dir():
        output = output / _USUAL_NAME
    if output.suffix not in (".png", ".svg", ".pdf"):
        raise OptionError(f"cannot draw {output}: end its name in .png, .svg or .pdf.")
    check_place(output)
    return output


def explain_text(
    folder: Path,
    line: str,
    output: Path,
    cells: Sequence[str],
    over: Path | None,
    most: int,
    font: Path | None,
    seed: int,
    say: Messages,
) -> None:
    """Draw what character models do while they read a line."""
    others = [] if over is None else read_text(over).lines[:most]
    looks = []
    wanted: list[str | None] = [*cells]
    for cell in wanted or [None]:
        trained, vocabulary = read_model(folder, cell, seed)
        looks.append(inside.look(trained, vocabulary, line, others))
    if inside_figure.font_for(line, font) is None:
        say.say("no font here has the line's characters: they are numbered. See --font.")
    figure.save(inside_figure.picture(looks, font), output)
    for one in looks:
        for sentence in one.sentences():
            say.say(sentence)
    say.say(f"picture written to {output}")


def named(item: str | None, shop: str | None, others: Sequence[str]) -> dict[str, str]:
    """The key values of a series, as given: column -> value.

    Example:
        >>> named("7", None, ["store=A"])
        {'item_id': '7', 'store': 'A'}

    Raises:
        OptionError: one is no column with a value, or named twice.
    """
    values = {"shop_id": shop, "item_id": item}
    found = {column: value for column, value in values.items() if value is not None}
    for text in others:
        column, equals, value = text.partition("=")
        if not (column and equals) or column in found:
            raise OptionError(
                f"--key takes another column and its value, as in store=A, not {text!r}."
            )
        found[column] = value
    return found


def explain_series(
    source: str,
    model: Path,
    wanted: Mapping[str, str],
    output: Path,
    most: int,
    reading: Reading,
    say: Messages,
) -> None:
    """Draw what a forecaster does while it reads a series."""
    use_threads(reading.rows.threads)
    forecaster = Forecaster.load(model)
    panel = reading.panel(source, say)
    one = _series(panel, wanted, say)
    look = series_inside.look_at_series(forecaster, panel, one, most)
    figure.save(series_inside_figure.picture(look), output)
    members = len(forecaster.global_network.networks)
    if members > 1:
        say.say(f"the model averages {members} networks: this is the first of them.")
    for sentence in look.sentences():
        say.say(sentence)
    say.say(f"picture written to {output}")


def _series(panel: Panel, wanted: Mapping[str, str], say: Messages) -> Keys:
    """The series of these key values; of several, the one that sold most.

    Raises:
        OptionError: a column is none of the keys.
        DataError: there is no such series.
    """
    names = panel.keys.names
    unknown = [column for column in wanted if column not in names]
    if unknown or not wanted:
        what = f"the series have no {unknown[0]}" if unknown else "no series is named"
        raise OptionError(f"{what}: name one by its {', '.join(names)} (--item, --shop or --key).")
    fits = np.ones(len(panel), bool)
    for column, value in wanted.items():
        fits &= panel.keys[column].astype(str) == value
    rows = np.flatnonzero(fits)
    told = ", ".join(f"{column} {value}" for column, value in wanted.items())
    if len(rows) == 0:
        raise DataError(f"the data have no series with {told}: name one that they have.")
    best = rows[np.argmax(np.nansum(panel.target[rows], axis=1))]
    one = panel.keys.take(np.array([best]))
    if len(rows) > 1:
        others = ", ".join(f"{name} {one[name][0]}" for name in names if name not in wanted)
        say.say(f"{len(rows):,} series have {told}: this is the one that sold most, {others}.")
    return one
