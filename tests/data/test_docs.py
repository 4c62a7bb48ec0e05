"""What docs/data.md says is so."""

import doctest
import re
from pathlib import Path

from tests.data.test_bad_rows import BAD_ROWS

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_examples_run() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 3
    assert result.failed == 0


def test_reasons_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text.split("reason in `rejected.csv`")[1].split("\n\n")[0]
    told = set(re.findall(r"`((?:item|date|shop|not)[a-z_ ]+ [^`|]+)`", section))
    known = {reason.split(": ")[0] for reason in BAD_ROWS.values()}
    assert len(told) >= 10
    assert told - known == {"item_id is not in items.csv"}  # needs a folder, and has its own test
