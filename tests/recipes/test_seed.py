import numpy as np
import torch
from torch.nn import functional as F

from nestcast.data import Calendar, Keys, Panel
from nestcast.recipes.seed import SeedNetwork, SeedRecipe
from nestcast.training import silent
from tests.panels import store


def test_parameters_of_the_classical_network():
    recipe = SeedRecipe()
    recipe.fit(store(), store().keys, 1, silent)
    assert [parameters for *_, parameters in recipe.layers()] == [19_680, 41]
    assert sum(p.numel() for p in SeedNetwork().parameters()) == 19_721


def test_it_trains_on_all_periods_but_the_last_and_forecasts_from_the_window_moved_by_one(
    monkeypatch,
):
    panel = store()
    seen = []
    recipe = SeedRecipe()
    forward = SeedNetwork.forward
    monkeypatch.setattr(
        SeedNetwork, "forward", lambda s, x: seen.append(x.clone()) or forward(s, x)
    )
    recipe.fit(panel, panel.keys, 1, silent)
    training = torch.cat(seen, dim=1)
    assert training.shape[0] == len(panel.calendar) - 1
    columns = {tuple(c.tolist()) for c in training.T}
    assert columns == {tuple(row) for row in panel.target[:, :-1].tolist()}
    seen.clear()
    recipe.predict(panel, panel.keys, 1, [0.5])
    np.testing.assert_array_equal(torch.cat(seen, dim=1).numpy(), panel.target[:, 1:].T)


def test_shorter_histories_are_filled_with_zeros():
    panel = store()
    recipe = SeedRecipe()
    recipe.fit(panel, panel.keys, 1, silent)
    short = panel.until(5)
    mean = recipe.predict(short, short.keys, 1, [0.5]).mean
    padded = F.pad(torch.from_numpy(short.target), (len(panel.calendar) - 1 - 5, 0))
    with torch.no_grad():
        expected = recipe._network(padded.T).clamp(min=0)
    np.testing.assert_allclose(mean[:, 0], expected.numpy(), rtol=1e-6)


def test_five_epochs_bring_the_loss_down():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 10, 3000)
    panel = Panel(
        Keys({"item_id": np.arange(3000)}),
        Calendar("1mo", np.datetime64("2024-01-01"), 8),
        np.repeat(level[:, None], 8, axis=1).astype(np.float32),
        np.zeros(3000, np.int32),
    )
    losses = {}
    torch.manual_seed(0)
    SeedRecipe().fit(panel, panel.keys, 1, lambda p: losses.update({p.epoch: p.loss}))
    assert list(losses) == [1, 2, 3, 4, 5]
    assert losses[5] < losses[1]
