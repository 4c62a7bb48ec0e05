"""Metrics, baselines, and backtests from rolling origins."""
