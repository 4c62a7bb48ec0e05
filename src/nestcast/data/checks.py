"""What makes a row unusable: each rule as SQL, with the reason told to the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nestcast.data.presets import Preset
from nestcast.data.tables import literal

# Up to here whole numbers are exact, and so are sums of some thousands of them.
_LARGEST = 1e15
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class RawColumn:
    """A column of a file or frame, in SQL.

    Args:
        name: its name, for messages.
        sql: what it is called inside SQL: `c3`.
        type: DuckDB's type.
    """

    name: str
    sql: str
    type: str

    @property
    def is_number(self) -> bool:
        """Whether the file itself says that its values are numbers."""
        return self.type.removeprefix("U").startswith(_NUMBERS)

    @property
    def text(self) -> str:
        """The value as text."""
        return self.sql if self.type == "VARCHAR" else f"CAST({self.sql} AS VARCHAR)"

    @property
    def is_blank(self) -> str:
        """Holds where there is no value."""
        return f"({self.sql} IS NULL OR trim({self.text}) = '')"

    @property
    def number(self) -> str:
        """The value as a number, NULL if it is none."""
        is_value = self.is_number or self.type == "BOOLEAN"  # clicked or not, as 1 or 0
        return f"TRY_CAST({self.sql if is_value else self.text} AS DOUBLE)"

    @property
    def rounded(self) -> str:
        """The value as the nearest whole number, NULL if it is no number."""
        return f"TRY_CAST({self.sql if self.is_number else self.text} AS BIGINT)"

    def is_rounded(self, rounded: str, *, if_plain: bool) -> str:
        """Holds where the value is no whole number, so that `rounded` is something else.

        5.0 and 05 are 5. With `if_plain`, for text they are not: 05 may be a name.
        """
        if if_plain and not self.is_number:
            return f"({rounded} IS NULL OR CAST({rounded} AS VARCHAR) <> {self.text})"
        return f"({rounded} IS NULL OR {rounded} <> {self.number})"


@dataclass(frozen=True)
class Check:
    """One rule.

    Args:
        reason: why such rows are rejected, the same words for all of them.
        fails: SQL that holds for such rows.
        shown: SQL of the value to show with the reason.
        is_cleaning: whether a preset drops the row, rather than that it cannot be used.
    """

    reason: str
    fails: str
    shown: str = ""
    is_cleaning: bool = False

    @property
    def detail(self) -> str:
        """SQL of the reason together with the value."""
        if not self.shown:
            return literal(self.reason)
        return f"{literal(self.reason + ': ')} || coalesce({self.shown}, 'none')"


def malformed() -> Check:
    """Rows that are no row of the table: wrong number of values, quotation marks left open."""
    return Check("not a row of the table", "problem IS NOT NULL", "problem")


def date_checks(column: RawColumn, written: str, window: tuple[str, str] | None) -> Iterator[Check]:
    """A date must be there, be readable as `day`, and lie near the others."""
    yield Check(f"{column.name} is missing", f"day IS NULL AND {column.is_blank}")
    yield Check(f"{column.name} is not a date ({written})", "day IS NULL", column.text)
    if window:
        low, high = (f"DATE {literal(day)}" for day in window)
        yield Check(
            f"{column.name} is over ten years from all others",
            f"day NOT BETWEEN {low} AND {high}",
            column.text,
        )


def key_checks(
    column: RawColumn, value: str, fails: str | None, known_in: str | None
) -> Iterator[Check]:
    """A key must be there, be a whole number where keys are, and be known.

    Args:
        column: the column in the file.
        value: SQL of what was read from it.
        fails: SQL that holds where it is no whole number; None if any text will do.
        known_in: the table that must list it, if any; its ids are joined as `known_<value>`.
    """
    yield Check(f"{column.name} is missing", f"{value} IS NULL AND {column.is_blank}")
    if fails:
        yield Check(not_whole(column.name), fails, column.text)
    if known_in:
        yield Check(f"{column.name} is not in {known_in}", f"known_{value}.id IS NULL", column.text)


def not_whole(name: str) -> str:
    """The reason for which a value that should be a whole number is refused."""
    return f"{name} is not a whole number"


def number_checks(
    column: RawColumn,
    value: str,
    *,
    may_be_negative: bool = True,
    is_whole: bool = False,
    may_be_missing: bool = False,
) -> Iterator[Check]:
    """A number must be one and finite, and as a rule be there; some be whole or not negative."""
    is_number = f"{value} IS NULL"
    if may_be_missing:
        is_number += f" AND NOT {column.is_blank}"
    else:
        is_missing = f"({value} IS NULL AND {column.is_blank}) OR isnan({value})"
        yield Check(f"{column.name} is missing", is_missing)
    yield Check(f"{column.name} is not a number (as in 1234.5)", is_number, column.text)
    yield Check(f"{column.name} is out of range", f"abs({value}) > {_LARGEST:.0f}", column.text)
    if is_whole:
        yield Check(not_whole(column.name), f"{value} <> floor({value})", column.text)
    if not may_be_negative:
        yield Check(f"{column.name} is negative", f"{value} < 0", column.text)


def click_checks(clicks: str, impressions: str | None) -> Iterator[Check]:
    """There cannot be more clicks than impressions; without a column of these, each row is one."""
    if impressions is None:
        yield Check(f"{clicks} is not 0 or 1", "y > 1", "CAST(y AS VARCHAR)")
    else:
        yield Check(
            f"{clicks} is over {impressions}",
            "y > exposure",
            "printf('%.0f of %.0f', y, exposure)",
        )


def cleaning_checks(preset: Preset, values: Mapping[str, str]) -> Iterator[Check]:
    """Rows that a preset drops.

    Args:
        preset: what to drop.
        values: column -> SQL of its value as a number.
    """
    for name, limit in preset.limits.items():
        if name in values:
            yield Check(
                f"preset {preset.name}: {name} is over {limit:,.0f}",
                f"{values[name]} > {limit:.0f}",
                f"CAST({values[name]} AS VARCHAR)",
                is_cleaning=True,
            )


def first_failing(checks: Sequence[Check]) -> str:
    """SQL of the number (from 1) of the first check that fails, 0 if none does."""
    cases = " ".join(f"WHEN {check.fails} THEN {at}" for at, check in enumerate(checks, start=1))
    return f"CASE {cases} ELSE 0 END"


def detail_of(checks: Sequence[Check], number: str) -> str:
    """SQL of what to tell about the check of that number."""
    cases = " ".join(f"WHEN {at} THEN {check.detail}" for at, check in enumerate(checks, start=1))
    return f"CASE {number} {cases} END"
