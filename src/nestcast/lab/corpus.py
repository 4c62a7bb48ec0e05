"""Text as characters: reading, the vocabulary, and the order in which a model sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nestcast.errors import DataError

UNSEEN, NEWLINE = 0, 1
NO_TARGET = -100  # what torch's cross_entropy leaves out
_POOL = 50  # batches shuffled together before lines of like length go side by side


@dataclass(frozen=True)
class Text:
    """A text and where it came from.

    Args:
        name: of the file.
        text: its characters, lines ending in "\\n".
    """

    name: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines that hold something."""
        return [line for line in self.text.split("\n") if line]

    @property
    def fingerprint(self) -> str:
        """Tells whether two texts are the same."""
        return sha256(self.text.encode()).hexdigest()[:16]


def read_text(path: Path) -> Text:
    """Read a UTF-8 file of any script.

    Raises:
        DataError: it is missing, empty, not UTF-8, or holds one character only.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}. Check the path.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 (byte {raw[error.start]:#04x} in line {line}). "
            f"Convert it first: iconv -f ENCODING -t utf-8."
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    seen = set(text) - {"\n"}
    if not seen:
        raise DataError(f"{path} is empty. Give a file with text.")
    if len(text.strip("\n")) == 1 or len(set(text)) == 1:
        raise DataError(f"{path} holds one character only, {text[0]!r}. Give a file with text.")
    return Text(str(path), text)


@dataclass(frozen=True)
class Vocabulary:
    """The characters a model knows; number 0 stands for all others, 1 is the end of a line.

    Example:
        >>> vocabulary = Vocabulary.of("banana\\n", min_count=2)
        >>> len(vocabulary), vocabulary.encode("nab").tolist()
        (4, [3, 2, 0])
        >>> vocabulary.decode([3, 2, 0])
        'na\\ufffd'

    Args:
        characters: those with numbers 2 and up.
    """

    characters: str

    @classmethod
    def of(cls, text: str, min_count: int = 1) -> Vocabulary:
        """The characters that occur `min_count` times or more, the most frequent first.

        Rarer ones are read as unseen, which teaches a model how likely an unseen one is.
        """
        counts = Counter(text)
        del counts["\n"]
        kept = [one for one in counts if counts[one] >= min_count]
        return cls("".join(sorted(kept, key=lambda one: (-counts[one], one))))

    def __len__(self) -> int:
        return len(self.characters) + 2

    def encode(self, text: str) -> Tensor:
        """The numbers of the characters, shape (len(text),)."""
        numbers = {one: number for number, one in enumerate(self.characters, start=2)}
        numbers["\n"] = NEWLINE
        return torch.tensor([numbers.get(one, UNSEEN) for one in text], dtype=torch.long)

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of the numbers; the unseen character is shown as \\ufffd."""
        return "".join(("\ufffd\n" + self.characters)[number] for number in numbers)


@dataclass(frozen=True)
class Strip:
    """Texts side by side, read together from their beginnings.

    Args:
        inputs, targets: shape (time, text); targets that do not count are NO_TARGET.
        units: shape (time, text), which piece of the corpus a target belongs to. Pieces are what
            the bootstrap draws: lines, or stretches of running text.
    """

    inputs: Tensor
    targets: Tensor
    units: Tensor

    def windows(self, length: int) -> Iterator[Strip]:
        """Cut in time, for truncated backpropagation."""
        for start in range(0, len(self.inputs), length):
            cut = slice(start, start + length)
            yield Strip(self.inputs[cut], self.targets[cut], self.units[cut])


class Corpus:
    """A text in numbers, and its order.

    Every character is predicted from those before it: in a line from those of the line, whose end
    is predicted too; in running text from all.

    Example:
        >>> vocabulary = Vocabulary.of("ab")
        >>> corpus = Corpus(Text("two lines", "ab\\nb\\n"), vocabulary, lines=True)
        >>> strip, = corpus.strips(batch=2)
        >>> strip.inputs.T.tolist(), strip.targets.T.tolist()
        ([[1, 3, 1], [1, 2, 3]], [[3, 1, -100], [2, 3, 1]])
        >>> corpus.characters, corpus.unseen
        (5, 0)

    Args:
        text: what to read.
        vocabulary: of the training text.
        lines: each line is a sequence of its own; else the text runs on.
        unit: characters in a piece of running text.
    """

    def __init__(self, text: Text, vocabulary: Vocabulary, *, lines: bool, unit: int = 200) -> None:
        self.lines = lines
        if lines:
            self._sequences = [vocabulary.encode(f"\n{line}\n") for line in text.lines]
        else:
            self._sequences = [vocabulary.encode(f"\n{text.text}")]
        self._unit = unit
        self.characters = sum(len(one) - 1 for one in self._sequences)
        self.unseen = sum(int((one == UNSEEN).sum()) for one in self._sequences)
        self.units = len(self._sequences) if lines else -(-self.characters // unit)

    def strips(self, batch: int, order: tuple[int, ...] | None = None) -> list[Strip]:
        """All of it, `batch` texts side by side, or fewer.

        Args:
            batch: texts side by side.
            order: seed of the order of lines; else they stand by length. Running text has one
                order only.
        """
        if not self.lines:
            return [self._columns(batch)]
        lengths = np.array([len(one) for one in self._sequences])
        if order is None:
            by_length = np.argsort(lengths, kind="stable")
            return [self._side_by_side(part) for part in _parts(by_length, batch)]
        rng = np.random.default_rng(order)
        groups: list[np.ndarray] = []
        for pool in _parts(rng.permutation(len(lengths)), batch * _POOL):
            groups += _parts(pool[np.argsort(lengths[pool], kind="stable")], batch)
        return [self._side_by_side(groups[number]) for number in rng.permutation(len(groups))]

    def _side_by_side(self, which: np.ndarray) -> Strip:
        parts = [self._sequences[number] for number in which]
        longest = max(len(part) for part in parts) - 1
        inputs = torch.full((longest, len(parts)), NEWLINE)
        targets = torch.full((longest, len(parts)), NO_TARGET)
        for column, part in enumerate(parts):
            inputs[: len(part) - 1, column] = part[:-1]
            targets[: len(part) - 1, column] = part[1:]
        return Strip(inputs, targets, torch.from_numpy(which).expand_as(inputs))

    def _columns(self, batch: int) -> Strip:
        (text,) = self._sequences
        columns = max(1, min(batch, self.characters // self._unit))
        rows = -(-self.characters // columns)

        def stand(row: Tensor, filler: int) -> Tensor:
            padded = row.new_full((rows * columns,), filler)
            padded[: len(row)] = row
            return padded.view(columns, rows).T.contiguous()

        unit = torch.arange(self.characters) // self._unit
        return Strip(stand(text[:-1], NEWLINE), stand(text[1:], NO_TARGET), stand(unit, 0))


def _parts(numbers: np.ndarray, size: int) -> list[np.ndarray]:
    return [numbers[first : first + size] for first in range(0, len(numbers), size)]
