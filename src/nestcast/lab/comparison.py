"""Cells compared fairly: the plan, and running what of it is not done yet."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nestcast.errors import DataError, ModelError, OptionError
from nestcast.files import check_place, replacing
from nestcast.lab.cells import Cell
from nestcast.lab.corpus import Corpus, Text, Vocabulary
from nestcast.lab.model import CharacterModel, Shape, matched_shape
from nestcast.lab.runs import Finished, Run, Training, evaluate, load_best, mean_loss

_SETTINGS, _VOCABULARY, RESULTS = "settings.json", "vocabulary.json", "results.json"


@dataclass(frozen=True)
class Plan:
    """What is the same for every cell.

    Args:
        parameters: of each model, within 1%; or None.
        hidden: hidden size of each model, where `parameters` is None.
        embedding: numbers that stand for a character.
        tied: the softmax uses the embedding's weights.
        dropout: of the cell's input and output.
        lines: each line is a sequence of its own.
        min_count: characters seen less often in training are read as unseen.
        rates: learning rates tried, as often for each cell.
        trial_epochs: epochs of each trial, with the first seed.
        training: epochs, batches, stopping rule.
    """

    parameters: int | None
    hidden: int | None = None
    embedding: int = 64
    tied: bool = True
    dropout: float = 0.0
    lines: bool = False
    min_count: int = 2
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    trial_epochs: int = 2
    training: Training = field(default_factory=Training)

    def shape(self, cell: str, characters: int) -> Shape:
        """The sizes of the model with this cell."""
        if self.parameters is None:
            assert self.hidden is not None
            return Shape(cell, characters, self.embedding, self.hidden, self.tied, self.dropout)
        return matched_shape(
            cell, characters, self.embedding, self.tied, self.dropout, self.parameters
        )


@dataclass(frozen=True)
class Texts:
    """The texts of a comparison, read with the vocabulary of the training text.

    Args:
        vocabulary: the characters the models know.
        corpora: by name; "train", "valid" and "test", and those to score at the end.
        sources: the texts themselves.
    """

    vocabulary: Vocabulary
    corpora: dict[str, Corpus]
    sources: dict[str, Text]

    @classmethod
    def of(cls, sources: Mapping[str, Text], plan: Plan) -> Texts:
        """Number the characters of all texts.

        Raises:
            DataError: the training text has no character often enough.
        """
        vocabulary = Vocabulary.of(sources["train"].text, plan.min_count)
        if len(vocabulary) < 3:
            raise DataError(
                f"{sources['train'].name} has no character {plan.min_count} times. "
                "Give more text, or --min-count 1."
            )
        corpora = {
            name: Corpus(text, vocabulary, lines=plan.lines) for name, text in sources.items()
        }
        return cls(vocabulary, corpora, dict(sources))

    def part(self, *names: str) -> dict[str, Corpus]:
        """Some of the corpora."""
        return {name: self.corpora[name] for name in names}


@dataclass(frozen=True)
class Progress:
    """Where a comparison stands.

    Args:
        run: what runs, in words.
        done: epochs done, with the share of the present one.
        total: epochs in all, if none stops early.
    """

    run: str
    done: float
    total: int


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Chosen:
    """The runs of one cell.

    Args:
        shape: of its models.
        trials: validation loss after the trial by learning rate.
        rate: the best of them.
        runs: finished, by seed.
    """

    shape: Shape
    trials: dict[float, float]
    rate: float
    runs: dict[int, Finished]


@dataclass
class Comparison:
    """Cells, seeds and a plan in a folder that keeps every finished epoch.

    Args:
        folder: where runs are kept.
        cells: names such as `nested:2`.
        seeds: how many, from 0.
        plan: what is the same for all.
        texts: what to learn and to score.
    """

    folder: Path
    cells: list[str]
    seeds: int
    plan: Plan
    texts: Texts

    def __post_init__(self) -> None:
        self.cells = list(dict.fromkeys(str(Cell.named(cell)) for cell in self.cells))
        characters = len(self.texts.vocabulary)
        self.shapes = {cell: self.plan.shape(cell, characters) for cell in self.cells}
        self._done = 0.0

    def claim_folder(self) -> None:
        """Make the folder, or see that what it holds is part of this comparison.

        Raises:
            OptionError: it cannot be made, or belongs to another comparison.
        """
        check_place(self.folder)
        now = self.settings()
        if self.folder.is_dir() and any(self.folder.iterdir()):
            _check_same(self.folder, now)
            write_json(self.folder / _SETTINGS, now)  # there may be more epochs to go
            return
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OptionError(f"cannot make {self.folder}: {error.strerror}.") from None
        write_json(self.folder / _SETTINGS, now)
        write_json(self.folder / _VOCABULARY, self.texts.vocabulary.characters)

    def settings(self) -> dict[str, Any]:
        """What all runs share, as JSON has it."""
        names = ("train", "valid", "test")
        texts = {name: self.texts.sources[name].fingerprint for name in names}
        plan = {**asdict(self.plan), "rates": list(self.plan.rates)}
        return {"plan": plan, "texts": texts}

    @property
    def total(self) -> int:
        """Epochs in all, if none stops early."""
        epochs, rates = self.plan.training.epochs, len(self.plan.rates)
        trials = (rates - 1) * min(self.plan.trial_epochs, epochs) if rates > 1 else 0
        return len(self.cells) * (trials + self.seeds * epochs)

    def run(self, report: Report) -> dict[str, Chosen]:
        """Train what is not trained yet, cell by cell.

        Raises:
            ModelError: a cell diverged at every learning rate.
        """
        self._done = 0.0
        # First the trials of all cells, then the first seed of all, so that an interrupted
        # comparison has something to say of each.
        trials = {cell: self._try_rates(cell, report) for cell in self.cells}
        best = {cell: min(losses, key=lambda rate: losses[rate]) for cell, losses in trials.items()}
        runs: dict[str, dict[int, Finished]] = {cell: {} for cell in self.cells}
        for seed in range(self.seeds):
            for cell in self.cells:
                runs[cell][seed] = self._finish(cell, seed, best[cell], report)
        return {
            cell: Chosen(self.shapes[cell], trials[cell], best[cell], runs[cell])
            for cell in self.cells
        }

    def _run(self, cell: str, seed: int, rate: float) -> Run:
        folder = run_folder(self.folder, cell, seed, rate)
        run = Run(self.shapes[cell], seed, rate, self.plan.training, folder)
        run.load()
        return run

    def _try_rates(self, cell: str, report: Report) -> dict[float, float]:
        """The first epochs of the first seed at each rate; the best of them is gone on with."""
        epochs = min(self.plan.trial_epochs, self.plan.training.epochs)
        losses = {}
        if len(self.plan.rates) == 1:
            return {self.plan.rates[0]: math.nan}
        for rate in self.plan.rates:
            run = self._run(cell, 0, rate)
            self._train(run, epochs, report, f"{cell} trial of rate {rate:g}")
            seen = run.history.epochs[:epochs]
            finite = math.isfinite(seen[-1].train)
            losses[rate] = min(one.losses["valid"] for one in seen) if finite else math.inf
            self._done += epochs
        self._done -= epochs  # of one, which is part of a run
        if not any(map(math.isfinite, losses.values())):
            raise ModelError(f"{cell} diverged at every learning rate. Give lower ones to --rates.")
        return losses

    def _finish(self, cell: str, seed: int, rate: float, report: Report) -> Finished:
        run = self._run(cell, seed, rate)
        self._train(run, self.plan.training.epochs, report, f"{cell} seed {seed}")
        if not run.history.best or not math.isfinite(run.history.best_valid):
            raise ModelError(f"{cell} diverged with seed {seed}. Give lower --rates.")
        self._done += self.plan.training.epochs
        return run.finished()

    def _train(self, run: Run, epochs: int, report: Report, name: str) -> None:
        texts = self.texts.part("train", "valid", "test")
        while len(run.history.epochs) < epochs and not run.over():
            done = len(run.history.epochs)
            shown = f"{name}, epoch {done + 1}"

            def tell(share: float, done: int = done, shown: str = shown) -> None:
                report(Progress(shown, self._done + done + share, self.total))

            run.train_epoch(texts, tell)
            run.save()


def score_also(
    chosen: Mapping[str, Chosen], texts: Texts, training: Training, report: Callable[[str], None]
) -> dict[str, dict[str, list[float]]]:
    """Losses of every model on the further texts: by text, cell and seed.

    What was scored before is not scored again.
    """
    names = [name for name in texts.corpora if name not in ("train", "valid", "test")]
    losses: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for cell, one in chosen.items():
        for seed, run in one.runs.items():
            kept_at = run.folder / "also.json"
            kept = read_json(kept_at) if kept_at.exists() else {}
            for name in names:
                key = texts.sources[name].fingerprint
                if key not in kept:
                    report(f"{cell} seed {seed} on {name}")
                    model = load_best(run.folder)
                    kept[key] = mean_loss(
                        evaluate(model, texts.corpora[name], training.batch, training.bptt)
                    )
                    write_json(kept_at, kept)
                losses[name].setdefault(cell, []).append(kept[key])
    return losses


def read_model(
    folder: Path, cell: str | None = None, seed: int = 0
) -> tuple[CharacterModel, Vocabulary]:
    """A trained model of a finished comparison, and the characters it knows.

    Args:
        folder: of the comparison.
        cell: which; the best on validation if not given.
        seed: which.

    Raises:
        DataError: there is no finished comparison.
        OptionError: it has no such cell or seed.
    """
    if not (folder / RESULTS).exists():
        raise DataError(
            f"{folder} holds no finished comparison. Run nestcast compare text with this --out."
        )
    cells = read_json(folder / RESULTS)["cells"]
    name = min(cells, key=lambda one: cells[one]["valid"]["nll"])
    if cell is not None:
        name = str(Cell.named(cell))
    seeds = [run["seed"] for run in next(iter(cells.values()))["seeds"]]
    if name not in cells or seed not in seeds:
        raise OptionError(
            f"{folder} has no {name} with seed {seed}. It has {', '.join(cells)} with "
            f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}."
        )
    model = load_best(run_folder(folder, name, seed, cells[name]["rate"]))
    return model, Vocabulary(read_json(folder / _VOCABULARY))


def run_folder(folder: Path, cell: str, seed: int, rate: float) -> Path:
    """Where a run of a comparison is kept."""
    return folder / "runs" / cell.replace(":", "-") / f"seed-{seed}-rate-{rate:g}"


def write_json(path: Path, value: Any) -> None:
    """Write JSON a person can read, whole or not at all."""
    with replacing(path) as aside:
        aside.write_text(
            json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from None
    except ValueError:
        raise DataError(f"{path} is damaged: it is no JSON.") from None


def _check_same(folder: Path, now: dict[str, Any]) -> None:
    if not (folder / _SETTINGS).exists():
        raise OptionError(f"{folder} holds other things. Choose a new folder for --out.")
    before = read_json(folder / _SETTINGS)
    for name, new in now["texts"].items():
        if before["texts"].get(name) != new:
            raise OptionError(
                f"{folder} holds a comparison with another text for --{name}. "
                "Choose another --out, or give the same text to go on."
            )
    old_plan, plan = (_flat(one["plan"]) for one in (before, now))
    for name, new in plan.items():
        grown = name == "epochs" and old_plan[name] <= new  # the same runs, only longer
        if old_plan.get(name) != new and not grown:
            raise OptionError(
                f"{folder} holds a comparison with {name} {_shown(old_plan.get(name))}, not "
                f"{_shown(new)}. Choose another --out, or the same settings to go on."
            )


def _flat(plan: dict[str, Any]) -> dict[str, Any]:
    return {**{name: one for name, one in plan.items() if name != "training"}, **plan["training"]}


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
