"""Likelihoods of clicks against scipy."""

import numpy as np
import pytest
import torch
from scipy import special, stats

from nestcast.model.clicks import BetaBinomial, Binomial
from nestcast.model.likelihood import Size


def cells(parameters, shown=30):
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(8, parameters, generator=generator, dtype=torch.float64) * 0.5
    level = torch.linspace(-5, 1, 8, dtype=torch.float64)
    return raw, Size(level, torch.full((8,), float(shown), dtype=torch.float64))


def law(raw, size):
    rate = special.expit((size.level + raw[:, 0]).numpy())[:, None]
    if raw.shape[-1] == 1:
        return stats.binom(30, rate)
    concentration = np.exp(6 + raw[:, 1].numpy())[:, None]
    return stats.betabinom(30, rate * concentration, (1 - rate) * concentration)


@pytest.mark.parametrize("family", [Binomial(), BetaBinomial()])
def test_they_are_the_distributions_of_the_field(family):
    raw, size = cells(family.parameters)
    expected, counts = law(raw, size), np.arange(31)
    each = Size(size.level[:, None], size.unit[:, None])
    y = torch.arange(31, dtype=torch.float64).expand(8, -1)
    found = family.log_prob(raw[:, None], each, y)
    np.testing.assert_allclose(found, expected.logpmf(counts), rtol=1e-9)
    np.testing.assert_allclose(family.cdf(raw, size, y[:, 3]), expected.cdf(3)[:, 0], rtol=1e-9)
    np.testing.assert_allclose(family.mean(raw, size), expected.mean()[:, 0], rtol=1e-12)
    levels = np.array([0.1, 0.5, 0.9])
    np.testing.assert_array_equal(family.quantile(raw, size, levels), expected.ppf(levels))


@pytest.mark.parametrize("family", [Binomial(), BetaBinomial()])
def test_without_impressions_nothing_is_learned(family):
    raw, size = cells(family.parameters, shown=0)
    raw.requires_grad_()
    value = family.log_prob(raw, size, torch.zeros(8))
    value.sum().backward()
    assert (value == 0).all()
    assert (raw.grad == 0).all()


def test_a_very_dispersed_law_is_still_finite():
    family, n = BetaBinomial(), torch.tensor([1e9])
    for concentration in (-50.0, 50.0):
        raw = torch.tensor([[0.0, concentration]])
        for clicks in (0.0, 1e9):
            size = Size(torch.tensor([-4.0]), n)
            assert torch.isfinite(family.log_prob(raw, size, torch.tensor([clicks]))).all()
