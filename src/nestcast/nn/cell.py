"""One step of the Nested LSTM, with the conventions of `torch.nn.LSTMCell`."""

from __future__ import annotations

import torch
from torch import Tensor

from nestcast.nn.parameters import Device, NestedLSTMBase
from nestcast.nn.reference import Candidate, nested_lstm_step


class NestedLSTMCell(NestedLSTMBase):
    """One step of a Nested LSTM, where `torch.nn.LSTMCell` would stand.

    Example:
        >>> cell = NestedLSTMCell(10, 20, depth=2)
        >>> h, c = cell(torch.randn(3, 10))
        >>> h.shape, c.shape
        (torch.Size([3, 20]), torch.Size([2, 3, 20]))
        >>> h, c = cell(torch.randn(3, 10), (h, c))

    Args:
        input_size: number of features of the input.
        hidden_size: number of features of the hidden state and of every cell.
        bias: whether the gates have a bias.
        depth: number of nested cells; 1 is exactly an LSTM.
        candidate: activation of the outermost candidate, "tanh" or "identity" (the paper's).
        device, dtype: of the weights.

    Source: Moniz and Krueger, "Nested LSTMs", arXiv 1801.10308; the equations are in
    `nestcast.nn.reference`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        depth: int = 2,
        candidate: Candidate = "tanh",
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, depth, candidate)
        self._add_levels("", input_size, device=device, dtype=dtype)
        self.reset_parameters()

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Take one step.

        Args:
            input: shape (N, input_size), or (input_size,) for one sample.
            hx: the state (h, c) before the step, h of shape (N, H) and c of shape (depth, N, H),
                without N for one sample; zeros if not given.

        Returns:
            The state (h, c) after the step, in the same shapes.

        Raises:
            ValueError: input or state has the wrong number of dimensions.
            RuntimeError: their sizes do not fit the weights or each other.
        """
        if input.dim() not in (1, 2):
            raise ValueError(
                f"NestedLSTMCell: Expected input to be 1D or 2D, got {input.dim()}D instead"
            )
        batched = input.dim() == 2
        if hx is not None:
            for name, value, dims in (("h", hx[0], input.dim()), ("c", hx[1], input.dim() + 1)):
                if value.dim() != dims:
                    raise ValueError(
                        f"NestedLSTMCell: Expected {name} to be {dims}D for {input.dim()}D input, "
                        f"got {value.dim()}D instead"
                    )
        if not batched:
            input = input.unsqueeze(0)
        if input.size(1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.size(1)} expected {self.input_size}"
            )
        N, H = input.size(0), self.hidden_size
        if hx is None:
            h, c = input.new_zeros(N, H), input.new_zeros(self.depth, N, H)
        else:
            h, c = hx if batched else (hx[0].unsqueeze(0), hx[1].unsqueeze(1))
        if h.shape != (N, H):
            raise RuntimeError(f"Expected h of size {[N, H]}, got {list(h.shape)}")
        if c.shape != (self.depth, N, H):
            raise RuntimeError(f"Expected c of size {[self.depth, N, H]}, got {list(c.shape)}")
        h, cells = nested_lstm_step(
            input, h, c.unbind(0), self._levels(""), candidate=self.candidate
        )
        c = torch.stack(cells)  # (depth, N, H)
        return (h, c) if batched else (h.squeeze(0), c.squeeze(1))
