"""Likelihoods against scipy and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from nestcast.errors import OptionError
from nestcast.model.continuous import Normal, Quantiles, StudentT, Tweedie
from nestcast.model.counts import Hurdle, NegativeBinomial, Poisson, ZeroInflated
from nestcast.model.families import FAMILIES, likelihood
from nestcast.model.likelihood import Size

COUNTS = [family for family in FAMILIES.values() if family.counts]
LEVELS = np.array([0.025, 0.1, 0.5, 0.9, 0.975])


def _cells(parameters: int, n: int = 40, seed: int = 0) -> tuple[torch.Tensor, Size]:
    """Distributions of many sizes and shapes."""
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(n, parameters, generator=generator, dtype=torch.float64)
    level = 10 ** (torch.rand(n, generator=generator, dtype=torch.float64) * 3 - 1.5)
    return raw, Size(level, level)


def _probabilities(family: type, raw: torch.Tensor, size: Size, most: int = 4000) -> np.ndarray:
    """Of each count from 0, shape (cells, most)."""
    y = torch.arange(most, dtype=torch.float64)
    each = Size(size.level[:, None], size.unit[:, None])
    return family().log_prob(raw[:, None], each, y.expand(len(raw), -1)).exp().numpy()


@pytest.mark.parametrize("family", COUNTS)
def test_the_probabilities_of_all_counts_are_one_and_have_the_mean(family: type) -> None:
    raw, size = _cells(family.parameters)
    probability = _probabilities(family, raw, size)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-4)
    mean = family().mean(raw, size).numpy()
    near = probability[:, -1] < 1e-12
    assert near.sum() > 20
    np.testing.assert_allclose(
        (probability * np.arange(4000)).sum(axis=1)[near], mean[near], rtol=1e-5
    )


@pytest.mark.parametrize("family", [NegativeBinomial, ZeroInflated, Hurdle])
def test_noise_is_the_deviation_of_large_counts_in_parts_of_the_mean(family: type) -> None:
    level, noise = torch.full((3,), 1e5), torch.tensor([0.03, 0.1, 0.3])
    raw = torch.zeros(3, family.parameters)
    if family is ZeroInflated:
        raw[:, 2] = -9  # never a zero for another reason
    low, high = family().quantile(raw, Size(level, level, noise), stats.norm.cdf([-1, 1])).T
    np.testing.assert_allclose((high - low) / 2e5, noise, rtol=0.05)


def test_a_size_is_taken_apart_and_expanded_as_a_whole() -> None:
    size = Size(torch.ones(3, 1), torch.ones(3, 1), torch.rand(3, 1))
    assert torch.equal(size[1:].noise, size.noise[1:])
    assert size.expand(-1, 4).noise.shape == (3, 4)
    assert size[0].level.shape == (1,)
    assert Size(size.level, size.unit).expand(-1, 4).noise == 1


@pytest.mark.parametrize("family", FAMILIES.values())
def test_the_mean_of_several_is_the_mean_of_their_means(family: type) -> None:
    raw, size = _cells(family.parameters)
    several = torch.stack([raw, raw.flip(0), raw / 2])
    torch.testing.assert_close(family().pooled(several[:1]), raw)
    if family in (Hurdle, Quantiles):  # other raw numbers change their means too, and not in a line
        several[..., [k for k in range(family.parameters) if k != family.location]] = 0
    means = torch.stack([family().mean(one, size) for one in several])
    torch.testing.assert_close(family().mean(family().pooled(several), size), means.mean(dim=0))


@pytest.mark.parametrize("family", COUNTS)
def test_cdf_and_quantiles_of_counts_follow_from_the_probabilities(family: type) -> None:
    raw, size = _cells(family.parameters)
    cumulative = _probabilities(family, raw, size).cumsum(axis=1)
    for k in (0, 1, 7):
        found = family().cdf(raw, size, torch.full((40,), float(k), dtype=torch.float64))
        np.testing.assert_allclose(found, cumulative[:, k], atol=1e-6)
    assert (family().cdf(raw, size, torch.full((40,), -1.0)) <= 1e-12).all()
    found = family().quantile(raw, size, LEVELS)
    for level, q in zip(LEVELS, found.T, strict=True):
        q = q.astype(int)
        assert (cumulative[np.arange(40), q] >= level - 1e-6).all()
        below = cumulative[np.arange(40), np.maximum(q - 1, 0)]
        assert ((below < level + 1e-6) | (q == 0)).all()


def test_negative_binomial_and_poisson_equal_scipy_also_where_the_mean_is_large() -> None:
    raw, size = _cells(2, n=100)
    size = Size(size.level * 100, size.unit * 100)
    y = torch.arange(100, dtype=torch.float64) * 7
    mean, spread = NegativeBinomial()._mean_and_dispersion(raw, size)
    number = 1 / spread.numpy()
    expected = stats.nbinom(number, number / (number + mean.numpy()))
    found = NegativeBinomial().log_prob(raw, size, y).numpy()
    np.testing.assert_allclose(found, expected.logpmf(y.numpy()), rtol=1e-7, atol=1e-7)
    found = NegativeBinomial().quantile(raw, size, LEVELS)
    np.testing.assert_array_equal(found, np.stack([expected.ppf(p) for p in LEVELS], axis=-1))

    mean = Poisson().mean(raw, size).numpy()
    found = Poisson().log_prob(raw, size, y).numpy()
    np.testing.assert_allclose(found, stats.poisson.logpmf(y.numpy(), mean), rtol=1e-7)
    found = Poisson().quantile(raw, size, LEVELS)
    np.testing.assert_array_equal(found, stats.poisson.ppf(LEVELS, mean[:, None]))


@pytest.mark.parametrize("mean", [1e5, 1e9])
def test_the_log_probability_of_huge_counts_and_its_gradient_are_exact_in_single_precision(
    mean: float,
) -> None:
    level = torch.full((3,), mean)
    y = level * torch.tensor([0.8, 1.0, 1.1])
    raw = torch.tensor([[0.1, -4.0]]).repeat(3, 1).requires_grad_()
    found = NegativeBinomial().log_prob(raw, Size(level, level), y)
    m, spread = NegativeBinomial()._mean_and_dispersion(raw.double(), Size(level, level))
    number = 1 / spread.detach().numpy()
    expected = stats.nbinom.logpmf(y.numpy(), number, number / (number + m.detach().numpy()))
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4)
    found.sum().backward()
    by_mean = (y - m) / (1 + spread * m)  # by the logarithm of the mean
    np.testing.assert_allclose(raw.grad[:, 0], by_mean.detach(), rtol=1e-3)
    more, none = (level + level.sqrt()).round(), torch.zeros(3, 1)
    found = Poisson().log_prob(none, Size(level, level), more)
    m = Poisson().mean(none, Size(level, level)).double()
    np.testing.assert_allclose(found, stats.poisson.logpmf(more.numpy(), m.numpy()), rtol=1e-4)


def test_zero_inflation_and_hurdle_only_change_how_often_there_is_none() -> None:
    raw, size = _cells(3)
    plain = _probabilities(NegativeBinomial, raw[:, :2], size)
    hurdle = _probabilities(Hurdle, raw, size)
    ratio = hurdle[:, 1:6] / plain[:, 1:6]
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(5, axis=1), rtol=1e-6)
    inflated = ZeroInflated()
    more = raw.clone()
    more[:, 2] += 1
    zero = torch.zeros(40, dtype=torch.float64)
    rarer = inflated.log_prob(more, size, zero) > inflated.log_prob(raw, size, zero)
    assert rarer.all()
    np.testing.assert_allclose(inflated.mean(more, size), inflated.mean(raw, size))


def test_normal_equals_scipy() -> None:
    raw, size = _cells(2)
    mean, deviation = (part.numpy() for part in Normal()._mean_and_deviation(raw, size))
    y = size.level * 1.3
    expected = stats.norm(mean, deviation)
    np.testing.assert_allclose(Normal().log_prob(raw, size, y), expected.logpdf(y), rtol=1e-9)
    np.testing.assert_allclose(Normal().cdf(raw, size, y), expected.cdf(y), rtol=1e-9)
    found = Normal().quantile(raw, size, LEVELS)
    np.testing.assert_allclose(found.T, [expected.ppf(p) for p in LEVELS], rtol=1e-5)


def test_student_t_equals_scipy() -> None:
    raw, size = _cells(3)
    center, width, freedom = (part.numpy() for part in StudentT()._parts(raw, size))
    assert ((freedom > 2) & (freedom < 100)).all()
    y = size.level * 1.3
    expected = stats.t(freedom, center, width)
    np.testing.assert_allclose(StudentT().log_prob(raw, size, y), expected.logpdf(y), rtol=1e-9)
    np.testing.assert_allclose(StudentT().cdf(raw, size, y), expected.cdf(y), rtol=1e-9)
    np.testing.assert_allclose(StudentT().mean(raw, size), expected.mean(), rtol=1e-9)
    found = StudentT().quantile(raw, size, LEVELS)
    np.testing.assert_allclose(found.T, [expected.ppf(p) for p in LEVELS], rtol=1e-5)


def test_tweedie_is_a_distribution_with_its_mean_and_variance() -> None:
    one = torch.tensor([3.0], dtype=torch.float64)
    raw, size = torch.tensor([[0.4, 0.7]], dtype=torch.float64), Size(one, one)

    def density(y: float) -> float:
        return Tweedie().log_prob(raw, size, torch.tensor([y], dtype=torch.float64)).exp().item()

    mean = Tweedie().mean(raw, size).item()
    zero = density(0.0)
    total = integrate.quad(density, 1e-9, 200, limit=200)[0]
    first = integrate.quad(lambda y: y * density(y), 1e-9, 200, limit=200)[0]
    second = integrate.quad(lambda y: y**2 * density(y), 1e-9, 200, limit=200)[0]
    rate, purchase = (part.item() for part in Tweedie()._rate_and_purchase(raw, size))
    assert zero + total == pytest.approx(1, abs=1e-6)
    assert zero == pytest.approx(np.exp(-rate))
    assert first == pytest.approx(mean, rel=1e-6)
    assert second - first**2 == pytest.approx(2 * rate * purchase**2, rel=1e-5)
    for y in (0.0, 0.5, 4.0):
        below = zero + integrate.quad(density, 1e-9, y, limit=200)[0] if y else zero
        found = Tweedie().cdf(raw, size, torch.tensor([y], dtype=torch.float64))[0]
        assert found == pytest.approx(below, abs=1e-6)
    quantiles = Tweedie().quantile(raw, size, LEVELS)[0]
    for level, q in zip(LEVELS, quantiles, strict=True):
        found = Tweedie().cdf(raw, size, torch.tensor([q], dtype=torch.float64))[0]
        assert found == pytest.approx(max(level, zero), abs=1e-5)


def test_free_quantiles_are_in_order_and_their_loss_is_the_pinball_loss() -> None:
    raw, size = _cells(Quantiles.parameters)
    values = Quantiles()._values(raw, size).numpy()
    assert (np.diff(values, axis=1) > 0).all()
    y = size.level * 0.7
    levels = np.array(Quantiles.LEVELS)
    off = y.numpy()[:, None] - values
    pinball = np.where(off > 0, levels * off, (levels - 1) * off)
    found = Quantiles().log_prob(raw, size, y).numpy()
    np.testing.assert_allclose(found, -2 * pinball.mean(axis=1) / size.unit.numpy())
    np.testing.assert_allclose(Quantiles().quantile(raw, size, levels), values, rtol=1e-5)
    at_knots = Quantiles().cdf(raw, size, torch.from_numpy(values[:, 5]))
    np.testing.assert_allclose(at_knots, levels[5])


@pytest.mark.parametrize("name", list(FAMILIES))
def test_samples_have_the_mean_and_the_quantiles(name: str) -> None:
    family = likelihood(name)
    raw, size = _cells(family.parameters, n=6, seed=3)
    raw = raw * 0.3
    draws = family.sample(raw, size, 40_000, np.random.default_rng(1))
    assert draws.shape == (6, 40_000)
    if name != "quantiles":  # whose ends are cut
        error = draws.std(axis=1) / 200
        np.testing.assert_allclose(draws.mean(axis=1), family.mean(raw, size), atol=5 * error.max())
    levels = np.array([0.25, 0.9])
    reached = [(draws <= q[:, None]).mean(axis=1) for q in family.quantile(raw, size, levels).T]
    assert (np.array(reached) >= levels[:, None] - 0.01).all()


@pytest.mark.parametrize("name", list(FAMILIES))
def test_losses_and_gradients_are_finite_at_the_edges(name: str) -> None:
    family = likelihood(name)
    for extreme in (-30.0, 0.0, 30.0):
        for level in (1e-3, 1.0, 1e6):
            raw = torch.full((3, family.parameters), extreme, requires_grad=True)
            size = Size(torch.full((3,), level), torch.full((3,), level))
            y = torch.tensor([0.0, 1.0, 1e6])
            value = family.log_prob(raw, size, y)
            assert torch.isfinite(value).all(), (extreme, level)
            value.sum().backward()
            assert raw.grad is not None
            assert torch.isfinite(raw.grad).all(), (extreme, level)


def test_unknown_names_are_told() -> None:
    with pytest.raises(OptionError, match="unknown likelihood 'gauss': use one of negative-bin"):
        likelihood("gauss")
