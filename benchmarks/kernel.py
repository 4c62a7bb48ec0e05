"""Speed of the layer on one thread against torch.nn.LSTM and plain PyTorch, in Markdown tables.

    python benchmarks/kernel.py [--quick] [--parts sizes,bfloat16,text,...] [--data FOLDER]

What is compared runs in turn within each round, so that a machine that slows down slows all of it;
ratios and shares of the peak are taken round by round, and their medians are printed. The peak is
that of float32 multiply-adds that wait for nothing, measured in every round. --quick takes a fifth
of the time and is less exact.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import kernel_training
from nestcast import kernels
from nestcast.kernels import _native
from nestcast.nn import NestedLSTM, kernel_info, native

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
PASSES = {True: "forward and backward", False: "forward"}


@dataclass(frozen=True)
class Options:
    """How much to measure."""

    rounds: int
    quick: bool
    data: Path  # the 1C months


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


def sizes(options: Options) -> None:
    """A and B against everything."""
    print(
        "| case | | native, ms | share of peak | LSTM, 2 layers | its share of peak "
        "| LSTM, same parameters | plain |"
    )
    print("|---|---|---|---|---|---|---|---|")
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
                options.rounds,
            )
            print(
                f"| {case} | {PASSES[backward]} "
                f"| {1e3 * statistics.median(times['native']):.1f} "
                f"| {share(times, 'native', case, backward):.0%} "
                f"| {ratio(times, 'stacked', 'native'):.2f} "
                f"| {share(times, 'stacked', case, backward):.0%} "
                f"| {ratio(times, 'single', 'native'):.2f} "
                f"| {ratio(times, 'plain', 'native'):.2f} |",
                flush=True,
            )


def share(times: Times, name: str, case: Case, backward: bool) -> float:
    """The share of its round's peak that one of them reaches: the median over the rounds."""
    operations = case.operations(backward)
    return statistics.median(
        operations / second / top for second, top in zip(times[name], times["peak"], strict=True)
    )


def bfloat16(options: Options) -> None:
    """A and B with products of bfloat16: the kernel's, and those of autocast."""
    short = torch.bfloat16
    if not native.multiplies(short):
        print("This CPU has no products of bfloat16.")
        return
    top = statistics.median(peak(short) for _ in range(20)) / 1e9
    print(f"Peak {top:.0f} GFLOP/s of bfloat16.\n")
    print(
        "| case | | bfloat16, ms | float32 / bfloat16 | LSTM, 2 layers, float32 / bfloat16 "
        "| LSTM, 2 layers, autocast / bfloat16 |"
    )
    print("|---|---|---|---|---|---|")

    def autocast(layer: nn.Module, x: Tensor, d_output: Tensor | None) -> None:
        with torch.autocast("cpu", dtype=short):
            run(layer, x, d_output)

    for case in (A, B):
        x = torch.randn(case.steps, case.batch, case.input_size)
        layer, stacked = case.layer(), case.lstm_of_two_layers()
        shorter = NestedLSTM(case.input_size, case.hidden_size, compute_dtype=short)
        for backward in (True, False):
            d = torch.randn(case.steps, case.batch, case.hidden_size) if backward else None
            times = in_turn(
                {
                    "float32": lambda: run(layer, x, d),  # noqa: B023
                    "bfloat16": lambda: run(shorter, x, d),  # noqa: B023
                    "stacked": lambda: run(stacked, x, d),  # noqa: B023
                    "autocast": lambda: autocast(stacked, x, None if d is None else d.to(short)),  # noqa: B023
                },
                options.rounds,
            )
            print(
                f"| {case} | {PASSES[backward]} "
                f"| {1e3 * statistics.median(times['bfloat16']):.1f} | "
                + " | ".join(
                    f"{ratio(times, k, 'bfloat16'):.2f}" for k in ("float32", "stacked", "autocast")
                )
                + " |",
                flush=True,
            )


def training(options: Options) -> None:
    """The seed recipe on real counts, with both kinds of products."""
    if not options.data.is_dir():
        print(f"No 1C data in {options.data}: say where they are with --data.")
        return
    kernel_training.compare(options.data, seeds=3, epochs=1 if options.quick else 5)


