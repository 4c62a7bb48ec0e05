"""Click-through rates: empirical Bayes and other models of clicks out of impressions."""

from nestcast.rates.models import EmpiricalBayes
from nestcast.rates.shrinkage import Prior, fit_prior

__all__ = ["EmpiricalBayes", "Prior", "fit_prior"]
