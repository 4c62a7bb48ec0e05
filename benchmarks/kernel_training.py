"""Does training with products of bfloat16 end where training with float32 does?

The seed recipe's network learns from half of a sample of the monthly series of the 1C data and is
scored on the other half, with several seeds. Run by `benchmarks/kernel.py --parts training`.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import torch
from torch import Tensor, nn

from nestcast import read_panel
from nestcast.recipes.seed import SeedNetwork

SERIES = 65_536  # for training, and as many for the score
BATCH = 1024


def compare(folder: Path, seeds: int, epochs: int) -> None:
    """Print the errors of every seed with both types, and their means and deviations."""
    panel = read_panel(folder, preset="1c")
    counts = torch.from_numpy(panel.target).float().T.nan_to_num(0.0).clamp(0, 20)  # (time, series)
    torch.manual_seed(0)
    counts = counts[:, torch.randperm(counts.size(1))[: 2 * SERIES]].contiguous()
    found: dict[torch.dtype | None, list[float]] = {None: [], torch.bfloat16: []}
    print("| seed | RMSE, float32 | bfloat16 |")
    print("|---|---|---|")
    for seed in range(seeds):
        for compute_dtype, errors in found.items():
            errors.append(error_after_training(counts, seed, compute_dtype, epochs))
        print(
            f"| {seed} | " + " | ".join(f"{x[-1]:.4f}" for x in found.values()) + " |", flush=True
        )
    for name, summary in (("mean", statistics.mean), ("deviation", statistics.stdev)):
        print(f"| {name} | " + " | ".join(f"{summary(x):.4f}" for x in found.values()) + " |")


def error_after_training(
    counts: Tensor,  # (time, series)
    seed: int,
    compute_dtype: torch.dtype | None,
    epochs: int,
) -> float:
    """Root mean squared error of the last period of series that training did not see."""
    torch.manual_seed(seed)
    history, target = counts[:-1], counts[-1]
    network = SeedNetwork()
    network.nested_lstm.compute_dtype = compute_dtype
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(epochs):
        for chosen in torch.randperm(SERIES).split(BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(history[:, chosen]), target[chosen]).backward()
            optimizer.step()
    with torch.no_grad():
        parts = [network(part) for part in history[:, SERIES:].split(BATCH, dim=1)]
        return nn.functional.mse_loss(torch.cat(parts), target[SERIES:]).sqrt().item()
