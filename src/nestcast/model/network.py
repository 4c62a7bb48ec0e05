"""The network: a recurrent encoder, embeddings of what each series is, and a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nestcast.errors import OptionError
from nestcast.model.recurrent import Cell, hidden_size_for, parameters

_FARTHEST = 20.0  # standard deviations that an input may be from its mean
MLP = "mlp"  # no memory: sees one step only


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network.

    Args:
        past, ahead: features of each step, and of each period that it forecasts.
        vocabularies: number of values of each embedded column, the unknown one not counted.
        outputs: raw numbers for each period ahead.
        cell: the encoder: a name as `recurrent.Cell` reads it, or `mlp`, which sees one step only.
        hidden_size: of the encoder.
        head_size: units of the head's first hidden layer.
        head_layers: hidden layers of the head, 1 or 2; the second has half as many units.
        dropout: on the hidden state, in training.
    """

    past: int
    ahead: int
    outputs: int
    vocabularies: tuple[int, ...] = ()
    cell: str = "nested:2"
    hidden_size: int = 48
    head_size: int = 128
    head_layers: int = 2
    dropout: float = 0.2

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The shape that was saved, as `asdict` gives it."""
        return cls(**{**values, "vocabularies": tuple(values["vocabularies"])})


class ForecastNetwork(nn.Module):
    """From a sequence of features to raw numbers for every period ahead of every step.

    Example:
        >>> network = ForecastNetwork(NetworkConfig(past=5, ahead=4, outputs=2))
        >>> past = torch.zeros(7, 3, 5)  # 7 steps of 3 series
        >>> ahead = torch.zeros(7, 3, 6, 4)  # 6 periods ahead
        >>> network(past, ahead, torch.zeros(3, 0, dtype=torch.long)).shape
        torch.Size([7, 3, 6, 2])

    Args:
        config: its shape.
    """

    past_center: Tensor
    past_spread: Tensor
    past_low: Tensor
    past_high: Tensor
    ahead_center: Tensor
    ahead_spread: Tensor
    ahead_low: Tensor
    ahead_high: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = [min(8, 1 + round(size**0.5)) for size in config.vocabularies]
        self.embeddings = nn.ModuleList(
            nn.Embedding(size + 1, width)  # row 0 stands for values not seen in training
            for size, width in zip(config.vocabularies, widths, strict=True)
        )
        for name, size in (("past", config.past), ("ahead", config.ahead)):
            self.register_buffer(f"{name}_center", torch.zeros(size))
            self.register_buffer(f"{name}_spread", torch.ones(size))
            self.register_buffer(f"{name}_low", torch.full((size,), -_FARTHEST))
            self.register_buffer(f"{name}_high", torch.full((size,), _FARTHEST))
        self.statics = sum(widths)
        seen = config.past + config.ahead
        self.encoder = Encoder(config, seen, self.statics)
        self.dropout = nn.Dropout(config.dropout)
        known = config.hidden_size, seen, self.statics
        self.head = Head(known, config.ahead, config.head_size, config.outputs, config.head_layers)
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, std=0.1)  # type: ignore[arg-type]

    def standardise(self, past: Tensor, ahead: Tensor) -> None:
        """Learn the centre and spread of each feature from samples, (n, past) and (n, ahead)."""
        for name, sample in (("past", past), ("ahead", ahead)):
            getattr(self, f"{name}_center").copy_(sample.mean(dim=0))
            spread = sample.std(dim=0, correction=0)
            # What did not vary has taught nothing: the day it does, it must not count.
            spread = torch.where(spread < 1e-3, torch.inf, spread.clamp(min=0.05))
            getattr(self, f"{name}_spread").copy_(spread)
            # Beyond what training has seen, a line that was learned leads anywhere.
            seen = self._standard(name, sample)
            getattr(self, f"{name}_low").copy_(seen.amin(dim=0))
            getattr(self, f"{name}_high").copy_(seen.amax(dim=0))

    def forward(
        self, past: Tensor, ahead: Tensor, codes: Tensor, last: Tensor | None = None
    ) -> Tensor:
        """Raw numbers at every step, or at one step of each series.

        Args:
            past: shape (steps, batch, past).
            ahead: shape (steps, batch, periods ahead, features); the first period ahead is the one
                right after the past.
            codes: value of each embedded column, 0 if unknown, shape (batch, columns).
            last: the one step wanted of each series, shape (batch,).

        Returns:
            Shape (steps, batch, periods ahead, outputs), without steps if `last` is given.
        """
        return self.read(*self.inputs(past, ahead, codes), last)

    def inputs(self, past: Tensor, ahead: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is known at each step, what the series is, and the periods ahead.

        Args:
            past, ahead, codes: as `forward` takes them.

        Returns:
            Shape (steps, batch, past + ahead) and (batch, static), and `ahead`, all but static in
            standard deviations.
        """
        past = self._standard("past", past).clamp(self.past_low, self.past_high)
        ahead = self._standard("ahead", ahead).clamp(self.ahead_low, self.ahead_high)
        static = torch.cat(
            [past.new_zeros(len(codes), 0)]
            + [embed(code) for embed, code in zip(self.embeddings, codes.T, strict=True)],
            dim=-1,
        )
        return torch.cat([past, ahead[:, :, 0]], dim=-1), static, ahead

    def _standard(self, name: str, features: Tensor) -> Tensor:
        """Features in standard deviations."""
        center: Tensor = getattr(self, f"{name}_center")
        spread: Tensor = getattr(self, f"{name}_spread")
        return ((features - center) / spread).clamp(-_FARTHEST, _FARTHEST)

    def read(
        self, seen: Tensor, static: Tensor, ahead: Tensor, last: Tensor | None = None
    ) -> Tensor:
        """From what `inputs` gives to what `forward` returns."""
        hidden = self.dropout(self.encoder(seen, static))
        if last is not None:
            at = last, torch.arange(len(last))
            hidden, seen, ahead = hidden[at], seen[at], ahead[at]
        raw: Tensor = self.head((hidden, seen, static), ahead)
        return raw