def text(options: Options) -> None:
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
            1 if options.quick else max(3, options.rounds // 4),
        )
        print(
            f"| {case} | {statistics.median(times['native']):.2f} "
            f"| {share(times, 'native', case, True):.0%} | {ratio(times, 'plain', 'native'):.2f} |",
            flush=True,
        )


def growth(options: Options) -> None:
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
            options.rounds,
        )
        each = [
            f"{1e9 * statistics.median(times[str(k)]) / c.steps / c.batch:.0f}"
            for k, c in enumerate(cases)
        ]
        print(f"| {letter} | " + " | ".join(map(str, others)) + " |")
        print("|---" * (len(others) + 1) + "|")
        print("| ns for a sample's step | " + " | ".join(each) + " |\n", flush=True)


def crossover(options: Options) -> None:
    """How much faster the kernel is where there is little to do; in bold where it is chosen."""
    batches = (1, 2, 4, 8)
    print("plain / native: forward and backward, then forward\n")
    print("| H | T | " + " | ".join(f"N={N}" for N in batches) + " |")
    print("|---|---" + "|---" * len(batches) + "|")
    for H in (40, 600, 1200) if options.quick else (40, 128, 300, 600, 900, 1200):
        for T in (1, 2, 4, 8, 33):
            cells = [crossover_cell(H, T, N, 2 if options.quick else 3) for N in batches]
            print(f"| {H} | {T} | " + " | ".join(cells) + " |", flush=True)


def crossover_cell(H: int, T: int, N: int, rounds: int) -> str:
    """Both ratios of one case."""
    layer = NestedLSTM(50, H)
    x, d = torch.randn(T, N, 50), torch.randn(T, N, H)
    times = in_turn(
        {
            "native": lambda: on_the_kernel(layer, x, d),
            "plain": lambda: on_plain_pytorch(layer, x, d),
            "native forward": lambda: on_the_kernel(layer, x, None),
            "plain forward": lambda: on_plain_pytorch(layer, x, None),
        },
        rounds if H > 128 else 5 * rounds,
    )
    both = f"{ratio(times, 'plain', 'native'):.2f}"
    alone = f"{ratio(times, 'plain forward', 'native forward'):.2f}"
    return ", ".join(
        f"**{found}**" if native.pays(T, N, H, trains) else found
        for found, trains in ((both, True), (alone, False))
    )


def epoch(options: Options) -> None:
    """An epoch of the seed recipe: 214,200 series of 33 steps, batches of 1,024, Adam."""
    series, steps, batch = 214_200, 33, 1024
    history, target = torch.randn(steps, series, 1), torch.randn(series)
    layer, dense = NestedLSTM(1, 40), nn.Linear(40, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *dense.parameters()])

    def update(chosen: Tensor) -> None:
        optimizer.zero_grad()
        output, _ = layer(history[:, chosen])
        nn.functional.mse_loss(dense(output[-1]).squeeze(-1), target[chosen]).backward()
        optimizer.step()

    for _ in range(1 if options.quick else 3):
        took, tops = 0.0, []
        for chosen in torch.randperm(series).split(batch):
            took += seconds(lambda: update(chosen))  # noqa: B023
            tops.append(peak())
        top = statistics.median(tops)
        print(
            f"One epoch of the seed recipe: {took:.1f} s at a peak of {top / 1e9:.0f} GFLOP/s, "
            f"{took * top / 115e9:.1f} s at one of 115 GFLOP/s.",
            flush=True,
        )


PARTS = {
    "sizes": sizes,
    "bfloat16": bfloat16,
    "text": text,
    "growth": growth,
    "epoch": epoch,
    "crossover": crossover,
    "training": training,
}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data/1c"), help="for training")
    given = parser.parse_args()
    options = Options(5 if given.quick else 15, given.quick, given.data)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if native.kernel_in_use() is None:
        parser.exit(1, f"nothing to measure: {kernels.describe(None)}\n")
    tops = sorted(peak() / 1e9 for _ in range(50))
    print(
        f"{kernel_info().description}. Peak {statistics.median(tops):.0f} GFLOP/s "
        f"({tops[0]:.0f} to {tops[-1]:.0f}); load {os.getloadavg()[0]:.1f}"
    )
    for name in given.parts.split(","):
        print(f"\n## {name}\n")
        PARTS[name](options)
    print(f"\nLoad at the end {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
