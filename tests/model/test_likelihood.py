import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nestcast.errors import ModelError
from nestcast.model.likelihood import NegativeBinomial, Normal, likelihood

LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975]
raws = st.floats(-6, 6)
scales = st.floats(1e-3, 1e4)


def one(*raw: float, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([raw], dtype=torch.float64), torch.tensor([scale], dtype=torch.float64)


def nbinom(raw: torch.Tensor, scale: torch.Tensor):
    mean, dispersion = NegativeBinomial()._mean_and_dispersion(raw, scale)
    size = 1 / dispersion.item()
    return stats.nbinom(size, size / (size + mean.item()))


@given(raws, raws, scales, st.integers(0, 5000))
@settings(deadline=None)
def test_negative_binomial_equals_scipy(a, b, scale, y):
    raw, s = one(a, b, scale=scale)
    oracle = nbinom(raw, s)
    log_prob = NegativeBinomial().log_prob(raw, s, torch.tensor([float(y)], dtype=torch.float64))
    np.testing.assert_allclose(log_prob.item(), oracle.logpmf(y), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(NegativeBinomial().mean(raw, s).item(), oracle.mean(), rtol=1e-7)
    quantiles = NegativeBinomial().quantile(raw, s, LEVELS)[0]
    np.testing.assert_allclose(quantiles, oracle.ppf(LEVELS))


def test_negative_binomial_probabilities_sum_to_one():
    raw, scale = one(0.3, -0.5, scale=3.0)
    counts = torch.arange(2000, dtype=torch.float64)
    each = NegativeBinomial().log_prob(raw.expand(2000, 2), scale.expand(2000), counts)
    assert each.exp().sum().item() == pytest.approx(1.0, abs=1e-9)


@given(st.floats(-5, 5), raws, scales, st.floats(-1e3, 1e3))
@settings(deadline=None)
def test_normal_equals_scipy(a, b, scale, y):
    raw, s = one(a, b, scale=scale)
    deviation = Normal()._mean_and_deviation(raw, s)[1].item()
    oracle = stats.norm(a * scale, deviation)
    log_prob = Normal().log_prob(raw, s, torch.tensor([y], dtype=torch.float64)).item()
    np.testing.assert_allclose(log_prob, oracle.logpdf(y), rtol=1e-6)
    np.testing.assert_allclose(
        Normal().quantile(raw, s, LEVELS)[0], oracle.ppf(LEVELS), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("family", [NegativeBinomial(), Normal()])
def test_gradients_are_exact(family):
    raw = torch.randn(6, family.parameters, dtype=torch.float64, requires_grad=True)
    scale = torch.rand(6, dtype=torch.float64) + 0.1
    y = torch.tensor([0.0, 1, 2, 5, 20, 300], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda r: family.log_prob(r, scale, y), raw)


@pytest.mark.parametrize("family", [NegativeBinomial(), Normal()])
def test_training_begins_at_the_scale_of_the_series(family):
    raw = torch.tensor([family.initial_bias()])
    assert family.mean(raw, torch.tensor([7.0])).item() == pytest.approx(7.0, rel=1e-3)


def test_unknown_likelihood_names_the_known():
    with pytest.raises(ModelError, match=r"unknown likelihood 'x'.*negative-binomial, normal"):
        likelihood("x")
