"""What several test folders need."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

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
