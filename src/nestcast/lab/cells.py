"""The cells that are compared: those of the forecaster, and one that only known versions have."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from nestcast.lab.variants import AdditiveNestedLSTM
from nestcast.model.recurrent import KINDS, Cell, hidden_size_for, parameters

__all__ = ["Cell", "State", "detached", "hidden_size_for", "parameters"]

State = Any  # what a cell hands from one window to the next: a tensor or a tuple of tensors


def _additive(input_size: int, hidden_size: int, count: int) -> nn.Module:
    return AdditiveNestedLSTM(input_size, hidden_size, depth=count)


KINDS["nested-additive"] = (2, _additive)  # the input gate of the Keras version


def detached(state: State) -> State:
    """The state without its history, for truncated backpropagation."""
    if isinstance(state, Tensor):
        return state.detach()
    return tuple(detached(part) for part in state)
