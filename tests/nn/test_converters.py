"""Converted weights against the formulas of the two implementations, written here in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nestcast.nn import from_keras_weights, from_tf_weights

Array = NDArray[np.float64]
T, N, F, H = 5, 3, 2, 4
rng = np.random.default_rng(0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def run(
    x: Array,  # (T, N, F)
    kernels: list[Array],
    biases: list[Array] | None,
    forget_bias: float,
    first_activation: Callable[[Array], Array],
    combine: Callable[[Array, Array], Array],
) -> tuple[Array, list[Array]]:
    """The recurrence that both share; they differ in what is passed for the last three."""

    def level(depth: int, x: Array, h: Array, cells: list[Array]) -> tuple[Array, list[Array]]:
        z = np.concatenate([x, h], axis=1) @ kernels[depth]
        if biases is not None:
            z = z + biases[depth]
        i, j, f, o = np.split(z, 4, axis=1)
        if biases is not None:
            f = f + forget_bias
        inner_h = cells[depth] * sigmoid(f)
        inner_x = combine(sigmoid(i), first_activation(j) if depth == 0 else np.tanh(j))
        if depth + 1 == len(kernels):
            c = inner_h + inner_x
            deeper = [c]
        else:
            c, deeper = level(depth + 1, inner_x, inner_h, cells)
        h = np.tanh(c) * sigmoid(o)
        return h, [h, *deeper]

    h, cells = np.zeros((x.shape[1], H)), [np.zeros((x.shape[1], H)) for _ in kernels]
    outputs = []
    for step in x:
        h, (_, *cells) = level(0, step, h, cells)
        outputs.append(h)
    return np.stack(outputs), [h, *cells]


def make(depth: int, bias: bool) -> tuple[list[Array], list[Array] | None]:
    rows = [F + H] + [2 * H] * (depth - 1)
    kernels = [rng.normal(size=(n, 4 * H)) for n in rows]
    return kernels, [rng.normal(size=4 * H) for _ in kernels] if bias else None


def split(kernels: list[Array]) -> list[Array]:
    return [kernels[0][:F], kernels[0][F:], *kernels[1:]]


def tensorflow_order(kernels: list[Array], biases: list[Array] | None, later: bool) -> list[Array]:
    weights: list[Array] = []
    for depth, kernel in enumerate(kernels):
        weights += split([kernel]) if later and depth == 0 else [kernel]
        weights += [biases[depth]] if biases is not None else []
    return weights


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("later", [True, False], ids=["later", "early"])
@pytest.mark.parametrize("forget_bias", [1.0, 0.3])
def test_tensorflow_outputs_come_out(
    depth: int, bias: bool, later: bool, forget_bias: float
) -> None:
    kernels, biases = make(depth, bias)
    weights = tensorflow_order(kernels, biases, later)
    before = [weight.copy() for weight in weights]
    layer = from_tf_weights(weights, forget_bias=forget_bias)
    assert all(map(np.array_equal, weights, before))
    x = rng.normal(size=(T, N, F))
    first = (lambda j: j) if later else np.tanh
    expected, (h_n, *c_n) = run(x, kernels, biases, forget_bias, first, np.multiply)
    output, (h, c) = layer(torch.from_numpy(x))
    np.testing.assert_allclose(output.detach(), expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(h[0].detach(), h_n, rtol=0, atol=1e-13)
    # The state is h, c and the inner cells, and the outermost of those it lists is h again.
    np.testing.assert_allclose(c[:, 0].detach(), np.stack(c_n), rtol=0, atol=1e-13)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("later", [True, False], ids=["later", "early"])
@pytest.mark.parametrize("bias", [True, False])
def test_keras_weights_arrive_but_the_gate_multiplies(depth: int, later: bool, bias: bool) -> None:
    kernels, biases = make(depth, bias)
    weights = [*(split(kernels) if later else kernels), *(biases or [])]
    layer = from_keras_weights(weights, accept_additive_gate=True, batch_first=True)
    x = rng.normal(size=(T, N, F))
    output, _ = layer(torch.from_numpy(x).transpose(0, 1))
    output = output.detach().transpose(0, 1)
    first = (lambda j: j) if later else np.tanh
    multiplied, _ = run(x, kernels, biases, 0.0, first, np.multiply)
    np.testing.assert_allclose(output, multiplied, rtol=0, atol=1e-13)
    added, _ = run(x, kernels, biases, 0.0, first, np.add)
    assert np.abs(output.numpy() - added).max() > 0.1


def test_keras_weights_are_refused_with_the_reason() -> None:
    kernels, biases = make(2, bias=True)
    message = r"sigmoid\(i\) \+ g .* sigmoid\(i\) \* g.*accept_additive_gate=True"
    with pytest.raises(ValueError, match=message):
        from_keras_weights([*kernels, *(biases or [])])


def test_the_candidate_can_be_told() -> None:
    kernels, _ = make(2, bias=False)
    assert from_tf_weights(kernels).candidate == "tanh"
    assert from_tf_weights(split(kernels)).candidate == "identity"
    assert from_tf_weights(kernels, candidate="identity").candidate == "identity"
    assert from_tf_weights(split(kernels), candidate="tanh").candidate == "tanh"


def test_dtype_is_the_weights_dtype() -> None:
    kernels, _ = make(2, bias=False)
    layer = from_tf_weights([kernel.astype(np.float32) for kernel in kernels])
    assert layer.weight_ih_l0.dtype == torch.float32


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "no kernels"),
        ([(6, 16), (16,), (4, 12)], "peephole"),
        ([(6, 16), (8, 16), (16,)], "do not fit together"),
        ([(6, 16), (9, 16)], "do not fit together"),
        ([(6, 16), (8, 12)], "do not fit together"),
        ([(4, 16)], "do not fit together"),
        ([(6, 15)], "do not fit together"),
        ([(6, 16), (2, 2, 2)], "do not fit together"),
        ([(2, 16), (4, 10)], "do not fit together"),
        ([(2, 15), (3, 15)], "do not fit together"),
        ([(6, 3)], "do not fit together"),
    ],
)
def test_weights_that_do_not_fit_are_refused(shapes: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_tf_weights([np.zeros(shape) for shape in shapes])
