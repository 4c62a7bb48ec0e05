"""Metrics, baselines, and backtests from rolling origins."""

from nestcast.evaluation.backtest import backtest
from nestcast.evaluation.models import Model
from nestcast.evaluation.origins import Origin, rolling_origins
from nestcast.evaluation.registry import Contender, contender
from nestcast.evaluation.results import Backtest

__all__ = [
    "Backtest",
    "Contender",
    "Model",
    "Origin",
    "backtest",
    "contender",
    "rolling_origins",
]
