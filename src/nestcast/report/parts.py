"""The parts of the page that are files: template, styles, scripts, charts, other people's code."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from nestcast.errors import OptionError

_SCRIPTS = ("format", "data", "charts", "view", "tables", "main")
_CHARTS = ("fan", "calibration", "reliability")


def check() -> None:
    """See before long work that the charts' code is installed.

    Raises:
        OptionError: it is not.
    """
    if find_spec("vl_convert") is None:
        raise OptionError("the page needs vl-convert-python: pip install vl-convert-python")


def text(name: str) -> str:
    """A file of the folder `assets`."""
    return files("nestcast.report").joinpath("assets", name).read_text(encoding="utf-8")


def notices() -> str:
    """The licences of other people's code in the page."""
    return text("notices.txt")


def script() -> str:
    """The page's own scripts, one after the other."""
    return "\n".join(text(f"script/{name}.js") for name in _SCRIPTS)


def styles() -> str:
    """The table's styles, then the page's own, which win."""
    return text("vendor/dataTables.dataTables.min.css") + "\n" + text("page.css")


def tables() -> str:
    """DataTables."""
    return text("vendor/dataTables.min.js")


@cache
def vega() -> str:
    """Vega-Embed with Vega and Vega-Lite, which the package vl-convert carries."""
    check()
    import vl_convert

    return f"(() => {{{vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;')}}})();"


def charts() -> dict[str, Any]:
    """The charts as Vega-Lite specifications, without data."""
    return {name: json.loads(text(f"charts/{name}.json")) for name in _CHARTS}
