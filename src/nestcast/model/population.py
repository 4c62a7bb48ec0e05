"""The series a model sees: those read and those asked for, from when they could have sold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nestcast.data.keys import Keys, numbered
from nestcast.data.panel import Floats, Panel


def with_series(panel: Panel, asked: Keys) -> tuple[Panel, NDArray[np.int64]]:
    """The panel with a row for every series asked for, and the position of each asked one in it.

    A series that is absent from the panel gets an empty history.

    Args:
        panel: what was read.
        asked: the series to forecast; repeated ones share a row.
    """
    absent = asked.take(panel.keys.locate(asked) < 0)
    if len(absent):
        absent = absent.take(absent.first_of_each())
        panel = _append_empty(panel, absent)
    return panel, panel.keys.locate(asked)


def from_listing(panel: Panel) -> Panel:
    """Let each series begin when all of its keys have been seen, instead of at its own first row.

    A shop that carries an item and did not sell it in the first months sold zero then. Panels with
    one key column stay as they are.
    """
    if len(panel.keys.names) < 2:
        return panel
    start = np.zeros(len(panel), dtype=np.int32)
    for name in panel.keys.names:
        _, code = numbered(panel.keys[name])
        first = np.full(code.max(initial=0) + 1, len(panel.calendar), dtype=np.int32)
        np.minimum.at(first, code, panel.start)
        start = np.maximum(start, first[code])
    return replace(panel, start=start, target=_zero_before_first_row(panel))


def _zero_before_first_row(panel: Panel) -> Floats:
    if panel.is_count:
        return panel.target  # already 0 before its first row
    before = np.arange(len(panel.calendar)) < panel.start[:, None]
    return np.where(before, np.float32(np.nan), panel.target)


def _append_empty(panel: Panel, keys: Keys) -> Panel:
    shape = (len(keys), len(panel.calendar))

    def extend(values: Floats, fill: float) -> Floats:
        return np.concatenate([values, np.full(shape, fill, dtype=np.float32)])

    return replace(
        panel,
        keys=panel.keys.concat(keys),
        target=extend(panel.target, 0.0),
        start=np.concatenate([panel.start, np.full(shape[0], shape[1], dtype=np.int32)]),
        exposure=None if panel.exposure is None else extend(panel.exposure, 0.0),
        observed={name: extend(values, np.nan) for name, values in panel.observed.items()},
        known={
            name: extend(values, np.nan) if values.ndim == 2 else values
            for name, values in panel.known.items()
        },
    )
