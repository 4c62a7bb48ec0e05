"""Gradient-boosted trees on lagged features: a baseline, and a partner of the networks."""
