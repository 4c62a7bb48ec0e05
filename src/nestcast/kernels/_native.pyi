from torch import Tensor

max_depth: int

def instruction_sets() -> list[str]: ...
def bfloat16_kernel(kernel: str) -> str | None: ...
def pooled_bytes() -> int: ...
def empty(shape: list[int]) -> Tensor: ...
def saved_size(kernel: str, steps: int, batch: int, hidden_size: int, depth: int) -> int: ...
def activate(kernel: str, logistic: bool, x: Tensor, y: Tensor) -> None: ...
def multiply_add(kernel: str, rounds: int) -> float: ...
def forward(
    kernel: str,
    threads: int,
    input: Tensor,
    h: Tensor,
    c: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    weight_hr: Tensor | None,
    lengths: Tensor | None,
    recurrent_mask: Tensor | None,
    identity_candidate: bool,
    save: bool,
    output: Tensor,
    h_n: Tensor,
    c_n: Tensor,
) -> Tensor | None: ...
def backward(
    kernel: str,
    threads: int,
    input: Tensor,
    h: Tensor,
    c: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    weight_hr: Tensor | None,
    lengths: Tensor | None,
    recurrent_mask: Tensor | None,
    identity_candidate: bool,
    output: Tensor,
    saved: Tensor,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    d_c_n: Tensor | None,
    d_input: Tensor | None,
    d_h: Tensor,
    d_c: Tensor,
    d_weights: list[Tensor],
    d_biases: list[Tensor],
    d_weight_hr: Tensor | None,
) -> None: ...
