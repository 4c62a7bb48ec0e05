"""Writing columns to a table file; the format follows from the file's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np

from nestcast.data.keys import Column
from nestcast.errors import OptionError
from nestcast.files import replacing

_FORMATS = {
    ".csv": "FORMAT csv, HEADER",
    ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}


def check_table_name(path: Path) -> str:
    """How DuckDB is to write a file of this name; call it before long work whose result goes there.

    Raises:
        OptionError: the name ends in none of `.csv`, `.csv.gz` and `.parquet`.
    """
    for suffix, options in _FORMATS.items():
        if path.name.endswith(suffix):
            return options
    raise OptionError(f"cannot tell the format of {path}: end its name in {', '.join(_FORMATS)}.")


def write_table(
    columns: Mapping[str, Column], path: str | Path, *, date_format: str | None = None
) -> None:
    """Write columns of equal length to `path`, whole or not at all.

    Example:
        >>> import tempfile, numpy as np
        >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
        >>> write_table({"shop_id": np.array([5]), "item_id": np.array([5037])}, path)
        >>> path.read_text().splitlines()
        ['shop_id,item_id', '5,5037']

    Args:
        columns: name -> values, shape (rows,); days (`datetime64[D]`) are written as dates,
            hours (`datetime64[h]`) with their time.
        path: where to; its ending chooses CSV, gzipped CSV or Parquet.
        date_format: how days are written in CSV, as in `%d.%m.%Y`; else as in 2013-01-31.

    Raises:
        OptionError: the name has another ending, or the folder cannot be written to.
    """
    path = Path(path)
    options = check_table_name(path)
    if date_format is not None:
        options += f", DATEFORMAT {literal(date_format)}"
    with replacing(path) as aside, duckdb.connect() as connection:
        table = _select(connection, columns)
        connection.execute(f"COPY ({table}) TO {literal(str(aside))} ({options})")


def arrow_stream(columns: Mapping[str, Column]) -> object:
    """Columns of equal length as an Arrow stream (a PyCapsule), which every frame library reads.

    Needs neither pyarrow nor a frame library.
    """
    connection = duckdb.connect()
    return connection.sql(_select(connection, columns)).__arrow_c_stream__()


def _select(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, Column]) -> str:
    """Make the columns known to DuckDB and say how to select them with their own types."""
    types = {"M": ("M8[us]", "DATE"), "U": ("O", "VARCHAR")}
    table, parts = {}, []
    for name, values in columns.items():
        kind = values.dtype.kind
        dtype, sql_type = types.get(kind, (values.dtype, None))
        if values.dtype == np.dtype("M8[h]"):
            sql_type = "TIMESTAMP"
        table[name] = values.astype(dtype)
        parts.append(
            f"CAST({quote(name)} AS {sql_type}) AS {quote(name)}" if sql_type else quote(name)
        )
    connection.register("columns", table)
    return f"SELECT {', '.join(parts)} FROM columns"


def quote(name: str) -> str:
    """A name as an SQL identifier.

    Example:
        >>> print(quote('net "price", EUR'))
        "net ""price"", EUR"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL string.

    Example:
        >>> print(literal("children's"))
        'children''s'
    """
    return "'" + text.replace("'", "''") + "'"
