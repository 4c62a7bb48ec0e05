"""What names say: the first words of an item's name, the kind in `Games - PS4`, a shop's city.

Names are cut at spaces, brackets and dashes, and in scripts without spaces at every character; what
several share becomes a column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nestcast.data.panel import Attributes, Panel

# Chinese and Japanese, Thai, Lao, Burmese and Khmer put no spaces between words.
_UNSPACED = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W{_UNSPACED}]+")


@lru_cache(maxsize=1 << 17)  # parts, rates and vocabularies cut the same names
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, or the characters where words are not told apart.

    Example:
        >>> words_of("FIFA 16 [PS4, русская версия]")
        ('fifa', '16', 'ps4', 'русская', 'версия')
        >>> words_of("海飞丝 洗发水500ml")
        ('海', '飞', '丝', '洗', '发', '水', '500ml')
    """
    return tuple(_WORD.findall(name.lower()))


_PARTS: dict[str, Callable[[str], str]] = {
    "first word": lambda name: " ".join(words_of(name)[:1]),
    "first two words": lambda name: " ".join(words_of(name)[:2]),
    "before a bracket": lambda name: " ".join(words_of(re.split(r"[\[(]", name)[0])),
    "before a dash": lambda name: " ".join(words_of(name.split(" - ")[0])),
    "after a dash": lambda name: " ".join(words_of(name.split(" - ")[-1])),
}


def with_name_parts(panel: Panel) -> tuple[Panel, dict[str, tuple[str, int]]]:
    """The panel with a column for each part of a name that several share.

    Returns:
        The panel, and name of each new column -> its key column and its number of values.
    """
    attributes, made = dict(panel.attributes), {}
    for key, known in panel.attributes.items():
        columns = dict(known.columns)
        for name, values in _parts_of(known):
            columns[name] = values
            made[name] = key, int(values.max()) + 1
        attributes[key] = replace(known, columns=columns)
    return replace(panel, attributes=attributes), made


@lru_cache(maxsize=8)  # a forecast asks several times
def _parts_of(known: Attributes) -> list[tuple[str, NDArray[np.int64]]]:
    """Name and numbered values of each part, those that say the same as an earlier one left out."""
    partitions = {
        _by_appearance(np.unique(values, return_inverse=True)[1])
        for values in known.columns.values()
    }
    parts = []
    for column, values in known.columns.items():
        if values.dtype.kind not in "UO":
            continue
        names, of_name = np.unique(values, return_inverse=True)
        for part, cut in _PARTS.items():
            cuts = np.array([cut(str(name)) for name in names])
            distinct, codes = np.unique(cuts, return_inverse=True)
            codes = codes[of_name]
            partition = _by_appearance(codes)
            if 2 <= len(distinct) <= 0.75 * len(codes) and partition not in partitions:
                partitions.add(partition)
                parts.append((f"{column}, {part}", codes.astype(np.int64)))
    return parts


def _by_appearance(codes: NDArray[np.int64]) -> bytes:
    """Equal for two columns that sort into the same groups."""
    first = np.unique(codes, return_index=True)[1]
    return np.asarray(np.argsort(np.argsort(first))[codes]).tobytes()
