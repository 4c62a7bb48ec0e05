"""Small texts for the tests."""

import numpy as np

from nestcast.lab.comparison import Comparison, Plan, Texts
from nestcast.lab.corpus import Text
from nestcast.lab.runs import Training


def lines(count: int, seed: int = 0) -> str:
    """Lines whose second half repeats the first, so that memory helps."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("abcde花月"), size=rng.integers(2, 6))) for _ in range(count)]
    return "".join(f"{word} {word}\n" for word in words)


def sources(count: int = 60) -> dict[str, Text]:
    return {
        name: Text(name, lines(count, seed)) for seed, name in enumerate(("train", "valid", "test"))
    }


def plan(**changes) -> Plan:
    usual = {
        "parameters": None,
        "hidden": 12,
        "embedding": 8,
        "lines": True,
        "rates": (0.003, 0.03),
        "trial_epochs": 1,
        "training": Training(epochs=3, batch=8, bptt=6),
        "dropout": 0.1,
    }
    return Plan(**{**usual, **changes})


def comparison(folder, cells=("lstm:1", "nested:2"), seeds=2, **changes) -> Comparison:
    made = plan(**changes)
    return Comparison(folder, list(cells), seeds, made, Texts.of(sources(), made))
