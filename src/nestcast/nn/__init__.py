"""The Nested LSTM: the layer, its equations and its fast paths. Knows nothing of forecasting."""

from nestcast.nn.cell import NestedLSTMCell
from nestcast.nn.converters import from_keras_weights, from_tf_weights
from nestcast.nn.dispatch import KernelInfo, kernel_info
from nestcast.nn.layer import NestedLSTM

__all__ = [
    "KernelInfo",
    "NestedLSTM",
    "NestedLSTMCell",
    "from_keras_weights",
    "from_tf_weights",
    "kernel_info",
]
