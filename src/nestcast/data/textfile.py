"""Delimited text, read with care: its dialect, its records with line numbers, a clean copy.

DuckDB reads a file that has no flaw several times faster than this module; what it refuses, and
any encoding but UTF-8, comes through here, where every line is accounted for.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nestcast.errors import DataError, OptionError

# How files that are no text begin, and what to do about them.
_NO_TEXT = {
    b"PK\x03\x04": "is a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook: save the sheet as CSV",
    b"\x1f\x8b": "is compressed: end its name in .csv.gz",
    b"PAR1": "is Parquet: end its name in .parquet",
}
_DELIMITERS = ",;\t|"
# A quoted value may run over lines, but a forgotten quotation mark must not eat the file.
_MOST_LINES_OF_A_RECORD = 100
_LONGEST_LINE = 100_000


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Args:
        names: the column names of its header.
        delimiter: what separates values.
        encoding: its encoding, by Python's name.
        header_line: line of the header.
    """

    names: tuple[str, ...]
    delimiter: str
    encoding: str
    header_line: int

    @property
    def is_plain(self) -> bool:
        """Whether DuckDB can try to read the file as it is.

        It wants UTF-8 and the header on line 1, and takes blank lines of a single column as rows.
        """
        return self.encoding == "utf-8-sig" and self.header_line == 1 and len(self.names) > 1


@dataclass(frozen=True)
class Record:
    """One record: the line it begins on, its values, and what is wrong with it, if anything."""

    line: int
    values: list[str]
    problem: str | None = None


class _Open(Exception):  # noqa: N818 - not an error, but how a quoted value says that it goes on
    """A quotation mark has not been closed by the end of a text."""


def read_dialect(path: Path, encoding: str) -> Dialect:
    """Find out how a file is written from its header.

    Raises:
        DataError: the file is empty, not in that encoding, or names a column twice.
        OptionError: there is no such encoding.
    """
    encoding = _python_name(encoding)
    _check_beginning(path, encoding)
    with _text(path, encoding) as lines:
        number, text = next(_filled(lines), (0, ""))
    if not number:
        raise DataError(f"{path} is empty: it needs a line of column names, then rows.")
    delimiter = max(_DELIMITERS, key="".join(text.split('"')[::2]).count)  # outside quotes
    try:
        values, problem = _split(text, delimiter)
    except _Open:
        values, problem = [], "a quotation mark is not closed"
    if problem:
        raise DataError(f"{path} line {number}: {problem}. Correct the column names.")
    names = tuple(name.strip() for name in values)
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DataError(
            f"{path} line {number}: two columns are named {twice[0]!r}. Rename one, or put a line "
            "of column names above if these are values."
        )
    return Dialect(names, delimiter, encoding, number)


