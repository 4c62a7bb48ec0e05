"""What the command says while it works: on stderr, one-line messages and progress bars."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nestcast.training import Progress as TrainingProgress
from nestcast.training import Report

_WIDE = 160  # characters
_MOST_LINES = 10  # more epochs than this share one bar
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Messages:
    """Messages to a person at a terminal.

    Args:
        quiet: say nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, emoji=False)

    def say(self, text: str) -> None:
        """Print one message."""
        self._console.print(escape(text), soft_wrap=True)

    def table(
        self,
        title: str,
        header: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        right: bool = False,
        result: bool = False,
    ) -> None:
        """Print a table; numbers, or with `right` all columns but the first, end at the right.

        What comes from data is shown as it is written, never as markup, emoji or commands to the
        terminal. With `result` it goes to stdout, quiet or not.
        """
        table = Table(
            title=escape(title),
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0) if right else (0, 1),
        )
        for number, name in enumerate(header):
            numeric = all(isinstance(row[number], int | float) for row in rows)
            at_right = numeric or (right and number > 0)
            # Where a table is too wide, headings are broken and not the names of its rows.
            whole = right and number == 0
            table.add_column(escape(name), justify="right" if at_right else "left", no_wrap=whole)
        for row in rows:
            table.add_row(*(Text(plain(_shown(cell))) for cell in row))
        if result:
            # What is no terminal has no width to keep to.
            width = None if sys.stdout.isatty() else _WIDE
            Console(highlight=False, emoji=False, width=width).print(table)
        else:
            self._console.print(table)

    @contextmanager
    def steps(self, total: int) -> Iterator[Callable[[str], None]]:
        """A progress bar for so many steps, each of which is announced when it begins."""
        bar = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(bar_width=30),
            TextColumn("{task.description}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
        )
        task = bar.add_task("", total=total)
        begun = 0

        def announce(text: str) -> None:
            nonlocal begun
            bar.update(task, description=escape(text), completed=begun)
            begun += 1

        with bar:
            yield announce
            bar.update(task, description="", completed=total)

    @contextmanager
    def bar(self, total: float) -> Iterator[Callable[[str, float], None]]:
        """A progress bar that is told what goes on and how much of `total` is done."""
        bar = Progress(
            TextColumn("{task.percentage:>3.0f}%"),
            BarColumn(bar_width=30),
            TextColumn("{task.description}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
        )
        task = bar.add_task("", total=total)

        def tell(text: str, done: float) -> None:
            bar.update(task, description=escape(text), completed=done)

        with bar:
            yield tell
            bar.update(task, description="", completed=total)

    @contextmanager
    def training(self) -> Iterator[Report]:
        """A progress bar for training, with the loss of each epoch."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
        )
        tasks: dict[int, TaskID] = {}

        def report(now: TrainingProgress) -> None:
            one_line_each = now.epochs <= _MOST_LINES
            line = now.epoch if one_line_each else 0
            text = f"epoch {now.epoch}/{now.epochs}"
            total = now.batches if one_line_each else now.batches * now.epochs
            done = now.batch if one_line_each else now.batches * (now.epoch - 1) + now.batch
            if line not in tasks:
                tasks[line] = bar.add_task(text, total=total, loss=now.loss)
            bar.update(tasks[line], description=text, completed=done, total=total, loss=now.loss)

        with bar:
            yield report


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.2f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def plain(text: str) -> str:
    r"""Text without control characters, those that turn its direction included.

    Example:
        >>> plain("\x1b[2J\u202ecilbup")
        '�[2J�cilbup'
    """
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_control(one) else one for one in text)


def _is_control(character: str) -> bool:
    if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
        return True
    return character in _TURNING
