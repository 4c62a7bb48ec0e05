"""The equations themselves: a step worked out by hand, gradients, and invariants."""

from __future__ import annotations

from math import atanh, log, tanh

import pytest
import torch
from torch import Tensor

from nestcast.nn.reference import Level, _product, nested_lstm, nested_lstm_step

F64 = torch.float64


def make_levels(F: int, H: int, P: int, depth: int, bias: bool = True) -> list[Level]:
    def weight(*shape: int) -> Tensor:
        return (torch.randn(*shape, dtype=F64) / 2).requires_grad_()

    sizes = [(F, P)] + [(H, H)] * (depth - 1)
    return [
        Level(weight(4 * H, i), weight(4 * H, p), weight(4 * H) if bias else None) for i, p in sizes
    ]


def test_a_step_at_depth_2_worked_out_by_hand() -> None:
    # The logits are chosen for sigmoid(log 3) = 3/4, sigmoid(0) = 1/2, sigmoid(-log 3) = 1/4 and
    # tanh(atanh 1/2) = 1/2, so that every number below can be checked with a pencil.
    L, A = log(3), atanh(1 / 2)

    def column(i: float, f: float, g: float, o: float) -> Tensor:
        return torch.tensor([[i], [f], [g], [o]], dtype=F64)

    # Outer gates from x = 2 and h = -1:    i = 3/4, f = 1/2, g = 1/2, o = 1/4.
    outer = Level(column(L, 0, A, 0), column(L, 0, 0, L), torch.zeros(4, dtype=F64))
    outer = outer._replace(bias=torch.tensor([0, 0, -A, 0], dtype=F64))
    # Inner input i * g = 3/8, inner hidden state f * c = 1/2 * 4/5 = 2/5.
    # Inner gates:                          i = 3/4, f = 1/4, g = 1/2, o = 1/2.
    inner = Level(
        column(8 / 3 * L, 0, 0, 0),
        column(0, -5 / 2 * L, 0, 0),
        torch.tensor([0, 0, A, 0], dtype=F64),
    )
    # Inner cell 1/4 * 3/5 + 3/4 * 1/2 = 21/40; outer cell 1/2 * tanh(21/40).
    x, h = torch.tensor([[2.0]], dtype=F64), torch.tensor([[-1.0]], dtype=F64)
    c = [torch.tensor([[4 / 5]], dtype=F64), torch.tensor([[3 / 5]], dtype=F64)]
    h_new, (c_outer, c_inner) = nested_lstm_step(x, h, c, [outer, inner])
    assert c_inner.item() == pytest.approx(21 / 40, abs=1e-15)
    assert c_outer.item() == pytest.approx(tanh(21 / 40) / 2, abs=1e-15)
    assert h_new.item() == pytest.approx(tanh(tanh(21 / 40) / 2) / 4, abs=1e-15)
    assert h_new.item() == pytest.approx(0.05906, abs=1e-5)

    # With candidate="identity" the outer g is its logit, A, and the inner input is 3/4 * A.
    logit = 8 / 3 * L * (3 / 4) * A
    i = 1 / (1 + 2.718281828459045**-logit)
    _, (_, c_inner) = nested_lstm_step(x, h, c, [outer, inner], candidate="identity")
    assert c_inner.item() == pytest.approx(1 / 4 * 3 / 5 + i * 1 / 2, abs=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("candidate", ["tanh", "identity"])
@pytest.mark.parametrize("options", ["plain", "lengths", "projection and mask"])
def test_gradcheck(depth: int, candidate: str, options: str) -> None:
    T, N, F, H = 3, 2, 2, 3
    projected = options == "projection and mask"
    P = 2 if projected else H
    levels = make_levels(F, H, P, depth)
    weight_hr = torch.randn(P, H, dtype=F64, requires_grad=True) if projected else None
    lengths = torch.tensor([3, 1]) if options == "lengths" else None
    mask = torch.tensor([[0.0, 2.0], [2.0, 2.0]], dtype=F64) if projected else None
    start = (
        torch.randn(T, N, F, dtype=F64, requires_grad=True),
        torch.randn(N, P, dtype=F64, requires_grad=True),
        torch.randn(depth, N, H, dtype=F64, requires_grad=True),
    )
    flat = [weight for level in levels for weight in level]

    def run(
        x: Tensor, h: Tensor, c: Tensor, hr: Tensor | None, *flat: Tensor
    ) -> tuple[Tensor, ...]:
        rebuilt = [Level(*flat[k : k + 3]) for k in range(0, len(flat), 3)]
        return nested_lstm(
            x, h, c, rebuilt, hr, candidate=candidate, lengths=lengths, recurrent_mask=mask
        )

    assert torch.autograd.gradcheck(run, (*start, weight_hr, *flat))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_steps_beyond_a_length_change_nothing_and_give_zeros(depth: int) -> None:
    T, N, F, H = 6, 3, 2, 4
    levels = make_levels(F, H, H, depth, bias=False)
    x, h, c = (
        torch.randn(T, N, F).double(),
        torch.randn(N, H).double(),
        torch.randn(depth, N, H).double(),
    )
    lengths = torch.tensor([6, 0, 4])
    output, h_n, c_n = nested_lstm(x, h, c, levels, lengths=lengths)
    for n, length in enumerate(lengths.tolist()):
        y, h_1, c_1 = nested_lstm(x[:length, n : n + 1], h[n : n + 1], c[:, n : n + 1], levels)
        assert torch.equal(output[length:, n], torch.zeros(T - length, H, dtype=F64))
        torch.testing.assert_close(output[:length, n], y[:, 0], rtol=0, atol=1e-14)
        torch.testing.assert_close(h_n[n], h_1[0], rtol=0, atol=1e-14)
        torch.testing.assert_close(c_n[:, n], c_1[:, 0], rtol=0, atol=1e-14)


def test_garbage_in_the_padding_stays_there() -> None:
    T, N, F, H = 4, 2, 3, 5
    levels = make_levels(F, H, H, 2)
    x, h, c = (
        torch.randn(T, N, F).double(),
        torch.zeros(N, H).double(),
        torch.zeros(2, N, H).double(),
    )
    lengths = torch.tensor([4, 2])
    spoiled = x.clone()
    spoiled[2:, 1] = 1e6
    for clean, dirty in zip(
        nested_lstm(x, h, c, levels, lengths=lengths),
        nested_lstm(spoiled, h, c, levels, lengths=lengths),
        strict=True,
    ):
        assert torch.equal(clean, dirty)


def test_operands_of_every_product_are_rounded_and_gradients_are_not() -> None:
    """One gate's arithmetic by hand, forward and backward; 257 and 1.001 lie between bfloat16."""
    x = torch.tensor([[257.0, 3.0]], requires_grad=True)
    weight = torch.tensor([[1.001, 2.0]], requires_grad=True)
    bias = torch.tensor([0.3], requires_grad=True)
    z = _product(x, weight, bias, torch.bfloat16)
    torch.testing.assert_close(z, torch.tensor([[256.0 + 6.0 + 0.3]]))
    d_x, d_weight, d_bias = torch.autograd.grad(
        z, [x, weight, bias], grad_outputs=torch.tensor([[1.001]])
    )
    assert d_x.tolist() == [[1.0, 2.0]]
    assert d_weight.tolist() == [[256.0, 3.0]]
    torch.testing.assert_close(d_bias, torch.tensor([1.001]))
    exact = _product(x, weight, bias, None)
    assert torch.equal(exact, torch.nn.functional.linear(x, weight, bias))
