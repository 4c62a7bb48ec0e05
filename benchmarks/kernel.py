"""Speed of the layer on one thread against torch.nn.LSTM and plain PyTorch, in Markdown tables.

    python benchmarks/kernel.py [--rounds 15] [--parts sizes,bfloat16,text,...]

What is compared runs in turn within each round, so that a machine that slows down slows all of it;
ratios and shares of the peak are taken round by round, and their medians are printed. The peak is
that of float32 multiply-adds that wait for nothing, measured in every round.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nestcast import kernels
from nestcast.kernels import _native
from nestcast.nn import NestedLSTM, kernel_info, native
from nestcast.recipes.seed import SeedNetwork

Times = dict[str, list[float]]  # seconds by name, one for each round; "peak" in operations a second


@dataclass(frozen=True)
class Case:
    """Sizes of a layer's run at depth 2, from a zero state, without gradient of the input."""

    name: str
    input_size: int
    hidden_size: int
    steps: int
    batch: int

    def __str__(self) -> str:
        sizes = f"I={self.input_size}, H={self.hidden_size}, T={self.steps}, N={self.batch}"
        return f"{self.name}: {sizes}"

    def operations(self, backward: bool) -> float:
        """Floating-point operations of the matrix products, the activations not counted."""
        I, H = self.input_size, self.hidden_size  # noqa: E741
        outer, inner = 4 * H * (I + H), 4 * H * 2 * H
        products = outer + inner
        if backward:  # of the operands, the input apart, and of the weights
            products += (outer - 4 * H * I) + inner + outer + inner
        return 2.0 * products * self.steps * self.batch

    def layer(self) -> NestedLSTM:
        """The layer that is measured."""
        return NestedLSTM(self.input_size, self.hidden_size)

    def lstm_of_two_layers(self) -> nn.LSTM:
        """Two layers where the Nested LSTM has two levels: about the same parameters."""
        return nn.LSTM(self.input_size, self.hidden_size, 2)

    def lstm_of_the_same_parameters(self) -> nn.LSTM:
        """One layer, as wide as the parameters allow."""
        wanted = sum(weight.numel() for weight in self.layer().parameters())
        b = self.input_size + 2  # 4 H (H + I + 2) = wanted
        return nn.LSTM(self.input_size, round((math.sqrt(b * b + wanted) - b) / 2))


A = Case("A", 1, 40, 33, 1024)
B = Case("B", 32, 128, 33, 480)
C = [Case("C", 50, 600, 100, 32), Case("C", 50, 600, 100, 128)]


def seconds(call: Callable[[], object]) -> float:
    """Processor time, the same as the clock's on an idle machine, since all is on one thread."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def peak(compute_dtype: torch.dtype | None = None) -> float:
    """Multiply-adds that wait for nothing, in operations a second."""
    name = native.build_for(compute_dtype)
    assert name is not None
    begin = time.process_time()
    return _native.multiply_add(name, 500_000) / (time.process_time() - begin)


def in_turn(calls: dict[str, Callable[[], object]], rounds: int) -> Times:
    """Times of every call in every round, and the peak in each."""
    times: Times = {name: [] for name in [*calls, "peak"]}
    for call in calls.values():
        call()  # the first call finds no buffers
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call))
        times["peak"].append(peak())
    return times


def ratio(times: Times, name: str, base: str) -> float:
    """How many times as long one takes as the other: the median over the rounds."""
    return statistics.median(a / b for a, b in zip(times[name], times[base], strict=True))


@contextlib.contextmanager
def plain_pytorch() -> Iterator[None]:
    """Layers run on the reference inside."""
    kept, native._name = native._name, None
    try:
        yield
    finally:
        native._name = kept


def run(layer: nn.Module, x: Tensor, d_output: Tensor | None) -> None:
    """Forward alone, or forward and backward from the gradient of every output."""
    if d_output is None:
        with torch.no_grad():
            layer(x)
        return
    for weight in layer.parameters():
        weight.grad = None
    layer(x)[0].backward(d_output)


def on_plain_pytorch(layer: nn.Module, x: Tensor, d_output: Tensor | None) -> None:
    """`run` on the reference."""
    with plain_pytorch():
        run(layer, x, d_output)


def on_the_kernel(layer: nn.Module, x: Tensor, d_output: Tensor | None) -> None:
    """`run` on the kernel even where it does not pay."""
    kept, native.pays = native.pays, lambda *_: True
    try:
        run(layer, x, d_output)
    finally:
        native.pays = kept


def sizes(rounds: int) -> None:
    """A and B against everything."""
    print(
        "| case | | native, ms | share of peak | LSTM, 2 layers | LSTM, same parameters | plain |"
    )
    print("|---|---|---|---|---|---|---|")
    for case in (A, B):
        x = torch.randn(case.steps, case.batch, case.input_size)
        layer = case.layer()
        stacked, single = case.lstm_of_two_layers(), case.lstm_of_the_same_parameters()
        for backward in (True, False):
            d = torch.randn(case.steps, case.batch, case.hidden_size) if backward else None
            e = torch.randn(case.steps, case.batch, single.hidden_size) if backward else None
            times = in_turn(
                {
                    "native": lambda: run(layer, x, d),  # noqa: B023
                    "stacked": lambda: run(stacked, x, d),  # noqa: B023
                    "single": lambda: run(single, x, e),  # noqa: B023
                    "plain": lambda: on_plain_pytorch(layer, x, d),  # noqa: B023
                },
                rounds,
            )
            print(
                f"| {case} | {'forward and backward' if backward else 'forward'} "
                f"| {1e3 * statistics.median(times['native']):.1f} "
                f"| {share(times, case, backward):.0%} "
                + " ".join(f"| {ratio(times, k, 'native'):.2f}" for k in ("stacked", "single"))
                + f" | {ratio(times, 'plain', 'native'):.2f} |",
                flush=True,
            )


def share(times: Times, case: Case, backward: bool) -> float:
    """The kernel's share of the peak of its round."""
    operations = case.operations(backward)
    return statistics.median(
        operations / second / top
        for second, top in zip(times["native"], times["peak"], strict=True)
    )


