import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from nestcast.model.base import Base, Past, SimpleForecasts
from nestcast.model.noise import Noise
from nestcast.model.smoothing import smooth

WEEKS, SERIES = 110, 6
NEXT = torch.arange(4)  # periods ahead
SHARE = NEXT / len(NEXT)
NOT = (-20.0, 0.0, 0.0)  # log-odds of what does not count


def with_a_season(season, time, seed=0):
    """Series of very different size that all move in the same way every season."""
    rng = np.random.default_rng(seed)
    level = 10.0 ** rng.uniform(1, 4, (SERIES, 1))
    at = np.arange(time) % season
    shape = 1 + (at == season // 2) * 1.5 + 0.2 * np.sin(2 * np.pi * at / season)
    return torch.from_numpy((level * shape).astype(np.float32))


def simple(target, season, seen=None):
    seen = torch.ones_like(target, dtype=torch.bool) if seen is None else seen
    smoothed = smooth(target, seen, season, max(len(NEXT), 28))
    scale = target.new_ones(len(target), target.shape[1] + 1)
    noise = Noise(smoothed.following(), target, seen, scale)
    return SimpleForecasts(Past(target, seen, season), smoothed, noise, scale)


def parts(target, season, origin, steps=NEXT):
    rows = torch.arange(len(target))
    scale = target[:, max(0, origin - season) : origin].mean(dim=1)
    found = simple(target, season).at(
        rows, torch.full((1, len(target)), origin), steps, scale[None]
    )
    return found[0], scale[:, None]


@pytest.mark.parametrize(("season", "time"), [(12, 40), (52, WEEKS)])
def test_what_all_series_did_a_season_ago_is_forecast_again(season, time):
    target = with_a_season(season, time + 4)
    found, unit = parts(target[:, :time], season, time)
    certain = Base(noise=(-9.0, -9.0, -9.0), smoothed=NOT)  # all that moved is signal
    truth = target[:, time : time + 4]
    torch.testing.assert_close(certain(found, unit, SHARE), truth, rtol=0.01, atol=0.0)


def test_weekdays_are_forecast_again():
    target = with_a_season(7, 60)
    found, unit = parts(target[:, :56], 7, 56)
    forecast = Base(noise=(-9.0, -9.0, -9.0), smoothed=NOT)(found, unit, SHARE)
    torch.testing.assert_close(forecast, target[:, 56:], rtol=0.01, atol=0.0)


def test_the_end_of_a_year_is_seen_in_days():
    target = with_a_season(364, 800) * 100
    peak = 364 + 182
    origin, days = peak - 14, torch.arange(28)
    found, unit = parts(target[:, :origin], 7, origin, days)
    year = (found[..., -1] / unit).numpy()
    near = np.abs(days.numpy() - 14) <= 3  # the peak is one day of the week around it
    assert year[:, near].min() > 0.1
    assert year[:, ~near].max() < 0.05


def of_one(moved, own):
    """What is forecast of a series of 100 when all series and it alone moved so."""
    level = torch.full((1, 1, 3), 100.0)
    last = [level[..., :1] * own, level[..., :1], torch.zeros(1, 1, 1)]
    given = torch.cat([level, level * moved, *last], dim=-1)
    return float(Base(smoothed=NOT)(given, level[..., 0], SHARE[:1]))


def test_large_movements_count_in_full_and_small_ones_hardly():
    assert 100 < of_one(0.02, 0.02) < 100.2
    assert 299 < of_one(2.0, 2.0) < 300
    assert 100 < of_one(0.0, 0.02) < 100.1
    assert 295 < of_one(0.0, 2.0) < 300


def test_nothing_is_made_of_sums_of_both_signs():
    rng = np.random.default_rng(2)
    target = torch.from_numpy(rng.standard_normal((SERIES, 50)).astype(np.float32))
    target = target - target.mean(dim=0)  # all together nothing
    found, _ = parts(target, 12, 50)
    torch.testing.assert_close(found[..., 3:6], torch.zeros_like(found[..., 3:6]))


def test_a_series_not_there_a_season_ago_moves_with_all_others():
    target = with_a_season(12, 18 + 12)[:, :18]
    seen = torch.ones_like(target, dtype=torch.bool)
    seen[0, :5] = False
    scale = target[:, 6:].mean(dim=1)
    found = simple(target, 12, seen).at(
        torch.arange(SERIES), torch.full((1, SERIES), 18), NEXT[:1], scale[None]
    )[0]
    assert found[0, 0, 5] > 0
    assert found[0, 0, 6] == found[0, 0, 5]
    assert (found[1:, 0, 6] != found[1:, 0, 5]).all()


def test_a_series_without_a_past_is_as_large_as_usual():
    target = torch.zeros(2, 30)
    rows, scale = torch.arange(2), torch.tensor([[5.0, 7.0]])
    found = simple(target, 12, torch.zeros(2, 30, dtype=torch.bool)).at(
        rows, torch.full((1, 2), 30), NEXT, scale
    )
    forecast = Base()(found[0], scale.T, SHARE)
    torch.testing.assert_close(forecast, scale.T.expand(2, 4))


def test_smoothing_counts_the_more_the_better_it_forecasts():
    def weight(smoothed):
        found = torch.rand(500, 4, 9) * 10
        found[..., 3:7] = found[..., 8] = 0  # nothing moves, and nothing has been better
        truth = smoothed * found[..., 7] + (1 - smoothed) * found[..., 0]
        base = Base.of(found, torch.ones(500, 1), SHARE, truth, torch.ones(500, 4) > 0)
        return base.smoothed[0]

    assert weight(1.0) > 0.5 > -0.5 > weight(0.0)


def test_smoothing_counts_the_more_the_better_it_was_for_that_series():
    time = np.arange(73)
    rng = np.random.default_rng(5)
    trend = 100 + 10 * time  # of which simple forecasts know nothing
    walk = 500 + 40 * np.cumsum(rng.standard_normal((3, 73)), axis=1)
    target = torch.from_numpy(np.vstack([trend, walk]).astype(np.float32))
    target, after = target[:, :72], target[:, 72]
    found, unit = parts(target, 12, 72)
    better = found[:, 0, 8]
    assert better[0] > 2
    assert better[0] > better[1:].max() + 1
    apart = (Base()(found, unit, SHARE)[:, 0] - found[:, 0, 7]).abs()
    assert apart[0] < 1
    assert abs(float(Base()(found, unit, SHARE)[0, 0] - after[0])) < 10


def test_how_good_smoothing_was_follows_from_what_came_before():
    rng = np.random.default_rng(6)
    target = torch.from_numpy(rng.gamma(2, 5, (SERIES, 60)).astype(np.float32))
    changed = target.clone()
    changed[:, 40:] *= 3
    one, other = parts(target, 12, 40)[0], parts(changed, 12, 40)[0]
    assert one[..., 8].abs().min() > 0
    torch.testing.assert_close(one, other)


def test_a_series_that_comes_from_nothing_does_not_decide_the_weights():
    rng = np.random.default_rng(7)
    found = torch.from_numpy(rng.gamma(4, 2, (400, 4, 9)).astype(np.float32))
    found[..., 3:7] = found[..., 8] = 0
    truth = found[..., 7].clone()  # smoothing is right
    unit, known = torch.ones(400, 1), torch.ones(400, 4) > 0
    usual = Base.of(found, unit, SHARE, truth, known).smoothed[0]
    truth[0] = 1e7
    torch.testing.assert_close(
        Base.of(found, unit, SHARE, truth, known).smoothed[0], usual, rtol=0.1, atol=0
    )
    assert usual > 0.5


def learned(noise, own, seed=0):
    """What is learned from series that move together, up to noise and what is their own."""
    rng = np.random.default_rng(seed)
    target = with_a_season(12, 60, seed).numpy()
    season = own * rng.standard_normal((SERIES, 12))[:, np.arange(60) % 12]
    target = target * (1 + season + noise * rng.standard_normal(target.shape))
    target = torch.from_numpy(target.astype(np.float32)).clamp(min=0)
    every = [(parts(target[:, :t], 12, t), target[:, t : t + 4]) for t in range(20, 56)]
    found = torch.cat([one for (one, _), _ in every])
    unit, truth = torch.cat([u for (_, u), _ in every]), torch.cat([t for _, t in every])
    known = torch.ones_like(truth, dtype=torch.bool)
    base = Base.of(found, unit, SHARE, truth, known)

    def error(one):
        return float(((one(found, unit, SHARE) - truth).abs() / unit).mean())

    return base, error(base), error(Base())


def test_learning_tells_what_is_a_series_own_from_noise():
    own, own_error, own_before = learned(noise=0.02, own=0.3)
    noisy, noisy_error, noisy_before = learned(noise=0.3, own=0.0)
    assert own.noise[1] < noisy.noise[1] - 1
    assert own_error < own_before
    assert noisy_error < noisy_before


def test_nothing_known_teaches_nothing():
    found = torch.rand(10, 4, 9)
    base = Base.of(found, torch.ones(10, 1), SHARE, torch.ones(10, 4), torch.zeros(10, 4) > 0)
    for name, value in asdict(Base()).items():
        assert getattr(base, name) == pytest.approx(value, abs=1e-4)


def test_weights_survive_json():
    base = Base((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (-1.0, -2.0, -3.0), (0.5, -0.5, 1.5))
    assert Base.from_json(json.loads(json.dumps(asdict(base)))) == base
