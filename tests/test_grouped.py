from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from nestcast.commands.grouped import grouped


@dataclass(frozen=True)
class Size:
    height: Annotated[int, typer.Option(help="How high.")]
    width: Annotated[int, typer.Option("-w", "--width", help="How wide.")] = 2
    filled: bool = False


@grouped
def draw(
    *, name: Annotated[str, typer.Argument()], unit: str = "cm", size: Size, loud: bool = False
) -> None:
    """Draw."""
    print(name, unit, size, loud)


def run(*arguments):
    app = typer.Typer(rich_markup_mode=None)
    app.command()(draw)
    return CliRunner().invoke(app, arguments)


def test_fields_of_a_group_are_options_in_its_place():
    assert list(signature(draw).parameters) == ["name", "unit", "height", "width", "filled", "loud"]
    done = run("box", "--height", "3", "-w", "4", "--filled", "--loud")
    assert done.output.strip() == f"box cm {Size(3, 4, True)} True"
    assert run("box", "--height", "3").output.strip() == f"box cm {Size(3)} False"


def test_help_and_what_a_field_must_have_come_from_the_group():
    text = run("--help").output
    assert "Draw." in text
    assert "How wide." in text
    assert run("box").exit_code == 2  # --height has no default


def test_a_command_without_groups_is_what_it_was(capsys):
    @grouped
    def say(*, word: str = "hello") -> None:
        print(word)

    say(word="yes")
    assert capsys.readouterr().out == "yes\n"
    with pytest.raises(TypeError):
        say(other="no")
