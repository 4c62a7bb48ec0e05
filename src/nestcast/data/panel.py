"""The Panel: everything known about a set of series, as dense arrays over (series, time)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar, Dates
from nestcast.data.keys import Column, Keys
from nestcast.data.report import ReadReport

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attributes:
    """What is known of each value of one key column, such as an item's category and name.

    Args:
        key: the key column described, such as `item_id`.
        ids: its distinct values, sorted, shape (ids,).
        columns: attribute -> value for each id, shape (ids,).
    """

    key: str
    ids: Column
    columns: Mapping[str, Column]

    def positions(self, values: Column) -> NDArray[np.int64]:
        """Row of each value, -1 where it is not listed."""
        return Keys({self.key: self.ids}).locate(Keys({self.key: values}))


@dataclass(frozen=True, eq=False)
class DailyTotals:
    """What was sold on each day of a panel whose periods are longer.

    Args:
        first: the first day.
        overall: sum over all series, shape (days,).
        by: column (a key, or an attribute such as a category) -> its values, sorted, and the sum
            of each value's series, shape (values, days).
    """

    first: np.datetime64
    overall: NDArray[np.float64]
    by: Mapping[str, tuple[Column, NDArray[np.float64]]] = field(default_factory=dict)

    def days(self) -> Dates:
        """Every day, shape (days,)."""
        return np.asarray(self.first + np.arange(len(self.overall)))

    def head(self, length: int) -> DailyTotals:
        """The first `length` days."""
        by = {name: (values, totals[:, :length]) for name, (values, totals) in self.by.items()}
        return replace(self, overall=self.overall[:length], by=by)


@dataclass(frozen=True, eq=False)
class Panel:
    """Many series on one calendar; the only form in which data reach a model.

    A series begins at its first row (`start`) and a period without rows after that is 0 for
    counts and NaN (missing) for other targets. Before `start` the target is 0 and not a fact.

    Args:
        keys: which series is which, one row each.
        calendar: the periods, from the first row to the last complete period.
        target: what is forecast, shape (series, time).
        start: period in which each series begins, shape (series,).
        is_count: whether every target is a whole number (returns may make it negative).
        target_name, time_name: the names of these columns in the input, used again in output.
        exposure: tries behind each count, such as impressions, shape (series, time).
        observed: covariates known only for the past, name -> (series, time); NaN where not seen.
        known: covariates known ahead, name -> (time,) or (series, time), or longer where values of
            periods after the last are known.
        attributes: key column -> what is known of its values.
        report: what was read, rejected and cleaned on the way.
        price_name: which of `observed` is the price of a unit, if one was read.
        daily: totals by day of all that was read, where periods are longer and rows are daily.
    """

    keys: Keys
    calendar: Calendar
    target: Floats
    start: NDArray[np.int32]
    is_count: bool = True
    target_name: str = "y"
    time_name: str = "ds"
    exposure: Floats | None = None
    observed: Mapping[str, Floats] = field(default_factory=dict)
    known: Mapping[str, Floats] = field(default_factory=dict)
    attributes: Mapping[str, Attributes] = field(default_factory=dict)
    report: ReadReport = field(default_factory=ReadReport)
    price_name: str | None = None
    daily: DailyTotals | None = None

    def __post_init__(self) -> None:
        shape = (len(self.keys), len(self.calendar))
        if self.target.shape != shape:
            raise ValueError(f"target has shape {self.target.shape}, keys and calendar {shape}")
        if self.start.shape != shape[:1]:
            raise ValueError(f"start has shape {self.start.shape}, not {shape[:1]}")

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, index: NDArray[Any] | slice) -> Panel:
        """The series at `index` (positions, a mask or a slice)."""

        def rows(a: Floats) -> Floats:
            return a[index] if a.ndim == 2 else a

        return replace(
            self,
            keys=self.keys.take(index),
            target=self.target[index],
            start=self.start[index],
            exposure=None if self.exposure is None else self.exposure[index],
            observed={name: a[index] for name, a in self.observed.items()},
            known={name: rows(a) for name, a in self.known.items()},
        )

    def until(self, length: int) -> Panel:
        """The first `length` periods: what was known at that origin.

        Series that begin later are dropped; covariates known ahead stay as long as they are.
        """
        panel = self.take(self.start < length)
        days = int(panel.calendar.days()[:length].sum())
        return replace(
            panel,
            daily=None if panel.daily is None else panel.daily.head(days),
            calendar=panel.calendar.head(length),
            target=panel.target[:, :length],
            exposure=None if panel.exposure is None else panel.exposure[:, :length],
            observed={name: a[:, :length] for name, a in panel.observed.items()},
        )
