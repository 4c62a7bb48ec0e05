"""The Forecast: for each series and period ahead, the distribution of what will be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.data.calendar import Calendar
from nestcast.data.keys import Column, Keys
from nestcast.data.tables import arrow_stream
from nestcast.errors import OptionError

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Forecast:
    """Mean, quantiles and (on request) samples, keyed like the panel they came from.

    Args:
        keys: which series is which, one row each.
        calendar: the periods ahead.
        mean: expected value, shape (series, horizon).
        probabilities: the quantile levels held, ascending, between 0 and 1, shape (levels,).
        quantiles: values at those levels, shape (series, horizon, levels).
        samples: paths drawn from the forecast, shape (series, horizon, samples).
        target_name, time_name: column names used in output.
    """

    keys: Keys
    calendar: Calendar
    mean: Floats
    probabilities: NDArray[np.float64]
    quantiles: Floats
    samples: Floats | None = None
    target_name: str = "y"
    time_name: str = "ds"

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def horizon(self) -> int:
        """Number of periods ahead."""
        return len(self.calendar)

    def quantile(self, probability: float) -> Floats:
        """The quantile at one of the levels held, shape (series, horizon).

        Raises:
            OptionError: that level was not asked for in `predict`.
        """
        at = np.flatnonzero(np.isclose(self.probabilities, probability))
        if len(at) == 0:
            raise OptionError(
                f"the forecast holds no {probability:g} quantile: "
                "ask for its level in predict(level=...)."
            )
        return self.quantiles[:, :, at[0]]

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """The central interval that holds `level` per cent, as (low, high)."""
        tail = (1 - level / 100) / 2
        return self.quantile(tail), self.quantile(1 - tail)

    @property
    def levels(self) -> tuple[float, ...]:
        """The central intervals held, in per cent, ascending."""
        tails = self.probabilities[self.probabilities < 0.5]
        return tuple(float(round(100 * (1 - 2 * tail), 8)) for tail in tails[::-1])

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The long table of all levels, for any library that reads Arrow.

        `polars.DataFrame(forecast)`, `pandas.DataFrame.from_arrow(forecast)` and
        `pyarrow.table(forecast)` work.
        """
        return arrow_stream(self.to_columns(self.levels))

    def to_columns(self, level: Sequence[float] = ()) -> dict[str, Column]:
        """A long table, one row per series and period: keys, time, `mean`, `lo-80`, `hi-80`, ...

        Rows are ordered by series, then by period.
        """
        columns: dict[str, NDArray[Any]] = {
            name: np.repeat(values, self.horizon) for name, values in self.keys.columns.items()
        }
        columns[self.time_name] = np.tile(self.calendar.labels(), len(self))
        columns["mean"] = self.mean.ravel()
        for one in level:
            low, high = self.interval(one)
            columns[f"lo-{one:g}"], columns[f"hi-{one:g}"] = low.ravel(), high.ravel()
        return columns

    def to_submission(self, ids: Column, column: str) -> dict[str, Column]:
        """A table with one number for each ID, in the order of the pairs.

        Args:
            ids: the ID of each series, shape (series,).
            column: what to call the number.

        Raises:
            OptionError: the forecast has more than one period.
        """
        if self.horizon != 1:
            raise OptionError(
                f"a submission has one number for each ID, the forecast {self.horizon} periods: "
                "use a horizon of 1, or pairs without an ID column."
            )
        return {"ID": ids, column: self.mean[:, 0]}


def each_once(forecast: Forecast) -> Forecast:
    """The forecast without series that were asked for a second time."""
    first = forecast.keys.first_of_each()
    if len(first) == len(forecast):
        return forecast
    return replace(
        forecast,
        keys=forecast.keys.take(first),
        mean=forecast.mean[first],
        quantiles=forecast.quantiles[first],
        samples=None if forecast.samples is None else forecast.samples[first],
    )


def probabilities_of(level: Sequence[float]) -> list[float]:
    """The quantile levels that central intervals need, ascending, with the median.

    Example:
        >>> probabilities_of([80])
        [0.1, 0.5, 0.9]

    Raises:
        OptionError: a level is not between 0 and 100 per cent.
    """
    wrong = [one for one in level if not 0 < one < 100]
    if wrong:
        raise OptionError(f"a level is a percentage between 0 and 100, not {wrong[0]:g}.")
    tails = {round((1 - one / 100) / 2, 10) for one in level}
    return sorted(tails | {0.5} | {1 - tail for tail in tails})
