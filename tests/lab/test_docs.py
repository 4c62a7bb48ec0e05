"""What docs/nested-lstm.md says is so."""

import doctest
import json
import math
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "nested-lstm.md"


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def numbers(section):
    """The rows of the table in a section, without the step."""
    rows = re.findall(r"^\| [12] \|(.*)\|$", section, re.M)
    cells = [[cell.replace("**", "").split("=")[-1] for cell in row.split("|")] for row in rows]
    return [[float(cell) for cell in row] for row in cells]


def test_examples_run():
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_every_number_of_the_tables_is_computed():
    """By hand, from the formulas of the page, not from the layer."""
    page = PAGE.read_text(encoding="utf-8")
    lstm, nested = page.split("### In numbers, again")
    h = c = 0.0
    for x, told in zip((1, 0), numbers(lstm), strict=True):
        i, f, g, o = sigmoid(2 * x), sigmoid(1), math.tanh(x + h / 2), sigmoid(1)
        c = f * c + i * g
        h = o * math.tanh(c)
        assert [round(value, 4) for value in (x, i, f, g, o, c, h)] == told
    h = c = inner = 0.0
    for x, told in zip((1, 0), numbers(nested), strict=True):
        i, f, g, o = sigmoid(2 * x), sigmoid(1), math.tanh(x + h / 2), sigmoid(1)
        a, b = i * g, f * c
        gates = sigmoid(a), sigmoid(2), math.tanh(a + b), sigmoid(1)
        inner = gates[1] * inner + gates[0] * gates[2]
        c = gates[3] * math.tanh(inner)
        h = o * math.tanh(c)
        assert [round(value, 4) for value in (a, b, *gates, inner, c, h)] == told


def test_pictures_are_there():
    page = PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert "<svg" in (PAGE.parent / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["carparts", "1c"])
def test_the_tables_of_the_comparison_on_series_are_those_of_its_results(name):
    from benchmarks import series

    if not (series.KEPT / f"{name}.json").exists():
        pytest.skip("the experiment has not ended")
    assert series.tables(name) in series.PAGE.read_text(encoding="utf-8")


def test_the_tables_of_the_comparison_are_those_of_its_results():
    from benchmarks import poems

    if not (poems.KEPT / "results.json").exists():
        pytest.skip("the experiment has not ended")
    found = json.loads((poems.KEPT / "results.json").read_text(encoding="utf-8"))
    assert poems.tables(found) in poems.PAGE.read_text(encoding="utf-8")
