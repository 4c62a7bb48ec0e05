"""What the layer and the cell share: their parameters' names, first values and loading."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from nestcast.nn.reference import Candidate, Level

Device = torch.device | str | int | None

_USUAL = {
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "proj_size": 0,
    "depth": None,  # always shown
    "recurrent_dropout": 0.0,
    "candidate": "tanh",
    "compute_dtype": None,
}


class NestedLSTMBase(nn.Module):
    """Holds the weights of nested levels under the names that `torch.nn.LSTM` gives them.

    The outermost level is `weight_ih{suffix}`, `weight_hh{suffix}`, `bias_ih{suffix}` as in
    PyTorch, with one bias per gate instead of two; level j inside it adds `_inner{j}`.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, depth: int, candidate: Candidate
    ) -> None:
        super().__init__()
        if not isinstance(bias, bool):
            raise TypeError(f"bias should be of type bool, got: {type(bias).__name__}")
        for name, size in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("depth", depth),
        ):
            if not isinstance(size, int):
                raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
            if size <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if candidate not in get_args(Candidate):
            raise ValueError(f"candidate should be 'tanh' or 'identity', got: {candidate!r}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.depth = depth
        self.candidate: Candidate = candidate

    def _add_levels(
        self,
        suffix: str,
        input_size: int,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        H = self.hidden_size

        def add(name: str, *shape: int) -> None:
            weight = torch.empty(shape, device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(weight))

        for level in range(self.depth):
            end = _level_suffix(suffix, level)
            add(f"weight_ih{end}", 4 * H, H if level else input_size)
            add(f"weight_hh{end}", 4 * H, H if level else (proj_size or H))
            if self.bias:
                add(f"bias_ih{end}", 4 * H)
            else:
                self.register_parameter(f"bias_ih{end}", None)
        if proj_size:
            add(f"weight_hr{suffix}", proj_size, H)

    def _levels(self, suffix: str) -> list[Level]:
        ends = [_level_suffix(suffix, level) for level in range(self.depth)]
        return [
            Level(*(getattr(self, name + end) for name in ("weight_ih", "weight_hh", "bias_ih")))
            for end in ends
        ]

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw new weights: recurrent ones orthogonal, others Glorot; forget biases are 1."""
        for name, weight in self.named_parameters():
            if name.startswith("bias"):
                weight.zero_()
                weight[self.hidden_size : 2 * self.hidden_size] = 1.0
            elif name.startswith("weight_hh"):
                _orthogonal_(weight)
            else:
                nn.init.xavier_uniform_(weight)

    def extra_repr(self) -> str:
        """The arguments, as `print` shows them; those with their usual value left out."""
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name, usual in _USUAL.items()
            if getattr(self, name, usual) != usual
        ]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *shown])

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # `load_state_dict` hands over a copy, so the caller's dict stays as it is.
        for key in [key for key in state_dict if key.startswith(f"{prefix}bias_hh")]:
            kept = f"{prefix}bias_ih{key.removeprefix(f'{prefix}bias_hh')}"
            if self.bias and kept in state_dict:  # PyTorch's two biases are only ever added
                state_dict[kept] = state_dict[kept] + state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _level_suffix(suffix: str, level: int) -> str:
    return f"{suffix}_inner{level}" if level else suffix


def _orthogonal_(weight: Tensor) -> None:
    if weight.dtype in (torch.float32, torch.float64):
        nn.init.orthogonal_(weight)
    else:  # QR decomposition knows no shorter floats
        weight.copy_(nn.init.orthogonal_(weight.float()))
