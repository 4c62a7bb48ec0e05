"""Recurrent cells by name, and hidden sizes at which networks have equally many parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from nestcast.errors import OptionError
from nestcast.nn import NestedLSTM

# From input size, hidden size and a number of layers or levels.
Builder = Callable[[int, int, int], nn.Module]


class GRU(nn.GRU):
    """`torch.nn.GRU` with the first weights that the other cells get."""

    def reset_parameters(self) -> None:
        """Draw new weights: recurrent ones orthogonal, others Glorot, biases 0."""
        for name, weight in self.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(weight)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(weight)
            else:
                nn.init.xavier_uniform_(weight)


def _lstm(input_size: int, hidden_size: int, count: int) -> nn.Module:
    return NestedLSTM(input_size, hidden_size, num_layers=count, depth=1)


def _gru(input_size: int, hidden_size: int, count: int) -> nn.Module:
    return GRU(input_size, hidden_size, num_layers=count)


def _nested(input_size: int, hidden_size: int, count: int) -> nn.Module:
    return NestedLSTM(input_size, hidden_size, depth=count)


def _identity(input_size: int, hidden_size: int, count: int) -> nn.Module:
    return NestedLSTM(input_size, hidden_size, depth=count, candidate="identity")


# By name: the usual number, and how to build one. Others may be added under names of their own.
KINDS: dict[str, tuple[int, Builder]] = {
    "nested": (2, _nested),
    "lstm": (1, _lstm),
    "gru": (1, _gru),
    "nested-identity": (2, _identity),  # the candidate of the paper
}


@dataclass(frozen=True)
class Cell:
    """A kind of cell and how many layers or levels it has.

    Example:
        >>> import torch
        >>> Cell.named("nested:3")
        Cell(kind='nested', count=3)
        >>> str(Cell.named("lstm"))
        'lstm:1'
        >>> Cell.named("lstm:2").build(8, 16)(torch.zeros(5, 1, 8))[0].shape
        torch.Size([5, 1, 16])
    """

    kind: str
    count: int

    @classmethod
    def named(cls, text: str) -> Cell:
        """Read a name such as `lstm:2`.

        Raises:
            OptionError: there is no such cell.
        """
        kind, colon, count = text.strip().partition(":")
        if kind not in KINDS or (colon and not (count.isdecimal() and 1 <= int(count) <= 16)):
            known = ", ".join(f"{name}:{usual}" for name, (usual, _) in KINDS.items())
            raise OptionError(
                f"no cell is called {text.strip()!r}. Known are {known}, with a number of layers "
                "(lstm, gru) or levels (nested) from 1 to 16."
            )
        return cls(kind, int(count) if colon else KINDS[kind][0])

    def __str__(self) -> str:
        return f"{self.kind}:{self.count}"

    def build(self, input_size: int, hidden_size: int) -> nn.Module:
        """A module from (time, batch, input_size) and a state to (time, batch, hidden_size)."""
        return KINDS[self.kind][1](input_size, hidden_size, self.count)


def parameters(module: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(weight.numel() for weight in module.parameters())


def hidden_size_for(wanted: int, count: Callable[[int], int], tolerance: float = 0.01) -> int:
    """The hidden size at which a model has `wanted` parameters, within 1%.

    Example:
        >>> hidden_size_for(19_680, lambda H: parameters(Cell("nested", 2).build(1, H)))
        40

    Args:
        wanted: number of parameters.
        count: gives the parameters at a hidden size; quadratic, as recurrent networks are, or
            linear.
        tolerance: share of `wanted` that may be missing or too much.

    Raises:
        OptionError: no hidden size comes so close.
    """
    one, two, three = count(1), count(2), count(3)
    a = (three - 2 * two + one) / 2
    b = two - one - 3 * a
    free = one - a - b

    def at(size: int) -> float:
        return a * size * size + b * size + free

    missing = max(0.0, wanted - free)
    root = missing / b if a == 0 else (-b + (b * b + 4 * a * missing) ** 0.5) / (2 * a)
    size = max(1, min((int(root), int(root) + 1), key=lambda size: abs(at(size) - wanted)))
    if abs(at(size) - wanted) > tolerance * wanted:
        raise OptionError(
            f"no hidden size comes within {tolerance:.0%} of {wanted:,} parameters: size {size} "
            f"has {int(at(size)):,}. Ask for another number with --params."
        )
    return size
