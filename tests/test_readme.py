"""The examples of README.md run as written."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from nestcast import cli
from nestcast.data.simulate import simulate_sales

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(code, tmp_path, monkeypatch, short_training):
    monkeypatch.chdir(tmp_path)
    simulate_sales("my-data", shops=2, items=40, months=14)
    exec(code, {})


def test_commands_have_the_options_they_are_shown_with():
    commands = [
        line.split("#")[0]
        for block in blocks("")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("nestcast ") and not line.startswith("nestcast-")
    ]
    group = typer.main.get_command(cli.app)
    parsed = 0
    for command in commands:
        name, *arguments = shlex.split(command)[1:]
        if name in group.commands:
            group.commands[name].make_context(name, arguments)
            parsed += 1
    assert parsed >= 3


def test_links_lead_somewhere():
    root = Path(__file__).parents[1]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (root / target).exists(), target
