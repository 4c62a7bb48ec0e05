"""What torch.nn.LSTM refuses, NestedLSTM refuses with the same type of error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn, zeros
from torch.nn.utils.rnn import pack_padded_sequence

from nestcast.nn import NestedLSTM, NestedLSTMCell


def refusal(run: Callable[[], Any]) -> BaseException:
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        run()
    return caught.value


@pytest.mark.parametrize(
    "options",
    [
        {"input_size": 0},
        {"input_size": 2.0},
        {"hidden_size": 0},
        {"hidden_size": "4"},
        {"num_layers": 0},
        {"bias": 1},
        {"batch_first": 1},
        {"dropout": 1.5},
        {"dropout": -0.1},
        {"dropout": True},
        {"proj_size": -1},
        {"proj_size": 4},
    ],
    ids=str,
)
def test_arguments_are_refused_as_by_torch_lstm(options: dict[str, Any]) -> None:
    arguments = {"input_size": 3, "hidden_size": 4, **options}
    theirs = refusal(lambda: nn.LSTM(**arguments))
    ours = refusal(lambda: NestedLSTM(**arguments))
    assert type(ours) is type(theirs)
    assert str(ours) == str(theirs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"depth": 0}, ValueError, "depth must be greater than zero"),
        ({"depth": 1.5}, TypeError, "depth should be of type int, got: float"),
        ({"candidate": "relu"}, ValueError, "candidate should be 'tanh' or 'identity'"),
        ({"recurrent_dropout": 2}, ValueError, r"recurrent_dropout should be .* \[0, 1\]"),
    ],
)
def test_own_arguments_are_checked(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        NestedLSTM(3, 4, **options)


def test_dropout_of_a_single_layer_warns_as_torch_lstm_does() -> None:
    with pytest.warns(UserWarning, match="num_layers=1") as theirs:
        nn.LSTM(3, 4, dropout=0.5)
    with pytest.warns(UserWarning, match="num_layers=1") as ours:
        NestedLSTM(3, 4, dropout=0.5)
    assert str(ours[0].message) == str(theirs[0].message)
    assert ours[0].filename == __file__


def call(module: nn.Module, x: Any, *state: Any) -> Any:
    """State tensors in torch's shapes; ours get the depth axis."""
    if state and isinstance(module, NestedLSTM):
        state = (state[0], state[1].unsqueeze(0))
    return module(x, state or None)


PACKED = pack_padded_sequence(zeros(5, 2, 3), [2, 5], enforce_sorted=False)


@pytest.mark.parametrize(
    "arguments",
    [
        (zeros(3),),
        (zeros(1, 1, 2, 3),),
        (zeros(5, 2, 4),),
        (zeros(5, 4),),
        (zeros(0, 2, 3),),
        (zeros(0, 3),),
        (zeros(5, 2, 3, dtype=torch.float64),),
        (zeros(5, 2, 3), zeros(1, 3, 4), zeros(1, 2, 4)),
        (zeros(5, 2, 3), zeros(1, 2, 4), zeros(1, 2, 5)),
        (zeros(5, 2, 3), zeros(2, 2, 4), zeros(2, 2, 4)),
        (zeros(5, 2, 3), zeros(1, 4), zeros(1, 4)),
        (zeros(5, 3), zeros(1, 1, 4), zeros(1, 1, 4)),
        (zeros(5, 2, 3), zeros(1, 2, 4).double(), zeros(1, 2, 4)),
        (zeros(5, 2, 3), zeros(1, 2, 4), zeros(1, 2, 4).double()),
    ],
    ids=lambda arguments: str([tuple(a.shape) for a in arguments]),
)
def test_inputs_are_refused_as_by_torch_lstm(arguments: tuple[Any, ...]) -> None:
    theirs = refusal(lambda: call(nn.LSTM(3, 4), *arguments))
    ours = refusal(lambda: call(NestedLSTM(3, 4, depth=1), *arguments))
    assert type(ours) is type(theirs)


def test_messages_say_what_to_do() -> None:
    layer = NestedLSTM(3, 4, depth=2)
    for x, state, message in (
        (zeros(5, 2, 3).double(), None, r"Convert input: input.to\(torch.float32\)"),
        (zeros(5, 2, 4), None, "Expected 3, got 4"),
        (zeros(5, 2, 3), (zeros(1, 2, 4), zeros(1, 2, 4)), "begins with a depth axis, 4-D"),
        (zeros(5, 2, 3), (zeros(1, 2, 4), zeros(1, 1, 2, 4)), r"size \(2, 1, 2, 4\), got \[1, 1"),
        # torch.nn.LSTM reads past the end of such a state, and may crash.
        (PACKED, (zeros(2, 2, 4), zeros(2, 2, 2, 4)), r"hidden\[0\] size \(1, 2, 4\)"),
        (PACKED, (zeros(1, 3, 4), zeros(2, 1, 3, 4)), r"hidden\[0\] size \(1, 2, 4\)"),
        (zeros(0, 2, 3), None, "sequence length to be larger than 0"),
    ):
        with pytest.raises((ValueError, RuntimeError), match=message):
            layer(x, state)


def test_packed_input_of_a_wrong_size_or_dtype_is_refused_clearly() -> None:
    layer = NestedLSTM(3, 4)
    with pytest.raises(RuntimeError, match="Expected 3, got 7"):
        layer(pack_padded_sequence(zeros(5, 2, 7), [5, 5]))
    with pytest.raises(ValueError, match="does not match weight dtype"):
        layer(pack_padded_sequence(zeros(5, 2, 3).double(), [5, 5]))


@pytest.mark.parametrize(
    "arguments",
    [
        (zeros(1, 2, 3), None),
        (zeros(2, 5), None),
        (zeros(5), None),
        (zeros(2, 3).double(), None),
        (zeros(2, 3), (zeros(3, 4), zeros(3, 4))),
        (zeros(2, 3), (zeros(2, 5), zeros(2, 5))),
        (zeros(2, 3), (zeros(2, 4).double(), zeros(2, 4))),
        (zeros(2, 3), (zeros(1, 2, 4), zeros(1, 2, 4))),
    ],
)
def test_the_cell_refuses_what_torch_lstm_cell_refuses(arguments: tuple[Any, Any]) -> None:
    x, state = arguments
    theirs = refusal(lambda: nn.LSTMCell(3, 4)(x, state))
    ours = refusal(
        lambda: NestedLSTMCell(3, 4, depth=1)(x, state and (state[0], state[1].unsqueeze(0)))
    )
    assert type(ours) is type(theirs)
