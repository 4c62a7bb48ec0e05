"""Exponential smoothing by many rules at once."""

import math

import pytest
import torch

from nestcast.model import smoothing
from nestcast.model.smoothing import smooth

SEASON, HORIZON = 4, 3
KINDS = ["plain", "additive", "multiplicative"]


def seasonal(length=40, series=3, seed=0):
    """Positive values with season and trend that differ between series, all seen."""
    torch.manual_seed(seed)
    time = torch.arange(length)
    season = 1 + 0.4 * torch.sin(time * 2 * math.pi / SEASON + torch.rand(series, 1))
    target = (20 + time * torch.rand(series, 1)) * season + torch.rand(series, length)
    return target, torch.ones_like(target, dtype=torch.bool)


def only(kind, monkeypatch):
    """Leave one rule that learns; what moves its level and trend, its damping, and its season."""
    rule, deaf = (0.3, 0.06, 0.9, 0.14), (0.0, 0.0, 1.0, 0.0)
    rates = torch.tensor([rule] if kind == "plain" else [deaf, rule])
    begins = {"plain": (1, 1), "additive": (1, 2), "multiplicative": (1, 1)}[kind]
    rules = smoothing._Rules(*rates.T[..., None], *begins)
    monkeypatch.setattr(smoothing, "_rules", lambda seasonal: rules)
    return rule


def smoothed(target, seen, season=SEASON):
    return smooth(target, seen, season, HORIZON)


@pytest.mark.parametrize("kind", KINDS)
def test_one_rule_is_what_the_book_says(kind, monkeypatch):
    a, b, damping, c = only(kind, monkeypatch)
    monkeypatch.setattr(smoothing, "_INITS", (1,))
    target, seen = seasonal(series=1)
    y = target[0].double().tolist()
    mean = sum(y[:SEASON]) / SEASON
    level, trend = (y[0], 0.0) if kind == "plain" else (mean, 0.0)
    begin = 1 if kind == "plain" else SEASON
    season = {
        "plain": [0.0] * SEASON,
        "additive": [value - mean for value in y[:SEASON]],
        "multiplicative": [value / mean for value in y[:SEASON]],
    }[kind]
    for period in range(begin, len(y)):
        usual, s = level + damping * trend, season[period % SEASON]
        if kind == "multiplicative":
            off = y[period] / s - usual
            season[period % SEASON] += c * (y[period] / usual - s)
        else:
            off = y[period] - s - usual
            season[period % SEASON] += c * off if kind == "additive" else 0.0
        level, trend = usual + a * off, damping * trend + b * off
    expected = []
    for step in range(HORIZON):
        usual = level + sum(damping**k for k in range(1, step + 2)) * trend
        s = season[(len(y) + step) % SEASON]
        expected.append(usual * s if kind == "multiplicative" else usual + s)
    found = smoothed(target, seen, 1 if kind == "plain" else SEASON).forecast[0, -1]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("multiplicative", [False, True])
def test_trend_and_season_without_noise_are_forecast(multiplicative):
    time = torch.arange(60.0)
    season = torch.tensor([0.7, 1.0, 1.6, 0.7]).repeat(16)
    line = 50 + 2 * torch.arange(64.0)
    every = line * season if multiplicative else line + 30 * season
    target, expected = every[None, :60], every[60 : 60 + HORIZON]
    forecast = smoothed(target, torch.ones(1, len(time), dtype=torch.bool)).forecast[0, -1]
    torch.testing.assert_close(forecast, expected, rtol=0.02, atol=0)


def test_nothing_comes_from_later():
    target, seen = seasonal()
    before = smoothed(target, seen)
    target[:, 25:] = target[:, 25:].flip(1) * 3
    after = smoothed(target, seen)
    for one, other in zip(before[1:], after[1:], strict=True):
        torch.testing.assert_close(one[:, :26], other[:, :26], equal_nan=True)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_forecasts_grow_with_the_series(factor):
    target, seen = seasonal()
    _, forecast = smoothed(target, seen)
    _, larger = smoothed(target * factor, seen)
    torch.testing.assert_close(larger / factor, forecast, rtol=1e-3, atol=0, equal_nan=True)


def test_series_do_not_depend_on_each_other_nor_on_when_they_began(
    monkeypatch,
):
    target, seen = seasonal(series=3)
    later, later_seen = torch.zeros(3, 47), torch.zeros(3, 47, dtype=torch.bool)
    later[:, 7:], later_seen[:, 7:] = target, seen
    together = smoothed(target, seen).forecast
    monkeypatch.setattr(smoothing, "_CHUNK", 1)
    torch.testing.assert_close(
        smoothed(later, later_seen).forecast[:, 7:], together, equal_nan=True
    )


def test_only_the_last_periods_are_kept_of_many(monkeypatch):
    target, seen = seasonal()
    every = smoothed(target, seen)
    monkeypatch.setattr(smoothing, "_MOST", 10 * 3 * HORIZON)
    last = smoothed(target, seen)
    assert last.forecast.shape == (3, 10, HORIZON)
    assert last.first == every.forecast.shape[1] - 10
    torch.testing.assert_close(last.forecast, every.forecast[:, -10:])
    series, steps, five = torch.arange(3)[:, None, None], torch.arange(HORIZON), torch.tensor(5.0)
    origin = torch.full((3, 1, 1), 35)
    now, then = (last.at(series, at, steps, five) for at in (origin, origin - 10))
    torch.testing.assert_close(now, every.at(series, origin, steps, five))
    assert (then == five).all()
    torch.testing.assert_close(
        last.following()[:, last.first :], every.following()[:, last.first :]
    )
    assert last.following()[:, : last.first].isnan().all()


def test_rules_that_erred_less_count_more():
    torch.manual_seed(0)
    noise = 10 + torch.randn(1, 200)
    walk = 50 + torch.randn(1, 200).cumsum(dim=1)
    seen = torch.ones_like(noise, dtype=torch.bool)
    assert abs(smoothed(noise, seen, 1).forecast[0, -1, 0] - noise.mean()) < 0.3
    assert abs(smoothed(walk, seen, 1).forecast[0, -1, 0] - walk[0, -1]) < 0.5


def test_odd_series_are_forecast_with_finite_numbers():
    target, seen = seasonal(series=6)
    target[0] = 0  # nothing ever
    target[1, 20:] = 0  # ended
    target[2] = 5  # the same always
    seen[3, 10:22] = False  # a gap of seasons
    seen[4] = False  # never seen
    target[5] = -target[5]  # below nothing
    target = target * seen
    first, forecast = smoothed(target, seen)
    assert first == 0
    assert forecast[4].isnan().all()
    assert forecast[[0, 1, 2, 3, 5], 1:].isfinite().all()
    assert (forecast[[0, 1, 2, 3], 1:] >= 0).all()  # what was never negative stays so
    torch.testing.assert_close(forecast[2, -1], torch.full((HORIZON,), 5.0))
    assert (forecast[0, 1:] == 0).all()
    assert (forecast[1, -1] < 1).all()
    assert (forecast[5, -1] < 0).all()
