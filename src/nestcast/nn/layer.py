"""The Nested LSTM over whole sequences, with the conventions of `torch.nn.LSTM`."""

from __future__ import annotations

import warnings
from typing import overload

import torch
from torch import Tensor
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from nestcast.nn.dispatch import run_layer
from nestcast.nn.parameters import Device, NestedLSTMBase
from nestcast.nn.reference import Candidate, Level
from nestcast.nn.sequences import pack_like, pad, reverse

State = tuple[Tensor, Tensor]
_Weights = dict[str, tuple[list[Level], Tensor | None]]  # levels and projection by suffix


class NestedLSTM(NestedLSTMBase):
    """A multi-layer Nested LSTM, to be used where `torch.nn.LSTM` stood.

    The cell of a Nested LSTM is itself an LSTM with its own cell, `depth` cells in all.
    `depth=1` is exactly an LSTM, takes the state dict of a `torch.nn.LSTM` (whose two biases it
    adds), and still has a depth axis in `c`: `c.squeeze(0)` is the `c` of `torch.nn.LSTM`.

    Example:
        >>> layer = NestedLSTM(10, 20, num_layers=2, depth=2)
        >>> output, (h, c) = layer(torch.randn(5, 3, 10))
        >>> output.shape, h.shape, c.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), torch.Size([2, 2, 3, 20]))
        >>> output, (h, c) = layer(torch.randn(5, 3, 10), (h, c))

        >>> lstm = torch.nn.LSTM(10, 20)
        >>> NestedLSTM(10, 20, depth=1).load_state_dict(lstm.state_dict())
        <All keys matched successfully>

    Args:
        input_size: number of features of the input.
        hidden_size: number of features of the hidden state and of every cell.
        num_layers: number of layers, each reading the output of the one before.
        bias: whether the gates have a bias (one each).
        batch_first: input and output are (N, T, F) instead of (T, N, F); states never are.
        dropout: probability of dropping an output between layers, in training.
        bidirectional: run a second set of weights over the reversed sequence.
        proj_size: if not 0, project the hidden state to this size.
        depth: number of nested cells.
        recurrent_dropout: probability of dropping a unit of h on its way to the next step, in
            training; one mask for all steps of a sequence (Gal and Ghahramani, arXiv 1512.05287).
        candidate: activation of the outermost candidate, "tanh" or "identity" (the paper's).
        device, dtype: of the weights.
        compute_dtype: torch.bfloat16 rounds the operands of all matrix products, forward and
            backward, and adds up in the weights' own type, in which everything else stays. It is
            there for speed where the CPU multiplies bfloat16 (AVX512_BF16); where the native
            kernel runs and cannot, the layer computes in float32. See `kernel_info`.

    Under autocast to bfloat16 on the CPU a float32 layer runs as with `compute_dtype`: its output
    and states are float32. Under any other they are of autocast's type, as in `torch.nn.LSTM`.

    The weights have the names of `torch.nn.LSTM` (`weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`,
    `weight_hr_l0`, `..._l0_reverse`) at the outermost level, and end in `_inner1`, `_inner2`, ...
    inside it, `weight_ih_l0_reverse_inner1` for one. Rows are the gates i, f, g, o. Recurrent
    weights begin orthogonal, others Glorot, biases 1 for the forget gates and 0 otherwise.

    Source: Moniz and Krueger, "Nested LSTMs", arXiv 1801.10308; the equations are in
    `nestcast.nn.reference`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        depth: int = 2,
        recurrent_dropout: float = 0.0,
        candidate: Candidate = "tanh",
        device: Device = None,
        dtype: torch.dtype | None = None,
        compute_dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, depth, candidate)
        _check_probability("dropout", dropout)
        _check_probability("recurrent_dropout", recurrent_dropout)
        if not isinstance(batch_first, bool):
            raise TypeError(
                f"batch_first should be of type bool, got: {type(batch_first).__name__}"
            )
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if compute_dtype not in (None, torch.bfloat16):
            raise ValueError(
                f"compute_dtype should be None or torch.bfloat16, got: {compute_dtype!r}"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}",
                stacklevel=2,
            )
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self.recurrent_dropout = float(recurrent_dropout)
        self.compute_dtype = compute_dtype
        for layer in range(num_layers):
            size = input_size if layer == 0 else self._directions * self._output_size
            for suffix in self._suffixes(layer):
                self._add_levels(suffix, size, proj_size, device, dtype)
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _projection(self, suffix: str) -> Tensor | None:
        return getattr(self, f"weight_hr{suffix}") if self.proj_size else None

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self._directions]

    @overload
    def forward(self, input: Tensor, hx: State | None = None) -> tuple[Tensor, State]: ...

    @overload
    def forward(
        self, input: PackedSequence, hx: State | None = None
    ) -> tuple[PackedSequence, State]: ...

    def forward(
        self, input: Tensor | PackedSequence, hx: State | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run over a sequence or a batch of sequences.

        With T steps, N samples, L layers, D directions, H = hidden_size and P = proj_size or H:

        Args:
            input: shape (T, N, input_size), with `batch_first` (N, T, input_size), unbatched
                (T, input_size), or a `PackedSequence`.
            hx: the initial state (h, c), h of shape (L * D, N, P) and c of shape
                (depth, L * D, N, H), outermost cell first, without N if unbatched; zeros if not
                given.

        Returns:
            The output of the last layer, shape (T, N, D * P) or as the input was, and the final
            state (h, c) in the shapes of the initial one.

        Raises:
            ValueError: the input has the wrong number of dimensions or dtype.
            RuntimeError: a size does not fit, or there are no steps.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            raise ValueError(
                f"NestedLSTM: Expected input to be 2D or 3D, got {input.dim()}D instead"
            )
        batched = input.dim() == 3
        if hx is not None:
            self._check_state_dims(hx, batched)
        if not batched:
            input = input.unsqueeze(1)  # (T, 1, I)
            hx = hx and (hx[0].unsqueeze(1), hx[1].unsqueeze(2))
        elif self.batch_first:
            input = input.transpose(0, 1)
        output, (h, c) = self._run(input, hx)
        if not batched:
            return output.squeeze(1), (h.squeeze(1), c.squeeze(2))
        return output.transpose(0, 1) if self.batch_first else output, (h, c)

    def _forward_packed(
        self, packed: PackedSequence, hx: State | None
    ) -> tuple[PackedSequence, State]:
        padded, lengths = pad(packed)
        if hx is not None:
            self._check_state_dims(hx, batched=True)
            self._check_state_sizes(hx, padded.size(1))
            hx = _reorder(hx, packed.sorted_indices)
        output, state = self._run(padded, hx, lengths.to(padded.device))
        return pack_like(output, lengths, packed), _reorder(state, packed.unsorted_indices)

    def _run(
        self, input: Tensor, hx: State | None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """All layers and directions over a padded batch (T, N, I)."""
        suffixes = [self._suffixes(layer) for layer in range(self.num_layers)]
        # Each weight is read once, since reading a parametrized one computes it.
        weights = {s: (self._levels(s), self._projection(s)) for pair in suffixes for s in pair}
        dtype = weights["_l0"][0][0].weight_ih.dtype
        self._check_input(input, dtype)
        short = _autocast_dtype(input)
        if (short, dtype, input.device.type) == (torch.bfloat16, torch.float32, "cpu"):
            with torch.autocast("cpu", enabled=False):  # which is for products that are not ours
                start = self._with_state(input, hx, dtype)
                return self._run_layers(*start, weights, lengths, torch.bfloat16)
        start = self._with_state(input, hx, short)
        return self._run_layers(*start, weights, lengths, None if short else self.compute_dtype)

    def _run_layers(
        self,
        output: Tensor,
        h: Tensor,
        c: Tensor,
        weights: _Weights,
        lengths: Tensor | None,
        compute_dtype: torch.dtype | None,
    ) -> tuple[Tensor, State]:
        suffixes = [self._suffixes(layer) for layer in range(self.num_layers)]
        states: list[State] = []
        for layer, pair in enumerate(suffixes):
            if layer > 0:
                output = dropout(output, self.dropout, self.training)
            outputs = []
            for suffix in pair:
                k, backward = len(states), suffix.endswith("_reverse")
                levels, weight_hr = weights[suffix]
                y, h_n, c_n = run_layer(
                    reverse(output, lengths) if backward else output,
                    h[k],
                    c[:, k],
                    levels,
                    weight_hr,
                    candidate=self.candidate,
                    lengths=lengths,
                    recurrent_mask=self._recurrent_mask(h[k]),
                    compute_dtype=compute_dtype,
                )
                outputs.append(reverse(y, lengths) if backward else y)
                states.append((h_n, c_n))
            # (T, N, D * P); one direction is not copied
            output = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
        return output, (
            torch.stack([h_n for h_n, _ in states]),  # (L * D, N, P)
            torch.stack([c_n for _, c_n in states], dim=1),  # (depth, L * D, N, H)
        )

    def _with_state(
        self, input: Tensor, hx: State | None, dtype: torch.dtype | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The input and the initial state, zeros or the one given, in that dtype or in one."""
        N, total = input.size(1), self.num_layers * self._directions
        if hx is None:
            h = input.new_zeros(total, N, self._output_size)
            c = input.new_zeros(self.depth, total, N, self.hidden_size)
        else:
            h, c = hx
            self._check_state_sizes(hx, N)
        if dtype is not None:
            return input.to(dtype), h.to(dtype), c.to(dtype)
        if not (input.dtype == h.dtype == c.dtype):
            raise RuntimeError(
                "Input and hidden tensors are not the same dtype, found input tensor with "
                f"{input.dtype} and hidden tensors with {h.dtype} and {c.dtype}"
            )
        return input, h, c

    def _recurrent_mask(self, h: Tensor) -> Tensor | None:
        if not self.training or self.recurrent_dropout == 0:
            return None
        return dropout(torch.ones_like(h), self.recurrent_dropout)

    def _check_input(self, input: Tensor, dtype: torch.dtype) -> None:
        if input.dtype != dtype and not _autocast_dtype(input):
            raise ValueError(
                f"NestedLSTM input dtype ({input.dtype}) does not match weight dtype "
                f"({dtype}). Convert input: input.to({dtype}), or convert model: "
                f"model.to({input.dtype})"
            )
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.size(-1)}"
            )
        if input.size(0) == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in NestedLSTM")

    def _check_state_dims(self, hx: State, batched: bool) -> None:
        dims = (3, 4) if batched else (2, 3)
        if (hx[0].dim(), hx[1].dim()) != dims:
            raise RuntimeError(
                f"For {'batched' if batched else 'unbatched'} input, h should be {dims[0]}-D and "
                f"c, which begins with a depth axis, {dims[1]}-D but got "
                f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )

    def _check_state_sizes(self, hx: State, batch: int) -> None:
        total = self.num_layers * self._directions
        expected = (
            (total, batch, self._output_size),
            (self.depth, total, batch, self.hidden_size),
        )
        for index, (value, size) in enumerate(zip(hx, expected, strict=True)):
            if value.shape != size:
                raise RuntimeError(f"Expected hidden[{index}] size {size}, got {list(value.shape)}")

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights of each layer and direction in turn, as `torch.nn.LSTM` lists them."""
        named = dict(self.named_parameters())
        suffixes = [suffix for layer in range(self.num_layers) for suffix in self._suffixes(layer)]
        return [
            [weight for name, weight in named.items() if name.split("_inner")[0].endswith(suffix)]
            for suffix in suffixes
        ]

    def flatten_parameters(self) -> None:
        """Do nothing: here so that code written for `torch.nn.LSTM` runs unchanged."""


def _reorder(state: State, indices: Tensor | None) -> State:
    if indices is None:
        return state
    return state[0].index_select(1, indices), state[1].index_select(2, indices)


def _autocast_dtype(input: Tensor) -> torch.dtype | None:
    """The type that autocast asks for, or nothing where it leaves the input as it is."""
    device = input.device.type
    if (
        torch.amp.is_autocast_available(device)
        and torch.is_autocast_enabled(device)
        and input.dtype != torch.float64
    ):
        return torch.get_autocast_dtype(device)
    return None


def _check_probability(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(
            f"{name} should be a number in range [0, 1] representing the probability of an element "
            "being zeroed"
        )
