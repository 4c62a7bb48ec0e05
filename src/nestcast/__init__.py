"""Forecasts of what each shop will sell of each item, and of how often each ad will be clicked.

Example:
    >>> import nestcast
    >>> nestcast.Forecaster(horizon=3, seed=1).recipe
    'global'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nestcast._version import __version__

if TYPE_CHECKING:
    from nestcast.data import Keys, Panel, read_pairs, read_panel, write_table
    from nestcast.errors import DataError, ModelError, NestcastError, OptionError
    from nestcast.evaluation.backtest import backtest
    from nestcast.evaluation.search import tune
    from nestcast.forecast import Forecast
    from nestcast.forecaster import Forecaster
    from nestcast.rateforecast import RateForecast
    from nestcast.rates import EmpiricalBayes
    from nestcast.recipes.tuning import Tuning

# Loaded when first used, because torch takes seconds to import and `nestcast --help` needs none.
_HOMES = {
    "DataError": "nestcast.errors",
    "Forecast": "nestcast.forecast",
    "EmpiricalBayes": "nestcast.rates",
    "Forecaster": "nestcast.forecaster",
    "Keys": "nestcast.data",
    "ModelError": "nestcast.errors",
    "NestcastError": "nestcast.errors",
    "OptionError": "nestcast.errors",
    "Panel": "nestcast.data",
    "RateForecast": "nestcast.rateforecast",
    "Tuning": "nestcast.recipes.tuning",
    "backtest": "nestcast.evaluation.backtest",
    "read_pairs": "nestcast.data",
    "read_panel": "nestcast.data",
    "tune": "nestcast.evaluation.search",
    "write_table": "nestcast.data",
}

__all__ = [
    "DataError",
    "EmpiricalBayes",
    "Forecast",
    "Forecaster",
    "Keys",
    "ModelError",
    "NestcastError",
    "OptionError",
    "Panel",
    "RateForecast",
    "Tuning",
    "__version__",
    "backtest",
    "read_pairs",
    "read_panel",
    "tune",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nestcast' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
