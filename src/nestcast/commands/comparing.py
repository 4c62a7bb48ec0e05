"""What `nestcast compare text` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nestcast.commands import options
from nestcast.console import Messages
from nestcast.errors import OptionError
from nestcast.files import replacing
from nestcast.lab import figure
from nestcast.lab.comparison import (
    RESULTS,
    Comparison,
    Plan,
    Progress,
    Texts,
    read_model,
    score_also,
    write_json,
)
from nestcast.lab.corpus import Text, read_text
from nestcast.lab.results import Results, also_table, markdown, narrow, results, rows
from nestcast.lab.runs import Training
from nestcast.lab.sampling import sample

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
    sources |= _also(wanted.also)
    texts = Texts.of(sources, plan)
    comparison = Comparison(wanted.out, wanted.cells, wanted.seeds, plan, texts)
    comparison.claim_folder()
    drawable = figure.possible()
    if not drawable:
        say.say("no figure will be drawn: it needs matplotlib (pip install 'nestcast[plots]').")
    for name, corpus in texts.corpora.items():
        say.say(
            f"{name}: {corpus.characters:,} characters, {corpus.unseen:,} of them "
            f"{'too rare to learn' if name == 'train' else 'unseen or too rare in training'}"
        )
    try:
        with say.bar(comparison.total) as bar:

            def report(now: Progress) -> None:
                bar(now.run, now.done)

            chosen = comparison.run(report)
            also = score_also(
                chosen, texts, plan.training, lambda text: bar(text, comparison.total)
            )
    except KeyboardInterrupt:
        say.say("the same command goes on after the last whole epoch.")
        raise
    found = results(chosen, texts, comparison.settings(), also)
    write_json(wanted.out / RESULTS, found)
    with replacing(wanted.out / "table.md") as aside:
        aside.write_text(markdown(found), encoding="utf-8")
    if drawable:
        picture = figure.learning_curves(found)
        for ending in ("png", "svg"):
            figure.save(picture, wanted.out / f"curves.{ending}")
    _tell(found, wanted.out, say)


def _also(pairs: list[str]) -> dict[str, Text]:
    texts: dict[str, Text] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path) or name in ("train", "valid", "test", *texts):
            raise OptionError(
                f"--also takes a new name and a file, as in song=song.txt, not {pair!r}."
            )
        texts[name] = read_text(Path(path))
    return texts


def _tell(found: Results, out: Path, say: Messages) -> None:
    say.table("Losses per character, nll in nats", *narrow(rows(found)), right=True)
    if found["also"]:
        say.table("On other texts, nats per character", *also_table(found), right=True)
    for one in found["differences"]:
        say.say(one["sentence"])
    if len(next(iter(found["cells"].values()))["seeds"]) == 1:
        say.say("with one seed, intervals do not tell what another seed would change.")
    say.say(f"results.json, table.md and the figure curves.png, .svg are in {out}")


@dataclass(frozen=True)
class Sampling:
    """Which model writes, and how."""

    folder: Path
    cell: str | None
    seed: int
    lines: int
    prompt: str
    temperature: float


def print_sample(wanted: Sampling, say: Messages) -> None:
    """Print lines written by a trained model."""
    if wanted.lines < 1:
        raise OptionError("--sample must be 1 or more.")
    model, vocabulary = read_model(wanted.folder, wanted.cell, wanted.seed)
    unseen = sorted({one for one in wanted.prompt if one not in vocabulary.characters})
    if unseen:
        say.say(f"the model never saw {''.join(unseen)!r} of the prompt.")
    written = sample(
        model, vocabulary, wanted.prompt, wanted.temperature, wanted.lines, seed=wanted.seed
    )
    print("\n".join(written))
