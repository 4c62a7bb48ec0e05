"""Forecasts of what each shop will sell of each item, and of how often each ad will be clicked."""

from nestcast._version import __version__

__all__ = ["__version__"]
