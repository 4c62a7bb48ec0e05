"""The last forecast of a saved model, kept beside it: its page and ranking need no other one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nestcast._version import __version__
from nestcast.data import Keys, Panel
from nestcast.errors import OptionError
from nestcast.files import replacing
from nestcast.forecast import Forecast, probabilities_of

_NAME = "forecast.safetensors"


class Kept:
    """What a saved model forecast last, if it is asked the same again.

    Args:
        folder: of the model.
        panel: to forecast from.
        asked: the series.
        horizon: how many periods.
        level: intervals, in per cent.
    """

    def __init__(
        self, folder: Path, panel: Panel, asked: Keys, horizon: int, level: Sequence[float]
    ) -> None:
        self._file, self._panel, self._asked, self._horizon = folder / _NAME, panel, asked, horizon
        self._probabilities = np.array(probabilities_of(level))
        told = (__version__, panel.calendar, panel.is_count, horizon, sorted(level))
        digest = hashlib.blake2b(repr(told).encode())
        for part in _parts(folder, panel, asked):
            digest.update(part)
        self._question = digest.hexdigest()

    def find(self) -> Forecast | None:
        """The forecast, or None where there is none, or one of other rows or series."""
        try:
            with safetensors.safe_open(self._file, framework="numpy") as file:
                if (file.metadata() or {}).get("question") != self._question:
                    return None
                mean, quantiles = file.get_tensor("mean"), file.get_tensor("quantiles")
        except (OSError, ValueError, safetensors.SafetensorError):
            return None
        return Forecast(
            keys=self._asked,
            calendar=self._panel.calendar.after(self._horizon),
            mean=mean,
            probabilities=self._probabilities,
            quantiles=quantiles,
            target_name=self._panel.target_name,
            time_name=self._panel.time_name,
        )

    def keep(self, forecast: Forecast) -> None:
        """Keep it in place of the last one, where the folder can be written to."""
        tensors = {"mean": forecast.mean, "quantiles": forecast.quantiles}
        contiguous = {name: np.ascontiguousarray(one) for name, one in tensors.items()}
        with suppress(OptionError, OSError), replacing(self._file) as aside:
            safetensors.numpy.save_file(contiguous, aside, {"question": self._question})


def _parts(folder: Path, panel: Panel, asked: Keys) -> Iterator[bytes]:
    """All that a forecast follows from."""
    for name in ("model.json", "weights.safetensors"):
        yield (folder / name).read_bytes()
    tables: list[Mapping[str, NDArray[Any]]] = [
        {"target": panel.target, "start": panel.start},
        panel.keys.columns,
        asked.columns,
        panel.observed,
        panel.known,
        *({"of": known.ids, **known.columns} for known in panel.attributes.values()),
    ]
    for table in tables:
        for name, values in table.items():
            values = values.astype(np.str_) if values.dtype == object else values
            yield f"{name} {values.dtype} {values.shape}".encode()
            yield values.tobytes()
