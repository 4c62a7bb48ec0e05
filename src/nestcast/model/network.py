"""The network: a Nested LSTM over the steps, embeddings of what each series is, and a head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nestcast.model.likelihood import Likelihood
from nestcast.nn import NestedLSTM


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network.

    Args:
        inputs: features of each step.
        vocabularies: number of values of each embedded column, the unknown one not counted.
        hidden_size, depth: of the Nested LSTM.
        head_size: units of the head's hidden layer.
        dropout: on the hidden state, in training.
    """

    inputs: int
    vocabularies: tuple[int, ...] = ()
    hidden_size: int = 48
    depth: int = 2
    head_size: int = 64
    dropout: float = 0.2


class ForecastNetwork(nn.Module):
    """From a sequence of features to the raw parameters of a distribution at every step.

    Example:
        >>> from nestcast.model.likelihood import NegativeBinomial
        >>> network = ForecastNetwork(NetworkConfig(inputs=5), horizon=3, family=NegativeBinomial())
        >>> network(torch.zeros(7, 2, 5), torch.zeros(2, 0, dtype=torch.long)).shape
        torch.Size([7, 2, 3, 2])

    Args:
        config: its shape.
        horizon: periods ahead that each step forecasts.
        family: the likelihood whose parameters it gives.
    """

    center: Tensor
    spread: Tensor

    def __init__(self, config: NetworkConfig, horizon: int, family: Likelihood) -> None:
        super().__init__()
        self.shape = (horizon, family.parameters)
        widths = [min(8, 1 + round(size**0.5)) for size in config.vocabularies]
        self.embeddings = nn.ModuleList(
            nn.Embedding(size + 1, width)  # row 0 stands for values not seen in training
            for size, width in zip(config.vocabularies, widths, strict=True)
        )
        self.register_buffer("center", torch.zeros(config.inputs))
        self.register_buffer("spread", torch.ones(config.inputs))
        width = config.inputs + sum(widths)
        self.encoder = NestedLSTM(width, config.hidden_size, depth=config.depth)
        self.dropout = nn.Dropout(config.dropout)
        outputs = horizon * family.parameters
        self.head = nn.Sequential(
            nn.Linear(config.hidden_size + width, config.head_size),
            nn.ReLU(),
            nn.Linear(config.head_size, outputs),
        )
        self.skip = nn.Linear(config.hidden_size + width, outputs, bias=False)
        self._reset(family)

    def _reset(self, family: Likelihood) -> None:
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, std=0.1)  # type: ignore[arg-type]
        last = self.head[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(self.skip.weight)
        last.bias.data = torch.tensor(family.initial_bias()).repeat(self.shape[0])

    def standardise(self, sample: Tensor) -> None:
        """Learn the centre and the spread of each input from a sample of them, (n, inputs)."""
        self.center.copy_(sample.mean(dim=0))
        self.spread.copy_(sample.std(dim=0, correction=0).clamp(min=0.05))

    def forward(self, inputs: Tensor, codes: Tensor, last: Tensor | None = None) -> Tensor:
        """Raw parameters at every step, or at one step of each series.

        Args:
            inputs: shape (steps, batch, inputs).
            codes: value of each embedded column, 0 if unknown, shape (batch, columns).
            last: the one step wanted of each series, shape (batch,).

        Returns:
            Shape (steps, batch, horizon, parameters), without steps if `last` is given.
        """
        x = ((inputs - self.center) / self.spread).clamp(-8, 8)
        if len(self.embeddings):
            static = [embed(code) for embed, code in zip(self.embeddings, codes.T, strict=True)]
            known = torch.cat(static, dim=-1).expand(len(x), -1, -1)
            x = torch.cat([x, known], dim=-1)  # (steps, batch, width)
        hidden, _ = self.encoder(x)
        state = torch.cat([self.dropout(hidden), x], dim=-1)
        if last is not None:
            state = state[last, torch.arange(len(last))]
        raw: Tensor = self.head(state) + self.skip(state)
        return raw.view(*raw.shape[:-1], *self.shape)
