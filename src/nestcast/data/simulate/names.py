"""Names for simulated shops, categories and items, so that results read like a shop's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.str_]

_PLACES = [
    "Ashford", "Brookfield", "Cedarville", "Dunmore", "Eastport", "Fairview", "Glenwood", "Harbour",
    "Ironbridge", "Kingsley", "Lakeside", "Milltown", "Northgate", "Oakham", "Pinehurst",
]  # fmt: skip
_SITES = ["Mall", "Station", "High Street", "Market", "Outlet", "Airport"]
_GOODS = [
    "Games", "Films", "Music", "Books", "Toys", "Software", "Accessories", "Consoles", "Figures",
    "Board games", "Gift cards", "Headphones",
]  # fmt: skip
_KINDS = ["Classic", "Deluxe", "Digital", "Imported", "Kids", "Collector's", "Budget"]
_FIRST = [
    "Amber", "Brave", "Crimson", "Distant", "Electric", "Frozen", "Golden", "Hidden", "Iron",
    "Jade", "Lonely", "Midnight", "Northern", "Quiet", "Royal", "Silver", "Thunder", "Velvet",
]  # fmt: skip
_SECOND = [
    "Anchor", "Bridge", "Castle", "Dragon", "Empire", "Forest", "Garden", "Harbour", "Island",
    "Journey", "Kingdom", "Lantern", "Mountain", "Ocean", "Planet", "River", "Storm", "Voyage",
]  # fmt: skip


def category_names(number: int) -> Texts:
    """Names of categories, all different, for up to 84."""
    return np.array([f"{good} - {kind}" for kind in _KINDS for good in _GOODS][:number])


def shop_names(number: int, rng: np.random.Generator) -> Texts:
    """Names of shops, all different."""
    names = [f"{place}, {site}" for site in _SITES for place in _PLACES]
    rounds = -(-number // len(names))
    many = [*names, *(f"{name} {turn}" for turn in range(2, rounds + 1) for name in names)]
    return np.array(many)[rng.permutation(len(many))[:number]]


def item_names(number: int, rng: np.random.Generator) -> Texts:
    """Names of items, all different: two words and a number."""
    words = [f"{first} {second}" for first in _FIRST for second in _SECOND]
    chosen = rng.integers(len(words), size=number)
    return np.array([f"{words[word]} {at}" for at, word in enumerate(chosen.tolist())])
