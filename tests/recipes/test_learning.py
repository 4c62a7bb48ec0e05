"""How much of a panel a training sees."""

from typing import Any

import numpy as np
import pytest

from nestcast.recipes import learning
from nestcast.recipes.global_network import GlobalNetwork
from nestcast.recipes.learning import Budget, Effort
from tests.panels import store


@pytest.mark.parametrize("passes", [0.4, 1.0, 1.4, 2.6])
def test_training_sees_as_many_series_periods_as_its_budget_says(passes, monkeypatch):
    panel = store(shops=20, items=60)
    recipe = GlobalNetwork(members=1)
    seen: list[int] = []
    steps: dict[str, Any] = {}

    def train(parameters, batches, loss, options, report):
        rows = np.concatenate([rows for _ in range(options.epochs) for rows in batches()])
        seen.append(steps["of each"][rows].sum())
        return 0.0

    def hold_out(recipe, cases, generator, report):
        steps["of each"] = cases.sequences(len(panel.calendar), generator).lengths
        return Budget(round(passes * steps["of each"].sum()), 1)

    monkeypatch.setattr(learning, "train", train)
    monkeypatch.setattr(GlobalNetwork, "_hold_out", hold_out)
    recipe.effort = Effort(1, Budget(1, 1))
    recipe.fit(panel, panel.keys, 1, lambda progress: None)
    assert seen == pytest.approx([passes * steps["of each"].sum()], rel=0.02)
