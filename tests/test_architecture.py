"""The import rules of docs/architecture.md."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "nestcast"

FORBIDDEN = {
    "nn": [
        "nestcast.data",
        "nestcast.model",
        "nestcast.recipes",
        "nestcast.forecast",
        "nestcast.training",
        "nestcast.evaluation",
    ],
    "kernels": ["torch", "nestcast.nn"],
    "data": [
        "torch",
        "nestcast.nn",
        "nestcast.model",
        "nestcast.recipes",
        "nestcast.forecast",
        "nestcast.evaluation",
    ],
    "model": [
        "nestcast.recipes",
        "nestcast.forecast",
        "nestcast.training",
        "nestcast.evaluation",
    ],
    "rates": [
        "nestcast.recipes",
        "nestcast.forecaster",
        "nestcast.evaluation",
        "nestcast.console",
        "nestcast.nn",
    ],
    "boosting": [
        "nestcast.nn",
        "nestcast.recipes",
        "nestcast.forecaster",
        "nestcast.evaluation",
        "nestcast.console",
    ],
    "recipes": ["nestcast.forecast", "nestcast.console", "nestcast.evaluation"],
    "evaluation": [
        "nestcast.console",
        "nestcast.commands",
        "nestcast.nn",
        "nestcast.kernels",
        "nestcast.report",
    ],
    "seller": [
        "torch",
        "nestcast.nn",
        "nestcast.model",
        "nestcast.recipes",
        "nestcast.forecaster",
        "nestcast.evaluation",
        "nestcast.report",
        "nestcast.console",
        "nestcast.commands",
    ],
    "report": [
        "torch",
        "nestcast.nn",
        "nestcast.model",
        "nestcast.recipes",
        "nestcast.forecaster",
        "nestcast.console",
        "nestcast.commands",
    ],
    "lab": ["nestcast.report", "nestcast.console", "nestcast.commands"],
    "commands": ["nestcast.model", "nestcast.recipes", "nestcast.nn", "nestcast.kernels"],
    ".": ["nestcast.cli"],
}
NOT_AT_RUN_TIME = ["pandas", "polars", "pyarrow", "pytest"]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_import_in_one_direction(room):
    files = list((PACKAGE / room).rglob("*.py"))
    assert files
    for path in files:
        if path.name == "__main__.py":  # the command itself, under another name
            continue
        for name in imports(path):
            for banned in [*FORBIDDEN[room], *NOT_AT_RUN_TIME]:
                assert not f"{name}.".startswith(f"{banned}."), f"{path} imports {name}"