def bfloat16(rounds: int) -> None:
    """A and B with products of bfloat16 against those of float32."""
    short = torch.bfloat16
    if not native.multiplies(short):
        print("This CPU has no products of bfloat16.")
        return
    print(
        f"Peak {statistics.median(peak(short) for _ in range(20)) / 1e9:.0f} GFLOP/s of bfloat16.\n"
    )
    print("| case | | float32, ms | bfloat16, ms | float32 / bfloat16 |")
    print("|---|---|---|---|---|")
    for case in (A, B):
        x = torch.randn(case.steps, case.batch, case.input_size)
        layer = case.layer()
        shorter = NestedLSTM(case.input_size, case.hidden_size, compute_dtype=short)
        for backward in (True, False):
            d = torch.randn(case.steps, case.batch, case.hidden_size) if backward else None
            times = in_turn(
                {
                    "float32": lambda: run(layer, x, d),  # noqa: B023
                    "bfloat16": lambda: run(shorter, x, d),  # noqa: B023
                },
                rounds,
            )
            print(
                f"| {case} | {'forward and backward' if backward else 'forward'} "
                + " ".join(
                    f"| {1e3 * statistics.median(times[k]):.1f}" for k in ("float32", "bfloat16")
                )
                + f" | {ratio(times, 'float32', 'bfloat16'):.2f} |",
                flush=True,
            )


def training(_: int) -> None:
    """The seed recipe's network on simulated counts, with both kinds of products."""
    print("| seed | float32 | bfloat16 |")
    print("|---|---|---|")
    found: dict[torch.dtype | None, list[float]] = {None: [], torch.bfloat16: []}
    for seed in range(5):
        for compute_dtype, losses in found.items():
            losses.append(loss_after_training(seed, compute_dtype))
        print(
            f"| {seed} | " + " | ".join(f"{x[-1]:.4f}" for x in found.values()) + " |", flush=True
        )
    for part, summary in (("mean", statistics.mean), ("deviation", statistics.stdev)):
        print(f"| {part} | " + " | ".join(f"{summary(x):.4f}" for x in found.values()) + " |")