class Encoder(nn.Module):
    """A recurrent cell whose initial state depends on what the series is.

    Args:
        config: the network's shape.
        inputs: features of each step.
        static: features of the series.
    """

    def __init__(self, config: NetworkConfig, inputs: int, static: int) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.layer: nn.Module
        self.layers = self.states = 0
        if config.cell == MLP:
            self.layer = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh())
        else:
            self.layer = Cell.named(config.cell).build(inputs, hidden)
            # A layer has a hidden state and, but for the GRU, a memory for each level.
            self.layers = int(getattr(self.layer, "num_layers", 1))
            self.states = 1 + int(getattr(self.layer, "depth", 0))
        vectors = self.states * self.layers
        self.begin = nn.Linear(static, vectors * hidden) if static and vectors else None
        if self.begin is not None:
            nn.init.zeros_(self.begin.bias)

    def forward(self, x: Tensor, static: Tensor) -> Tensor:
        """Hidden state at every step, shape (steps, batch, hidden).

        Args:
            x: shape (steps, batch, inputs).
            static: shape (batch, static).
        """
        if self.states == 0:
            hidden: Tensor = self.layer(x)
            return hidden
        return self.layer(x, self.first(static))[0]  # type: ignore[no-any-return]

    def first(self, static: Tensor) -> Tensor | tuple[Tensor, Tensor] | None:
        """The state before the first step, as the cell takes it.

        Args:
            static: shape (batch, static).
        """
        if self.begin is None:
            return None
        begin = self.begin(static).unflatten(-1, (self.states, self.layers, -1))
        begin = begin.movedim(0, 2)  # (states, layers, batch, hidden)
        h = begin[0].tanh().contiguous()
        return h if self.states == 1 else (h, begin[1:].contiguous())


def check_cell(name: str) -> str:
    """The name of a cell as networks keep it.

    Raises:
        OptionError: there is no such cell.
    """
    if name == MLP:
        return name
    try:
        return str(Cell.named(name))
    except OptionError as error:
        raise OptionError(f"{error} Or take {MLP}, which has no memory.") from None


class Head(nn.Module):
    """From the state, and what is known of each period ahead, to the raw numbers of that period.

    One or two hidden layers beside a linear path; the output starts at zero, so that training
    starts from the forecast which the likelihood makes of zeros.

    Args:
        state: features of each part of the state.
        ahead: features of a period ahead.
        hidden: units of the first hidden layer.
        outputs: raw numbers.
        layers: how many hidden layers; the second has half as many units.
    """

    def __init__(
        self, state: tuple[int, ...], ahead: int, hidden: int, outputs: int, layers: int
    ) -> None:
        super().__init__()
        self.parts = state
        self.from_state = nn.Linear(sum(state), hidden)
        self.from_ahead = nn.Linear(ahead, hidden, bias=False)
        last = hidden if layers == 1 else max(1, hidden // 2)
        self.middle = (
            nn.Identity() if layers == 1 else nn.Sequential(nn.Linear(hidden, last), nn.ReLU())
        )
        self.last = nn.Linear(last, outputs)
        self.skip_state = nn.Linear(sum(state), outputs, bias=False)
        self.skip_ahead = nn.Linear(ahead, outputs, bias=False)
        for layer in (self.last, self.skip_state, self.skip_ahead):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, state: tuple[Tensor, ...], ahead: Tensor) -> Tensor:
        """Raw numbers of each period ahead.

        Args:
            state: its parts, shape (..., features); what is the same for all steps has no step.
            ahead: shape (..., periods ahead, features).

        Returns:
            Shape (..., periods ahead, outputs).
        """
        hidden = self._of(state, self.from_state)[..., None, :] + self.from_ahead(ahead)
        straight = self._of(state, self.skip_state)[..., None, :] + self.skip_ahead(ahead)
        raw: Tensor = self.last(self.middle(hidden.relu())) + straight
        return raw

    def _of(self, state: tuple[Tensor, ...], layer: nn.Linear) -> Tensor:
        """The layer on all parts: taken apart, those that are only given need no gradient."""
        weights = layer.weight.split(self.parts, dim=1)  # type: ignore[no-untyped-call]
        biases = [None] * (len(state) - 1) + [layer.bias]
        return reduce(torch.add, map(linear, state, weights, biases))


def as_large(config: NetworkConfig, cell: str) -> NetworkConfig:
    """The network with another cell, and as many parameters, within 3%.

    Example:
        >>> config = NetworkConfig(past=5, ahead=4, outputs=2)
        >>> as_large(config, "gru:1").hidden_size, as_large(config, "lstm:1").hidden_size
        (86, 76)

    Raises:
        OptionError: there is no such cell.
    """
    cell = check_cell(cell)

    def count(hidden: int, cell: str = cell) -> int:
        return parameters(ForecastNetwork(replace(config, cell=cell, hidden_size=hidden)))

    if cell == config.cell:
        return config
    size = hidden_size_for(count(config.hidden_size, config.cell), count, tolerance=0.03)
    return replace(config, cell=cell, hidden_size=size)
