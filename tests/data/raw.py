"""Raw files for tests: good rows in the Kaggle layout, among which bad ones are put."""

import csv
from collections.abc import Sequence
from pathlib import Path

HEADER = "date,date_block_num,shop_id,item_id,item_price,item_cnt_day"
GOOD = [
    f"{1 + at % 28:02d}.{1 + at % 12:02d}.2013,0,{at % 3},{at % 5},9.5,{1 + at % 2}"
    for at in range(400)
]
# The line in the file of the first row given to `sales`.
FIRST_BAD = 102


def sales(folder: Path, *bad: str, name: str = "sales_train.csv", end: str = "\n") -> Path:
    """Write good rows, with the given ones from line `FIRST_BAD` on."""
    lines = [HEADER, *GOOD[: FIRST_BAD - 2], *bad, *GOOD[FIRST_BAD - 2 :]]
    path = folder / name
    path.write_bytes((end.join(lines) + end).encode())
    return path


def table(folder: Path, header: str, rows: Sequence[str], name: str = "rows.csv") -> Path:
    """Write a header and rows."""
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def rejected(path: Path) -> list[tuple[int, str]]:
    """Line and reason of every rejected row."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(int(row["line"]), row["reason"]) for row in csv.DictReader(file)]
