import numpy as np
import pytest
import torch

from nestcast.model.noise import Noise

TIME = 60


def noise(told, target, seen=None, scale=None):
    """Of series (series, time); the size of each is as given at all times."""
    target = torch.as_tensor(np.asarray(target), dtype=torch.float32)
    seen = torch.ones_like(target, dtype=torch.bool) if seen is None else seen
    size = target.abs().mean(dim=1) if scale is None else torch.as_tensor(scale)
    after = torch.tensor(np.asarray(told), dtype=torch.float32)
    after = torch.cat([after, after[:, -1:]], dim=1)
    return Noise(after, target, seen, size[:, None].expand(-1, TIME + 1))


def at(found, origin, told, scale=1.0):
    series = torch.arange(len(np.atleast_1d(told)))
    return found.at(series, torch.tensor(origin), torch.as_tensor(told), torch.tensor(scale))


def test_errors_are_expected_as_they_were():
    target = np.full((2, TIME), 100.0)
    found = noise(target + np.array([[5], [-20]]), target)
    np.testing.assert_allclose(at(found, TIME, [100.0, 100.0], 100.0), [5, 20], rtol=1e-5)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_errors_grow_with_what_is_forecast(power):
    """A series that falls to a tenth: deviations of its old size would be far too large."""
    rng = np.random.default_rng(0)
    level = np.where(np.arange(TIME) < 45, 10_000.0, 1_000.0)
    off = rng.standard_normal((40, TIME)) * level**power * (1.0 if power == 0.5 else 0.1)
    found = at(noise(np.broadcast_to(level, off.shape), level + off), TIME, [1000.0] * 40, 1000.0)
    truth = 0.8 * 1_000.0**power * (1.0 if power == 0.5 else 0.1)
    assert 0.5 < np.median(found) / truth < 2


def test_what_comes_after_changes_nothing_and_long_ago_fades():
    rng = np.random.default_rng(1)
    told = np.full((3, TIME), 50.0)
    target = told + rng.standard_normal((3, TIME))
    changed = target.copy()
    changed[:, 30:] += 40
    one, other = noise(told, target, scale=[50.0] * 3), noise(told, changed, scale=[50.0] * 3)
    assert torch.equal(at(one, 30, [50.0] * 3), at(other, 30, [50.0] * 3))
    early, late = target.copy(), target.copy()
    early[:, 2], late[:, -2] = 90, 90
    of_early, of_late = (
        at(noise(told, one, scale=[50.0] * 3), TIME, [50.0] * 3) for one in (early, late)
    )
    assert (of_late > of_early).all()


def test_nothing_known_is_half_the_size_and_no_error_a_little():
    target = np.zeros((2, TIME))
    seen = torch.zeros(2, TIME, dtype=torch.bool)
    seen[1] = True
    found = noise(target, target, seen, scale=[8.0, 8.0])
    assert at(found, TIME, [8.0, 8.0], 8.0).tolist() == pytest.approx([4.0, 0.08])


def test_a_series_that_comes_from_nothing_has_not_erred_a_million_times_its_size():
    target = np.zeros((1, TIME))
    target[0, 40:] = 1e6
    told = np.zeros((1, TIME))
    told[0, 41:] = 1e6
    assert at(noise(told, target, scale=[0.1]), TIME, [1e6], 1e6) < 1e6
