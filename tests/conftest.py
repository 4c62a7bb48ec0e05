"""What several test folders need."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nestcast.recipes.global_network import EFFORTS
from nestcast.recipes.learning import Budget, Effort
from nestcast.recipes.rate_network import RATE_EFFORTS

# Several threads on few busy processors wait for one another more than they work.
torch.set_num_threads(1)

_SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Path of a real data set kept beside the repository; the test is skipped without it."""

    def path(name: str) -> Path:
        found = _SHARED / name
        if not found.exists():
            pytest.skip(f"real data not found: {found}")
        return found

    return path


@pytest.fixture
def short_training(monkeypatch):
    """Networks learn for a moment only, where it is not their forecasts that are tested."""
    for efforts in (EFFORTS, RATE_EFFORTS):
        for name in efforts:
            monkeypatch.setitem(efforts, name, Effort(1, Budget(20_000, 10)))