def loss_after_training(seed: int, compute_dtype: torch.dtype | None) -> float:
    """Mean squared error on series that training did not see, after 5 epochs of the others."""
    torch.manual_seed(1000)  # the same series every time
    series, steps = 8192, 33
    level = torch.randn(series).exp()
    season = 1 + 0.5 * torch.sin(2 * math.pi * (torch.arange(steps + 1)[:, None] / 12 + level))
    trend = (torch.randn(series) * torch.linspace(-0.5, 0.5, steps + 1)[:, None]).exp()
    counts = torch.poisson(level * season * trend).clamp(max=20)  # as the classical solution did
    history, target = counts[:-1], counts[-1]
    torch.manual_seed(seed)
    network = SeedNetwork()
    network.nested_lstm.compute_dtype = compute_dtype
    optimizer = torch.optim.Adam(network.parameters())

    def loss(chosen: Tensor) -> Tensor:
        return nn.functional.mse_loss(network(history[:, chosen]), target[chosen])

    for _ in range(5):
        for chosen in torch.randperm(series // 2).split(64):
            optimizer.zero_grad()
            loss(chosen).backward()
            optimizer.step()
    with torch.no_grad():
        return loss(torch.arange(series // 2, series)).item()


def text(rounds: int) -> None:
    """A character model, whose weights fill more than the second-level cache."""
    print("| case | native, s | share of peak | plain |")
    print("|---|---|---|---|")
    for case in C:
        x = torch.randn(case.steps, case.batch, case.input_size)
        d = torch.randn(case.steps, case.batch, case.hidden_size)
        layer = case.layer()
        times = in_turn(
            {
                "native": lambda: run(layer, x, d),  # noqa: B023
                "plain": lambda: on_plain_pytorch(layer, x, d),  # noqa: B023
            },
            max(3, rounds // 4),
        )
        print(
            f"| {case} | {statistics.median(times['native']):.2f} | {share(times, case, True):.0%} "
            f"| {ratio(times, 'plain', 'native'):.2f} |",
            flush=True,
        )


def growth(rounds: int) -> None:
    """Nanoseconds of forward and backward for a sample's step, which should not change."""
    for letter, others in (("T", [16, 32, 64, 128]), ("N", [128, 256, 512, 1024])):
        cases = [
            Case("", 1, 40, other, 256) if letter == "T" else Case("", 1, 40, 32, other)
            for other in others
        ]
        layer = cases[0].layer()
        data = [
            (torch.randn(c.steps, c.batch, 1), torch.randn(c.steps, c.batch, c.hidden_size))
            for c in cases
        ]
        times = in_turn(
            {
                str(k): (lambda x=x, d=d, layer=layer: run(layer, x, d))
                for k, (x, d) in enumerate(data)
            },
            rounds,
        )
        each = [
            f"{1e9 * statistics.median(times[str(k)]) / c.steps / c.batch:.0f}"
            for k, c in enumerate(cases)
        ]
        print(f"| {letter} | " + " | ".join(map(str, others)) + " |")
        print("|---" * (len(others) + 1) + "|")
        print("| ns for a sample's step | " + " | ".join(each) + " |\n", flush=True)


def crossover(rounds: int) -> None:
    """How much faster the kernel itself is where there is little to do."""
    print("| H | T | N | forward and backward, plain / native | forward |")
    print("|---|---|---|---|---|")
    for H in (40, 128, 400):
        for T, N in itertools.product((1, 2, 4, 12, 33), (1, 4, 16)):
            layer = NestedLSTM(50, H)
            x, d = torch.randn(T, N, 50), torch.randn(T, N, H)
            calls = {
                "native": lambda: on_the_kernel(layer, x, d),  # noqa: B023
                "plain": lambda: on_plain_pytorch(layer, x, d),  # noqa: B023
                "native forward": lambda: on_the_kernel(layer, x, None),  # noqa: B023
                "plain forward": lambda: on_plain_pytorch(layer, x, None),  # noqa: B023
            }
            times = in_turn(calls, rounds)
            both = ratio(times, "plain", "native")
            alone = ratio(times, "plain forward", "native forward")
            print(f"| {H} | {T} | {N} | {both:.2f} | {alone:.2f} |", flush=True)


def epoch(_: int) -> None:
    """One epoch of the seed recipe: 214,200 series of 33 steps, batches of 1,024, Adam."""
    series, steps, batch = 214_200, 33, 1024
    history, target = torch.randn(steps, series, 1), torch.randn(series)
    layer, dense = NestedLSTM(1, 40), nn.Linear(40, 1)
    weights = [*layer.parameters(), *dense.parameters()]
    optimizer = torch.optim.Adam(weights)
    tops = []
    begin = time.process_time()
    for chosen in torch.randperm(series).split(batch):
        optimizer.zero_grad()
        output, _ = layer(history[:, chosen])
        nn.functional.mse_loss(dense(output[-1]).squeeze(-1), target[chosen]).backward()
        optimizer.step()
        if len(tops) < 20:
            tops.append(peak())
    took = time.process_time() - begin
    top = statistics.median(tops)
    print(
        f"One epoch of the seed recipe: {took:.1f} s, {took * top / 115e9:.1f} s on a core with a "
        "peak of 115 GFLOP/s."
    )


PARTS = {
    "sizes": sizes,
    "bfloat16": bfloat16,
    "training": training,
    "text": text,
    "growth": growth,
    "epoch": epoch,
    "crossover": crossover,
}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--parts", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if native.kernel_in_use() is None:
        parser.exit(1, f"nothing to measure: {kernels.describe(None)}\n")
    tops = [peak() for _ in range(20)]
    print(f"{kernel_info().description}; peak {statistics.median(tops) / 1e9:.0f} GFLOP/s\n")
    for name in options.parts.split(","):
        PARTS[name](options.rounds)
        print()


if __name__ == "__main__":
    main()
