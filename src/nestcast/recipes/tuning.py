"""What may be tuned of the networks, and where it is kept."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from nestcast.errors import OptionError
from nestcast.files import replacing
from nestcast.model.network import NetworkConfig, check_cell

_FORMAT = 1
# The lowest and the highest value that makes sense.
_RANGES: dict[str, tuple[float, float]] = {
    "hidden_size": (1, 4096),
    "head_size": (1, 4096),
    "dropout": (0, 0.95),
    "learning_rate": (1e-6, 1),
    "weight_decay": (0, 1),
}


@dataclass(frozen=True)
class Tuning:
    """Sizes of the networks and how they are trained; the defaults are those of nestcast.

    Example:
        >>> Tuning(cell="gru", hidden_size=64)  # doctest: +ELLIPSIS
        Tuning(cell='gru:1', hidden_size=64, head_size=128, dropout=0.2, learning_rate=0.003, ...)

    Args:
        cell: the encoder, as for `Forecaster`.
        hidden_size: units of the encoder.
        head_size: units of the head's first hidden layer; the second has half as many.
        dropout: share of hidden units left out in training.
        learning_rate: the highest one.
        weight_decay: of AdamW.

    Raises:
        OptionError: a value makes no sense.
    """

    cell: str = "nested:2"
    hidden_size: int = 48
    head_size: int = 128
    dropout: float = 0.2
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        if not isinstance(self.cell, str):
            raise OptionError(f"cell must be a name, not {self.cell!r}.")
        object.__setattr__(self, "cell", check_cell(self.cell))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            whole = name.endswith("size")
            if not isinstance(value, int if whole else int | float) or isinstance(value, bool):
                raise OptionError(f"{name} must be a {'whole ' * whole}number, not {value!r}.")
            if not (math.isfinite(value) and low <= value <= high):
                raise OptionError(f"{name} must be from {low:g} to {high:g}, not {value:g}.")

    def applied_to(self, config: NetworkConfig) -> NetworkConfig:
        """The shape of a network, with these sizes."""
        return replace(
            config,
            cell=self.cell,
            hidden_size=self.hidden_size,
            head_size=self.head_size,
            dropout=self.dropout,
        )

    def write(self, path: str | Path, **further: Any) -> None:
        """Write to a JSON file, with whatever else is worth knowing of it."""
        values = {"format": _FORMAT, "tuning": asdict(self), **further}
        with replacing(Path(path)) as aside:
            aside.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Tuning:
        """What `write` wrote.

        Raises:
            OptionError: there is no such file, or it holds something else.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            if values["format"] > _FORMAT:
                raise OptionError(f"{path} was written by a newer nestcast: upgrade nestcast.")
            unknown = values["tuning"].keys() - {field.name for field in fields(cls)}
            if unknown:
                raise OptionError(f"{path} has {min(unknown)}, which no network has: remove it.")
            return cls(**values["tuning"])
        except OSError as error:
            raise OptionError(f"cannot read {path}: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise OptionError(
                f"{path} is no result of nestcast tune: give the file that -o named there."
            ) from None
