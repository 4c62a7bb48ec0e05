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
from itertools import islice
from pathlib import Path
from typing import IO

from nestcast.errors import DataError, OptionError

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
        plain: whether the header is one line, the first.
    """

    names: tuple[str, ...]
    delimiter: str
    encoding: str
    plain: bool

    @property
    def is_utf8(self) -> bool:
        """Whether DuckDB can read the bytes as they are."""
        return self.encoding == "utf-8-sig"


@dataclass(frozen=True)
class Record:
    """One record: the line it begins on, its values, and what is wrong with it, if anything."""

    line: int
    values: list[str]
    problem: str | None = None


def read_dialect(path: Path, encoding: str) -> Dialect:
    """Find out how a file is written from its header.

    Raises:
        DataError: the file is empty, not in that encoding, or names a column twice.
        OptionError: there is no such encoding.
    """
    encoding = _python_name(encoding)
    with _text(path, encoding) as lines:
        header = next(_joined(lines, _DELIMITERS), None)
    if header is None:
        raise DataError(f"{path} is empty: it needs a line of column names, then rows.")
    number, text, is_closed = header
    if not is_closed:
        raise DataError(
            f"{path} line {number}: a quotation mark in the header is not closed. Close it."
        )
    delimiter = max(_DELIMITERS, key=_without_quoted(text).count)
    names = tuple(name.strip() for name in _split(text, delimiter).values)
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DataError(f"{path} line {number}: two columns are named {twice[0]!r}. Rename one.")
    plain = number == 1 and "\n" not in text.rstrip("\r\n")
    return Dialect(names, delimiter, encoding, plain)


def records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Every record below the header; blank lines are skipped, flawed records marked.

    Raises:
        DataError: the file is not in the dialect's encoding.
    """
    width = len(dialect.names)
    with _text(path, dialect.encoding) as lines:
        below_header = islice(_joined(lines, dialect.delimiter), 1, None)
        for number, text, is_closed in below_header:
            if not is_closed:
                values = text.rstrip("\r\n").split(dialect.delimiter)
                yield Record(number, values, "a quotation mark is not closed")
            elif len(text) > _LONGEST_LINE:
                yield Record(number, [text[:80]], f"longer than {_LONGEST_LINE:,} characters")
            else:
                yield _checked(_split(text, dialect.delimiter), number, width)


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


def lines_of_records(path: Path, dialect: Dialect, ordinals: Iterable[int]) -> dict[int, int]:
    """Line on which each of the given records (1 = the first below the header) begins."""
    wanted = set(ordinals)
    if not wanted:
        return {}
    if dialect.plain and _has_one_record_per_line(path):
        return {ordinal: ordinal + 1 for ordinal in wanted}
    lines = {}
    for ordinal, record in enumerate(records(path, dialect), start=1):
        if ordinal in wanted:
            lines[ordinal] = record.line
            if len(lines) == len(wanted):
                break
    return lines


def _has_one_record_per_line(path: Path) -> bool:
    """Whether the file has neither quotation marks nor blank lines (or lone carriage returns)."""
    last = b"\n"
    with _bytes(path) as file:
        while block := file.read(1 << 20):
            # The last character of the block before decides whether this one begins a line.
            around = (last + block).replace(b"\r\n", b"\n")
            if b'"' in block or b"\n\n" in around:
                return False
            last = block[-1:]
    return True


def _joined(lines: Iterator[str], delimiters: str) -> Iterator[tuple[int, str, bool]]:
    """(first line, text, whether its quotation marks are closed) of each record."""
    numbered = enumerate(lines, start=1)
    waiting: deque[tuple[int, str]] = deque()
    while True:
        line = waiting.popleft() if waiting else next(numbered, None)
        if line is None:
            return
        number, text = line
        if not text.strip("\r\n"):
            continue
        looked_at: list[tuple[int, str]] = []
        whole, is_open = text, _ends_inside_quotes(text, delimiters)
        while is_open and len(looked_at) < _MOST_LINES_OF_A_RECORD:
            following = waiting.popleft() if waiting else next(numbered, None)
            if following is None:
                break
            looked_at.append(following)
            whole += following[1]
            is_open = '"' not in following[1] or _ends_inside_quotes(whole, delimiters)
        if is_open:
            waiting.extendleft(reversed(looked_at))
        yield number, text if is_open else whole, not is_open


def _ends_inside_quotes(text: str, delimiters: str) -> bool:
    # An odd number of marks may still be one inside a bare value, as in 5" disk.
    return text.count('"') % 2 == 1 and any(_opens_unclosed(text, one) for one in delimiters)


def _opens_unclosed(text: str, delimiter: str) -> bool:
    try:
        for _ in csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _split(text: str, delimiter: str) -> Record:
    text = text.rstrip("\r\n")
    if '"' not in text:
        return Record(0, text.split(delimiter))
    try:
        values = next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except csv.Error:
        return Record(0, text.split(delimiter), "text after a closing quotation mark")
    return Record(0, values)


def _checked(record: Record, line: int, width: int) -> Record:
    values, problem = record.values, record.problem
    while len(values) > width and not values[-1]:
        values.pop()  # a trailing delimiter
    if problem is None and len(values) != width:
        problem = f"{len(values)} values where the header has {width} columns"
    return Record(line, values, problem)


def _without_quoted(text: str) -> str:
    return "".join(text.split('"')[::2])


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
