"""The Nested LSTM as others wrote it, to see what the difference costs. Not for use elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from nestcast.nn import NestedLSTM
from nestcast.nn.reference import Level


class AdditiveNestedLSTM(NestedLSTM):
    """A Nested LSTM of one layer whose inner input is i + g, not i * g, as in the Keras version.

    Example:
        >>> cell = AdditiveNestedLSTM(3, 4, depth=2)
        >>> output, (h, c) = cell(torch.zeros(5, 1, 3))
        >>> output.shape, h.shape, c.shape
        (torch.Size([5, 1, 4]), torch.Size([1, 1, 4]), torch.Size([2, 1, 1, 4]))

    The arguments, weights and states are those of `NestedLSTM`. The innermost level is an LSTM.
    It runs step by step in plain PyTorch.

    Source: what docs/known-implementations.md says of the Keras version.
    """

    def _run(
        self,
        input: Tensor,
        hx: tuple[Tensor, Tensor] | None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if self.num_layers > 1 or self.bidirectional or lengths is not None:
            raise NotImplementedError("one layer, one direction, no packed sequences")
        levels = self._levels("_l0")
        output, h, c = self._with_state(input, hx, None)
        outputs, hidden, cells = [], h[0], list(c[:, 0].unbind(0))
        for x in output:
            hidden, cells = additive_step(x, hidden, cells, levels)
            outputs.append(hidden)
        return torch.stack(outputs), (hidden.unsqueeze(0), torch.stack(cells).unsqueeze(1))


def additive_step(
    x: Tensor,  # (N, I)
    h: Tensor,  # (N, H)
    c: Sequence[Tensor],  # depth times (N, H), the outermost first
    levels: Sequence[Level],
) -> tuple[Tensor, list[Tensor]]:
    """One step: `nestcast.nn.reference.nested_lstm_step`, but for the sum."""
    level, *inner = levels
    gates = linear(x, level.weight_ih, level.bias) + linear(h, level.weight_hh)  # (N, 4H)
    i, f, g, o = gates.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    if inner:
        c_new, inner_cells = additive_step(i + g, f * c[0], c[1:], inner)
    else:
        c_new, inner_cells = f * c[0] + i * g, []
    return o * c_new.tanh(), [c_new, *inner_cells]
