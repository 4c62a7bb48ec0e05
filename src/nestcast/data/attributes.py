"""What the Kaggle layout tells of items and shops, from the files beside the sales."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nestcast.data.engine import Engine
from nestcast.data.panel import Attributes
from nestcast.data.smalltable import SmallTable, read_small

_ENDINGS = (".csv", ".csv.gz", ".parquet")


def table_in(folder: Path, stem: str) -> Path | None:
    """The table of that name in a folder, in whichever format."""
    found = [path for ending in _ENDINGS if (path := folder / f"{stem}{ending}").is_file()]
    return found[0] if found else None


def read_attributes(
    engine: Engine, folder: Path, encoding: str
) -> tuple[dict[str, Attributes], dict[str, str]]:
    """Items (with name, category, category's name) and shops (with name), where there are files.

    Returns:
        Key column -> attributes, and key column -> the file that lists its values.

    Raises:
        DataError: an id is missing, no whole number, or there twice.
    """
    attributes, files = {}, {}
    items, shops = table_in(folder, "items"), table_in(folder, "shops")
    if items:
        table = read_small(engine, items, encoding)
        columns = {}
        if table.table.has("item_name"):
            columns["item_name"] = _names(table, "item_name")
        if table.table.has("item_category_id"):
            category = table.whole("item_category_id")
            columns["item_category_id"] = category
            names = _category_names(engine, folder, encoding)
            if names:
                columns["item_category_name"] = np.array(
                    [names.get(c, "") for c in category.tolist()]
                )
        attributes["item_id"] = _listed("item_id", table, columns)
        files["item_id"] = items.name
    if shops:
        table = read_small(engine, shops, encoding)
        columns = {"shop_name": _names(table, "shop_name")} if table.table.has("shop_name") else {}
        attributes["shop_id"] = _listed("shop_id", table, columns)
        files["shop_id"] = shops.name
    return attributes, files


def _listed(key: str, table: SmallTable, columns: Mapping[str, np.ndarray]) -> Attributes:
    ids = table.whole(key)
    table.check_distinct(key, ids)
    order = np.argsort(ids)
    return Attributes(key, ids[order], {name: values[order] for name, values in columns.items()})


def _names(table: SmallTable, column: str) -> np.ndarray:
    return np.array([value or "" for value in table.column(column)], dtype=np.str_)


def _category_names(engine: Engine, folder: Path, encoding: str) -> dict[int, str]:
    path = table_in(folder, "item_categories")
    if path is None:
        return {}
    table = read_small(engine, path, encoding)
    ids = table.whole("item_category_id")
    table.check_distinct("item_category_id", ids)
    names = table.column("item_category_name")
    return {one: name or "" for one, name in zip(ids.tolist(), names, strict=True)}
