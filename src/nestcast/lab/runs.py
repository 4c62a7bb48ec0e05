"""One run: a cell, a seed and a learning rate, trained epoch by epoch and resumable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nestcast.errors import ModelError
from nestcast.files import replacing
from nestcast.lab.cells import State, detached
from nestcast.lab.corpus import NO_TARGET, Corpus, Strip
from nestcast.lab.model import CharacterModel, Shape
from nestcast.lab.usage import peak_memory, reset_peak_memory

Units = np.ndarray  # (pieces, 2): the sum of negative log-likelihoods in nats, and characters


@dataclass(frozen=True)
class Training:
    """How to train; the same for every cell.

    Args:
        epochs: passes over the training text, at most.
        patience: epochs without a better validation loss after which to stop; each of them halves
            the learning rate.
        batch: texts side by side.
        bptt: characters through which gradients flow back.
        max_norm: gradients are clipped to this norm.
    """

    epochs: int = 20
    patience: int = 3
    batch: int = 32
    bptt: int = 100
    max_norm: float = 1.0


@dataclass
class Epoch:
    """What was measured after an epoch.

    Args:
        epoch: from 1.
        train: mean negative log-likelihood per character while training, in nats.
        losses: the same after the epoch, by name of the text.
        rate: learning rate of the epoch.
        seconds: it took to train, without evaluation.
        processor_seconds: of all threads, in the same time.
        memory: most that the process held, in bytes; None where that cannot be told.
    """

    epoch: int
    train: float
    losses: dict[str, float]
    rate: float
    seconds: float
    processor_seconds: float
    memory: int | None


@dataclass
class History:
    """The epochs of a run, and where it stands."""

    epochs: list[Epoch] = field(default_factory=list)

    @property
    def best(self) -> int:
        """The epoch with the least validation loss, 0 if there is none yet."""
        if not self.epochs:
            return 0
        return min(self.epochs, key=lambda one: (one.losses["valid"], one.epoch)).epoch

    @property
    def best_valid(self) -> float:
        """The least validation loss."""
        return min((one.losses["valid"] for one in self.epochs), default=math.inf)

    @property
    def disappointments(self) -> int:
        """How many epochs were no better on validation than the best before them."""
        best, count = math.inf, 0
        for one in self.epochs:
            count += one.losses["valid"] >= best
            best = min(best, one.losses["valid"])
        return count

    def over(self, training: Training) -> bool:
        """Whether the stopping rule says stop."""
        done = len(self.epochs)
        failed = done > 0 and not math.isfinite(self.epochs[-1].train)
        return done >= training.epochs or done - self.best >= training.patience or failed


def sum_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """The sum of negative log-likelihoods in nats; logits (time, text, V), targets (time, text).

    Example:
        >>> loss = sum_losses(torch.zeros(2, 1, 8), torch.tensor([[3], [NO_TARGET]]))
        >>> round(loss.item(), 4), round(math.log(8), 4)
        (2.0794, 2.0794)
    """
    return cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="sum", ignore_index=NO_TARGET
    )


@torch.no_grad()
def evaluate(model: CharacterModel, corpus: Corpus, batch: int, bptt: int) -> Units:
    """Score each piece of a text.

    Returns:
        For each piece the sum of the negative log-likelihoods in nats and the number of
        characters, shape (pieces, 2).
    """
    model.eval()
    total = np.zeros((corpus.units, 2))
    for strip in corpus.strips(batch):
        state: State = None
        for window in strip.windows(bptt):
            logits, state = model(window.inputs, state)
            loss = cross_entropy(
                logits.flatten(0, 1), window.targets.flatten(), reduction="none"
            )  # 0 where there is no target
            counts = window.targets.flatten() != NO_TARGET
            at = window.units.flatten().numpy()
            for column, values in enumerate((loss.double(), counts.double())):
                total[:, column] += np.bincount(at, values.numpy(), minlength=corpus.units)
    return total


def mean_loss(units: Units) -> float:
    """Negative log-likelihood per character, in nats."""
    total, characters = units.sum(axis=0)
    return float(total / characters)


@dataclass(frozen=True)
class Finished:
    """A run that is over.

    Args:
        history: its epochs.
        test_units: losses of the pieces of the test text after the best epoch, see `evaluate`.
        folder: where it is kept.
    """

    history: History
    test_units: Units
    folder: Path


Report = Callable[[float], None]  # the share of the epoch that is done


@dataclass
class Run:
    """A model in training, with what it takes to go on after an interruption.

    Args:
        shape: of the model.
        seed: of its first weights, the order of the lines and dropout.
        rate: learning rate at the beginning.
        training: how.
        folder: where it is kept.
    """

    shape: Shape
    seed: int
    rate: float
    training: Training
    folder: Path

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.model = CharacterModel(self.shape)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.rate)
        self.history = History()
        self.test_units: Units | None = None
        self._best = _copy(self.model)

    @property
    def file(self) -> Path:
        """What goes on from here."""
        return self.folder / "state.safetensors"

    def over(self) -> bool:
        """Whether the stopping rule says stop."""
        return self.history.over(self.training)

    def train_epoch(self, texts: Mapping[str, Corpus], report: Report) -> None:
        """One pass over `texts["train"]`, and the losses of the others after it."""
        number = len(self.history.epochs) + 1
        rate = self.rate * 0.5**self.history.disappointments
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.seed * 100_003 + number)  # a resumed run drops the same units
        strips = texts["train"].strips(self.training.batch, (self.seed, number))
        reset_peak_memory()
        begun, processor_begun = time.perf_counter(), time.process_time()
        train = self._pass_over(strips, report)
        seconds = time.perf_counter() - begun
        processor_seconds = time.process_time() - processor_begun
        memory = peak_memory()
        scores = {
            name: evaluate(self.model, corpus, self.training.batch, self.training.bptt)
            for name, corpus in texts.items()
            if name != "train"
        }
        losses = {name: mean_loss(units) for name, units in scores.items()}
        losses = {name: loss if math.isfinite(loss) else math.inf for name, loss in losses.items()}
        self.history.epochs.append(
            Epoch(number, train, losses, rate, seconds, processor_seconds, memory)
        )
        if self.history.best == number:
            self._best = _copy(self.model)
            self.test_units = scores["test"]

    def _pass_over(self, strips: list[Strip], report: Report) -> float:
        self.model.train()
        weights = list(self.model.parameters())
        total, characters = 0.0, 0
        for done, strip in enumerate(strips, start=1):
            state: State = None
            windows = list(strip.windows(self.training.bptt))
            for inside, window in enumerate(windows, start=1):
                count = int((window.targets != NO_TARGET).sum())
                logits, state = self.model(window.inputs, state)
                state = detached(state)
                loss = sum_losses(logits, window.targets)
                self.optimizer.zero_grad(set_to_none=True)
                (loss / count).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(weights, self.training.max_norm)
                self.optimizer.step()
                total, characters = total + loss.item(), characters + count
                if not math.isfinite(total):
                    return math.inf
                report((done - 1 + inside / len(windows)) / len(strips))
        return total / characters

    def save(self) -> None:
        """Keep all that the next epoch needs, whole or not at all."""
        tensors = {f"model.{name}": value for name, value in _copy(self.model).items()}
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        for number, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{slot}": value for slot, value in slots.items()}
        if self.test_units is not None:
            tensors["test_units"] = torch.from_numpy(self.test_units)
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.file) as aside:
            save_file(tensors, aside, self._identity() | {"history": _to_json(self.history)})

    def _identity(self) -> dict[str, str]:
        return {
            "shape": json.dumps(asdict(self.shape)), "seed": str(self.seed), "rate": repr(self.rate)
        }  # fmt: skip

    def load(self) -> bool:
        """Go on where a run in this folder stopped; False if there is none.

        Raises:
            ModelError: what is there is damaged, or another run.
        """
        if not self.file.exists():
            return False
        tensors, about = read_tensors(self.file)
        if {name: about.get(name) for name in self._identity()} != self._identity():
            raise ModelError(f"{self.file} is of another run. Choose another --out.")
        self.history = _from_json(about["history"])
        self.model.load_state_dict(_under(tensors, "model."))
        self._best = _under(tensors, "best.")
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimizer.").items():
            number, slot = name.split(".", 1)
            slots.setdefault(int(number), {})[slot] = value
        state = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": slots, "param_groups": state["param_groups"]})
        if "test_units" in tensors:
            self.test_units = tensors["test_units"].numpy()
        return True

    def finished(self) -> Finished:
        """What is left to say of it, without its weights."""
        assert self.test_units is not None
        return Finished(self.history, self.test_units, self.folder)


def load_best(folder: Path) -> CharacterModel:
    """The model of a run after its best epoch.

    Raises:
        ModelError: the file is missing or damaged.
    """
    tensors, about = read_tensors(folder / "state.safetensors")
    model = CharacterModel(Shape(**json.loads(about["shape"])))
    model.load_state_dict(_under(tensors, "best."))
    return model.eval()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and what it says about them.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read {path}: {error}. Delete it to train again.") from None


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _to_json(history: History) -> str:
    """JSON has no infinity: a run that diverged has nulls."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: finite(one) for name, one in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps([finite(asdict(one)) for one in history.epochs])


def _from_json(text: str) -> History:
    epochs = [Epoch(**one) for one in json.loads(text)]
    for one in epochs:
        one.train = math.inf if one.train is None else one.train
        one.losses = {name: math.inf if x is None else x for name, x in one.losses.items()}
    return History(epochs)
