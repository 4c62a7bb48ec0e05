"""What the seller sees: from a forecast to what to do about it."""

from nestcast.seller.classes import abc_classes, demand_patterns, life_cycles
from nestcast.seller.demand import demand_paths
from nestcast.seller.inventory import StockOutlook, stock_outlook
from nestcast.seller.priority import Ranking, rank
from nestcast.seller.profile import DayProfile, learn_day_profile
from nestcast.seller.rate import SalesRate, sales_rate
from nestcast.seller.sellthrough import sell_through_90_days, sell_through_received
from nestcast.seller.stock import Stock, read_stock
from nestcast.seller.value import unit_prices
from nestcast.seller.whatif import WhatIf, what_if

__all__ = [
    "DayProfile",
    "Ranking",
    "SalesRate",
    "Stock",
    "StockOutlook",
    "WhatIf",
    "abc_classes",
    "demand_paths",
    "demand_patterns",
    "learn_day_profile",
    "life_cycles",
    "rank",
    "read_stock",
    "sales_rate",
    "sell_through_90_days",
    "sell_through_received",
    "stock_outlook",
    "unit_prices",
    "what_if",
]
