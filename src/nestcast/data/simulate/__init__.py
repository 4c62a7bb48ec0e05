"""Simulated data sets in the raw layouts, with the truth of the time after them."""

from nestcast.data.simulate.ads import ADS_SIZES, AdsSize, simulate_ads
from nestcast.data.simulate.sales import SALES_SIZES, SalesSize, simulate_sales

__all__ = ["ADS_SIZES", "SALES_SIZES", "AdsSize", "SalesSize", "simulate_ads", "simulate_sales"]
