"""The training loop: a loop one can read, shared by every recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from nestcast.errors import ModelError

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Args:
        epochs: passes over the batches.
        learning_rate: the highest one.
        weight_decay: of AdamW; 0 makes it Adam.
        cosine: warm up over the first 50 updates and decay along a cosine, or stay constant.
        max_norm: gradients are clipped to this norm.
    """

    epochs: int
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    cosine: bool = True
    max_norm: float = 1.0


@dataclass(frozen=True)
class Progress:
    """Where training stands, for a progress bar.

    Args:
        epoch, epochs: current epoch from 1, and how many there will be.
        batch, batches: batches done in this epoch, and how many it has.
        loss: mean loss of this epoch so far.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Report nothing: a library does not print."""


def train(
    parameters: Iterable[torch.nn.Parameter],
    batches: Callable[[], Sequence[Batch]],
    loss: Callable[[Batch], Tensor],
    options: TrainingOptions,
    report: Report = silent,
) -> float:
    """Minimise `loss` over `parameters`.

    Args:
        parameters: what is trained.
        batches: called once per epoch; gives that epoch's batches.
        loss: mean loss of a batch, a scalar with a gradient.
        options: how.
        report: told of progress after every batch.

    Returns:
        Mean loss over the last epoch.

    Raises:
        ModelError: the loss is no longer a number.
    """
    parameters = list(parameters)
    optimizer = torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    mean_loss = math.nan
    for epoch in range(1, options.epochs + 1):
        total = 0.0
        epoch_batches = batches()
        for number, batch in enumerate(epoch_batches, start=1):
            if options.cosine:
                done = (epoch - 1 + (number - 1) / len(epoch_batches)) / options.epochs
                update = (epoch - 1) * len(epoch_batches) + number
                for group in optimizer.param_groups:
                    group["lr"] = options.learning_rate * _warm_cosine(done, update)
            value = loss(batch)
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, options.max_norm)
            optimizer.step()
            total += value.item()
            mean_loss = total / number
            if not math.isfinite(mean_loss):
                raise ModelError(
                    f"training diverged in epoch {epoch} (loss {mean_loss}): "
                    "look for extreme values in the target, or clip it."
                )
            report(Progress(epoch, options.epochs, number, len(epoch_batches), mean_loss))
    return mean_loss


def _warm_cosine(done: float, update: int, *, warm_up: int = 50, floor: float = 0.02) -> float:
    """Share of the highest learning rate, `done` of the way through training."""
    decay = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, update / warm_up) * decay
