"""The series to forecast, as a file lists them: `test.csv` of the Kaggle layout, or any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nestcast.data.attributes import table_in
from nestcast.data.engine import engine, one_line_errors
from nestcast.data.keys import Column, Keys
from nestcast.data.panel import Attributes
from nestcast.data.presets import Preset, preset_named
from nestcast.data.smalltable import SmallTable, keys_of_text, read_small

_WHOLE = ("shop_id", "item_id")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Series to forecast.

    Args:
        ids: the `ID` of each row, None where the file has no such column, shape (rows,).
        given: the keys as written in the file, for output.
        keys: the keys after a preset's merges, for looking them up; rows may be equal then.
        notes: what a user should know about them.
    """

    ids: Column | None
    given: Keys
    keys: Keys
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)


def find_pairs(folder: str | Path) -> Path | None:
    """The file of pairs, `test.csv` (`.csv.gz`, `.parquet`), in a folder; None if there is none."""
    return table_in(Path(folder), "test")


@one_line_errors
def read_pairs(
    source: Any,
    *,
    series: Sequence[str],
    preset: str | None = None,
    attributes: Mapping[str, Attributes] | None = None,
    encoding: str = "utf-8",
) -> Pairs:
    """Read the series to forecast.

    Example:
        >>> import pyarrow as pa
        >>> frame = pa.table({"ID": [0, 1], "shop_id": [5, 0], "item_id": [5037, 5320]})
        >>> pairs = read_pairs(frame, series=["shop_id", "item_id"], preset="1c")
        >>> pairs.ids.tolist(), pairs.given["shop_id"].tolist(), pairs.keys["shop_id"].tolist()
        ([0, 1], [5, 0], [5, 57])

    Args:
        source: a file, a DuckDB relation or a frame, as in `read_panel`.
        series: the key columns, those of the panel.
        preset: the cleaning that was applied to the panel.
        attributes: what is known of items and shops; keys not listed there are noted.
        encoding: encoding of text files.

    Raises:
        DataError: a column or value is missing, an `ID` stands twice, or the file cannot be read.
        OptionError: there is no such preset or encoding.
    """
    cleaning = preset_named(preset)
    with engine() as db:
        table = read_small(db, source, encoding)
    columns = {
        name: table.whole(name) if name in _WHOLE else keys_of_text(table.filled(name))
        for name in series
    }
    given = Keys(columns)
    keys = cleaning.merge(given)
    notes = [*_unlisted(given, attributes or {}), *_merges(given, keys, cleaning)]
    return Pairs(_ids(table), given, keys, tuple(notes))


def _ids(table: SmallTable) -> Column | None:
    if not table.table.has("ID"):
        return None
    ids = keys_of_text(table.filled("ID"))
    table.check_distinct("ID", ids)
    return ids


def _unlisted(keys: Keys, attributes: Mapping[str, Attributes]) -> list[str]:
    notes = []
    for name in keys.names:
        if name in attributes:
            count = int((attributes[name].positions(keys[name]) < 0).sum())
            if count:
                notes.append(f"{count:,} pairs have a {name} that is not listed: forecast anyway")
    return notes


def _merges(given: Keys, keys: Keys, preset: Preset) -> list[str]:
    notes = []
    for name in keys.names:
        changed = int((given[name] != keys[name]).sum())
        if changed:
            notes.append(f"preset {preset.name}: {changed:,} pairs get another {name}")
    same = len(keys) - len(keys.first_of_each())
    if notes and same:
        notes.append(f"preset {preset.name}: {same:,} pairs are the same as another then")
    return notes
