"""Which inputs a model gets from a panel: chosen once, when it is fitted, and kept by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from nestcast.data.keys import Keys, item_column
from nestcast.data.panel import Panel
from nestcast.model.autoregression import has_shops
from nestcast.model.cells import names_grid
from nestcast.model.groups import Group, Grouping, choose_embedded, choose_means, column
from nestcast.model.nameparts import with_name_parts
from nestcast.model.namerates import has_names

_LARGE = 50.0  # mean of the sales that are not 0 above which counts are taken relative to size
_STEADY = 3.0  # the same where not most are 0
_FEW_ZEROS = 0.25  # share of zeros, at most
_YEARS = 4  # from which on the time of the year is an input
_FEW = 100  # values of a name's part, to be crossed with another key or embedded


@dataclass(frozen=True)
class Schema:
    """The inputs; all of it fits into JSON.

    Args:
        groups: the groups whose means are inputs.
        parts: the groups by parts of names, of which fewer means are.
        newcomers: the groups whose first sales of new items are inputs.
        vocabularies: column -> its values, whose positions are inputs.
        item: the key column of the item.
        relative: whether targets are divided by the mean size of their series so far.
        based: whether forecasts start from what each series by itself says.
        typical: the mean absolute target, the size of a series without a past.
        horizon: periods ahead.
        year: periods in a year.
        yearly: whether the time of the year is an input: with few years, it would tell the date,
            and what happened then would be learned by heart.
        observed, known: names of the covariates.
        assortment: the groups of items of which is counted how many are new in the period to
            forecast: a fact where it is known then what will be sold.
        names: whether what the words of an item's name say of newcomers is an input.
        by_shop: whether what a shop is expected to sell, given what all shops sold, is an input.
        reopening: whether shops that are asked for are known to be open in the one period that is
            forecast, see `closures`.
        earlier: whether the season before the last is an input: with few seasons it, too, would
            tell the date.
    """

    groups: tuple[Group, ...]
    parts: tuple[Group, ...]
    newcomers: tuple[Group, ...]
    vocabularies: dict[str, list[Any]]
    item: str
    relative: bool
    based: bool
    typical: float
    horizon: int = 1
    year: int = 12
    yearly: bool = True
    observed: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    assortment: tuple[Group, ...] = ()
    names: bool = False
    by_shop: bool = False
    earlier: bool = False
    reopening: bool = False

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The schema that was saved."""
        groups = {
            name: tuple(tuple(group) for group in values[name])
            for name in ("groups", "parts", "newcomers", "assortment")
        }
        names = {name: tuple(values[name]) for name in ("observed", "known")}
        return cls(**{**values, **groups, **names})


def schema_of(
    panel: Panel,
    horizon: int = 1,
    *,
    known_assortment: bool = False,
    asked: Keys | None = None,
) -> Schema:
    """Choose the inputs that the panel has something to say about.

    Args:
        panel: to learn from.
        horizon: periods ahead.
        known_assortment: whether it is known in advance which items a period will have.
        asked: the series to forecast, if not those of the panel.
    """
    item = item_column(panel.keys)
    parted, found = with_name_parts(panel)
    parts: list[Group] = [(name,) for name in found]
    for name, (key, size) in found.items():
        if size <= _FEW:
            parts += [(name, other) for other in panel.keys.names if other != key]
    groups = tuple(choose_means(panel))
    several_keys = panel.is_count and len(panel.keys.names) > 1
    of_items = [(name,) for name, (key, _) in found.items() if key == item]
    newcomers = [*(group for group in groups if item not in group), *of_items]
    begun = np.arange(len(panel.calendar)) >= panel.start[:, None]
    seen = np.abs(panel.target[begun & np.isfinite(panel.target)])
    some = seen[seen != 0]
    zeros = 1 - len(some) / max(len(seen), 1)
    mean = float(some.mean(dtype=np.float64)) if len(some) else 0.0
    relative = not panel.is_count or mean > _LARGE
    based = relative or (mean > _STEADY and zeros <= _FEW_ZEROS)
    embedded = [*choose_embedded(panel), *(n for n, (_, size_) in found.items() if size_ <= _FEW)]
    return Schema(
        groups=groups,
        parts=tuple(parts),
        newcomers=tuple(newcomers) if several_keys else (),
        vocabularies={name: np.unique(column(parted, name)).tolist() for name in embedded},
        item=item,
        relative=relative,
        based=based,
        typical=max(float(seen.mean(dtype=np.float64)) if len(seen) else 0.0, 1e-3),
        horizon=horizon,
        year=panel.calendar.year,
        yearly=len(panel.calendar) >= _YEARS * panel.calendar.year,
        observed=tuple(panel.observed),
        known=tuple(panel.known),
        assortment=_of_items(panel, item, newcomers) if known_assortment else (),
        names=several_keys and has_names(panel, item),
        by_shop=several_keys and not based and has_shops(panel, item),
        reopening=several_keys and horizon == 1 and asked is not None and names_grid(asked, panel),
        earlier=3 * panel.calendar.season <= len(panel.calendar),
    )


def _of_items(panel: Panel, item: str, groups: Sequence[Group]) -> tuple[Group, ...]:
    """Those groups that consist of items, whatever the shop."""
    grouping = Grouping(with_name_parts(panel)[0])
    return tuple(group for group in groups if all(grouping.owner(name) == item for name in group))