def _check_beginning(path: Path, encoding: str) -> None:
    """Say what a file really is, rather than that its bytes are no text."""
    with _bytes(path) as file:
        begins = file.read(4)
    for beginning, advice in _NO_TEXT.items():
        if begins.startswith(beginning):
            raise DataError(f"{path} {advice}.")
    if encoding == "utf-8-sig" and begins[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise DataError(f"{path} is UTF-16: save it as UTF-8, or use --encoding utf-16.")


def has_quotes(path: Path) -> bool:
    """Whether there is a quotation mark anywhere in a file."""
    with _bytes(path) as file:
        return any(b'"' in block for block in iter(lambda: file.read(1 << 20), b""))


def records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Every record below the header; blank lines are skipped, flawed records marked.

    Raises:
        DataError: the file is not in the dialect's encoding.
    """
    width = len(dialect.names)
    with _text(path, dialect.encoding) as lines:
        numbered = _filled(lines)
        next(numbered, None)
        waiting: deque[tuple[int, str]] = deque()
        while line := (waiting.popleft() if waiting else next(numbered, None)):
            number, text = line
            if len(text) > _LONGEST_LINE:
                problem = f"longer than {_LONGEST_LINE:,} characters"
                yield Record(number, [text[:100]], problem)
                continue
            try:
                values, problem = _split(text, dialect.delimiter)
            except _Open:
                following: list[tuple[int, str]] = []
                ahead = _ahead(waiting, numbered, following)
                joined = _join(text, ahead, dialect.delimiter, width)
                if joined is None:
                    waiting.extendleft(reversed(following))
                values = joined or text.split(dialect.delimiter)
                problem = "" if joined else "a quotation mark is not closed"
            while len(values) > width and not values[-1]:
                values.pop()  # a trailing delimiter
            if not problem and len(values) != width:
                problem = f"{len(values)} values where the header has {width} columns"
            yield Record(number, values, problem or None)


def clean_copy(path: Path, dialect: Dialect, target: Path) -> None:
    """Write every record to `target` as `line, problem, value, ...` in well-formed UTF-8.

    A flawed record keeps its values as far as they fit: missing ones are blank, and what is left
    over stays in the last one.
    """
    width = len(dialect.names)
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        for record in records(path, dialect):
            values = record.values
            if len(values) > width:
                values = [*values[: width - 1], dialect.delimiter.join(values[width - 1 :])]
            elif len(values) < width:
                values = values + [""] * (width - len(values))
            writer.writerow([record.line, record.problem, *values])


def lines_of_rows(path: Path, dialect: Dialect, ordinals: Iterable[int]) -> dict[int, int]:
    """Lines of the given rows (1 = the first below the header) of a file with one row per line."""
    wanted = set(ordinals)
    lines: dict[int, int] = {}
    if wanted:
        with _text(path, dialect.encoding) as text:
            for ordinal, (line, _) in enumerate(_filled(text)):
                if ordinal in wanted:
                    lines[ordinal] = line
                    if len(lines) == len(wanted):
                        break
    return lines


def _filled(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank."""
    for number, line in enumerate(lines, start=1):
        if text := line.rstrip("\r\n"):
            yield number, text


def _ahead(
    waiting: deque[tuple[int, str]],
    numbered: Iterator[tuple[int, str]],
    taken: list[tuple[int, str]],
) -> Iterator[str]:
    """The next lines; those taken are noted, to be given back."""
    while len(taken) < _MOST_LINES_OF_A_RECORD:
        line = waiting.popleft() if waiting else next(numbered, None)
        if line is None:
            return
        taken.append(line)
        yield line[1]


def _join(text: str, ahead: Iterator[str], delimiter: str, width: int) -> list[str] | None:
    """The values of a record that goes on over lines; None if it makes no row that way.

    A line that is a row by itself is not part of a value: the mark before it is a stray one.
    """
    for line in ahead:
        text += "\n" + line
        if '"' not in line:
            if line.count(delimiter) == width - 1 > 0:
                return None
            continue
        try:
            values, problem = _split(text, delimiter)
        except _Open:
            continue
        return values if not problem and len(values) == width else None
    return None


def _split(text: str, delimiter: str) -> tuple[list[str], str]:
    """The values of a record, and what is wrong with its quotation marks.

    Raises:
        _Open: the text ends inside a quoted value.
    """
    if '"' not in text:
        return text.split(delimiter), ""
    try:
        lines = text.splitlines(keepends=True)
        return next(csv.reader(lines, delimiter=delimiter, strict=True)), ""
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise _Open from None
        return text.split(delimiter), "text after a closing quotation mark"


def _python_name(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise OptionError(
            f"unknown encoding {encoding!r}: use a name such as utf-8 or cp1251."
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


@contextmanager
def _bytes(path: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise DataError(f"{path} is not a whole gzip file: compress or copy it again.") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}. Check the file.") from None


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    """The lines of a file with their line ends, counted as an editor counts them."""
    try:
        with (
            _bytes(path) as file,
            io.TextIOWrapper(file, encoding=encoding, newline="") as text,
        ):
            yield text
    except UnicodeError:
        raise DataError(_wrong_encoding(path, encoding)) from None


def _wrong_encoding(path: Path, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    line, byte = 1, "the last byte"
    with _bytes(path) as file:
        try:
            while block := file.read(1 << 16):
                line += decoder.decode(block).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            byte = f"byte 0x{error.object[error.start]:02x}"
    if encoding == "utf-8-sig":
        return (
            f"{path} line {line}: {byte} is not UTF-8. Save the file as UTF-8, or name its "
            "encoding, as in --encoding cp1251."
        )
    return f"{path} line {line}: {byte} is not {encoding}. Name the file's own --encoding."
