"""How far networks may move a forecast away from its base."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nestcast import Forecaster, Keys, Panel
from nestcast.data import Calendar
from nestcast.model.continuous import Normal, Quantiles
from nestcast.model.likelihood import Size
from nestcast.recipes.holdout import Held, HoldOut

SERIES, PERIODS = 40, 12


def trust(said, truth):
    """Trust in corrections of a level of 100, shape (periods, series), in units of 100."""
    start = torch.zeros(SERIES, dtype=torch.long)
    features = SimpleNamespace(start=start, length=PERIODS, horizon=1)
    cases = SimpleNamespace(features=features, named=None)
    held_out = HoldOut(cases, Normal(), 0, False, np.random.default_rng(0))
    hundred = torch.full((SERIES, 1), 100.0)
    forecasts = (
        Held(
            np.arange(SERIES),
            period,
            torch.stack([torch.as_tensor(one), torch.zeros(SERIES)], dim=-1)[:, None],
            Size(hundred, hundred),
            100 + 100 * torch.as_tensor(true)[:, None],
            torch.ones(SERIES, 1, dtype=torch.bool),
        )
        for period, (one, true) in enumerate(zip(said, truth, strict=True))
    )
    return held_out.trust(list(forecasts))


def noise(seed):
    return np.random.default_rng(seed).standard_normal((PERIODS, SERIES)).astype(np.float32) / 4


def test_networks_are_trusted_as_far_as_they_were_right():
    truth = noise(1)
    assert trust(truth, truth) == 1.0
    assert trust(2 * truth, truth) == 0.5
    assert trust(noise(2), truth) == 0.0


def test_one_lucky_period_is_not_enough():
    truth, lucky = noise(1), np.zeros((PERIODS, SERIES), np.float32)
    lucky[3] = truth[3]
    assert trust(lucky, truth) == 0.0
    assert trust(np.where(np.arange(PERIODS)[:, None] < 9, truth, 0), truth) == 1.0


def test_a_series_that_comes_from_nothing_does_not_decide():
    """All were wrong of it by as much as can count; before, its error hid all others."""
    truth = noise(1)
    truth[3, 0] = 1e6
    said = noise(1)
    assert trust(said, truth) == 1.0
    said[3, 0] = -10.0
    assert trust(said, truth) == 1.0


def test_what_helps_on_most_and_harms_on_the_largest_is_not_trusted():
    truth = np.abs(noise(1)) + 0.1
    truth[:, 0] = 1
    said = truth.copy()
    said[:, 0] = -5
    assert np.abs(said - truth).sum() < np.abs(truth).sum()
    assert trust(said, truth) == 0.0
    said[:, 0] = 1
    assert trust(said, truth) == 1.0


@pytest.mark.parametrize("counts", [True, False])
def test_widths_start_from_how_each_series_was_forecast_before(counts, short_training):
    rng = np.random.default_rng(0)
    apart = np.repeat([0.02, 0.2], 20)[:, None] * rng.standard_normal((40, 48))
    target = (5000 * (1 + apart)).round()
    panel = Panel(
        Keys({"unique_id": np.arange(40)}),
        Calendar("1mo", np.datetime64("2020-01"), 48),
        target.astype(np.float32),
        np.zeros(40, np.int32),
        is_count=counts,
    )
    forecast = Forecaster(seed=0).fit(panel).predict(level=(80.0,))
    widths = forecast.quantiles[:, 0, -1] - forecast.quantiles[:, 0, 0]
    calm, wild = np.median(widths[:20]), np.median(widths[20:])
    assert wild > 4 * calm
    assert 0.5 < calm / (2.56 * 100) < 2


def test_trust_moves_nothing_but_the_middle():
    raw, ten = torch.randn(5, 3, Quantiles.parameters), torch.full((5, 3), 10.0)
    family, size = Quantiles(), Size(ten, ten)
    middle = np.array([0.5])
    half = family.quantile(family.trusted(raw, 0.5), size, middle)
    np.testing.assert_allclose(half, (10 + family.quantile(raw, size, middle)) / 2, rtol=1e-5)
    wide = np.array([0.1, 0.9])
    width = np.diff(family.quantile(raw, size, wide))
    np.testing.assert_allclose(
        np.diff(family.quantile(family.trusted(raw, 0.0), size, wide)), width, rtol=1e-3
    )


@pytest.fixture(scope="module")
def december():
    """Weekly sales of shops, of different sizes, until the weeks before the second Christmas."""
    rng = np.random.default_rng(3)
    weeks = np.arange(100)
    christmas = 1.2 * np.exp(-(((weeks % 52) - 48) ** 2) / 4)
    level = 10.0 ** rng.uniform(4, 6, (15, 1))
    share = rng.uniform(0.7, 1.3, (15, 1))
    target = level * (1 + christmas * share + 0.05 * rng.standard_normal((15, 100)))
    panel = Panel(
        Keys({"shop": np.arange(15)}),
        Calendar("1w", np.datetime64("2023-01-06"), 96),
        target[:, :96].astype(np.float32),
        np.zeros(15, np.int32),
        is_count=False,
    )
    return panel, target[:, 96:]


def test_a_christmas_seen_once_is_expected_again(december, tmp_path):
    panel, truth = december
    forecaster = Forecaster(4, effort="quick", seed=1).fit(panel)
    forecast = forecaster.predict(level=[80]).mean

    def error(one):
        return float(np.abs(one / truth - 1).mean())

    assert error(forecast) < 0.12
    assert error(panel.target[:, 92:96].mean(axis=1, keepdims=True)) > 0.2
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model").predict(4, level=[80], panel=panel)
    np.testing.assert_array_equal(again.mean, forecast)
