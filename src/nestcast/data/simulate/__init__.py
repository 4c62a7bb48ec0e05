"""Simulated data sets in the raw layouts, with the truth of the time after them."""

from nestcast.data.simulate.sales import SALES_SIZES, SalesSize, simulate_sales

__all__ = ["SALES_SIZES", "SalesSize", "simulate_sales"]
