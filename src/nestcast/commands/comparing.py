"""What `nestcast compare text` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nestcast.commands import options
from nestcast.console import Messages
from nestcast.errors import OptionError
from nestcast.lab.comparison import Comparison, Plan, Progress, Texts
from nestcast.lab.corpus import read_text
from nestcast.lab.runs import Training

_USUAL_PARAMETERS = 1_000_000


@dataclass(frozen=True)
class Options:
    """The options of the command; see its help."""

    files: dict[str, Path]
    also: list[str]
    cells: list[str]
    params: str | None
    hidden: int | None
    seeds: int
    lines: bool
    epochs: int
    patience: int
    rates: str
    trial_epochs: int
    embedding: int
    softmax: str
    dropout: float
    batch: int
    bptt: int
    min_count: int
    out: Path

    def plan(self) -> Plan:
        """What is the same for every cell.

        Raises:
            OptionError: an option makes no sense.
        """
        least = ("seeds", "epochs", "patience", "trial_epochs", "embedding", "batch", "bptt")
        for name in (*least, "min_count"):
            if getattr(self, name) < 1:
                raise OptionError(f"--{name.replace('_', '-')} must be 1 or more.")
        if not self.cells:
            raise OptionError("--cells names no cell. Give some, as in lstm:1,nested:2.")
        if not 0 <= self.dropout < 1:
            raise OptionError(f"--dropout must be 0 or more and below 1, not {self.dropout:g}.")
        if self.softmax not in ("tied", "plain"):
            raise OptionError(f"--softmax is tied or plain, not {self.softmax!r}.")
        if self.params is not None and self.hidden is not None:
            raise OptionError("--params and --hidden exclude each other. Give one of them.")
        if self.hidden is not None and self.hidden < 1:
            raise OptionError("--hidden must be 1 or more.")
        rates = tuple(dict.fromkeys(options.numbers(self.rates, "--rates")))
        if not rates or min(rates) <= 0:
            raise OptionError(f"--rates takes numbers above 0, not {self.rates!r}.")
        wanted = _USUAL_PARAMETERS if self.params is None else read_count(self.params)
        return Plan(
            parameters=wanted if self.hidden is None else None,
            hidden=self.hidden,
            embedding=self.embedding,
            tied=self.softmax == "tied",
            dropout=self.dropout,
            lines=self.lines,
            min_count=self.min_count,
            rates=rates,
            trial_epochs=self.trial_epochs,
            training=Training(self.epochs, self.patience, self.batch, self.bptt),
        )


def read_count(text: str) -> int:
    """A number of parameters.

    Example:
        >>> read_count("1.5M"), read_count("300k"), read_count("19680")
        (1500000, 300000, 19680)

    Raises:
        OptionError: it is no such number.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM]?)", text.strip())
    if not found or float(found[1]) == 0:
        raise OptionError(f"--params takes a number such as 300k or 1.5M, not {text!r}.")
    return round(float(found[1]) * {"": 1, "k": 1e3, "m": 1e6}[found[2].lower()])


def run_comparison(wanted: Options, say: Messages) -> None:
    """Train, score, and write what came out."""
    plan = wanted.plan()
    sources = {name: read_text(path) for name, path in wanted.files.items()}
    texts = Texts.of(sources, plan)
    comparison = Comparison(wanted.out, wanted.cells, wanted.seeds, plan, texts)
    comparison.claim_folder()
    with say.bar(comparison.total) as bar:

        def report(now: Progress) -> None:
            bar(now.run, now.done)

        comparison.run(report)
