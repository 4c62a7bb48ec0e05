"""The parts of the page that are files: template, styles, scripts, charts, other people's code."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import vl_convert

_SCRIPTS = ("format", "data", "charts", "view", "tables", "main")
_CHARTS = ("fan", "calibration")


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
    return f"(() => {{{vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;')}}})();"


def charts() -> dict[str, Any]:
    """The charts as Vega-Lite specifications, without data."""
    return {name: json.loads(text(f"charts/{name}.json")) for name in _CHARTS}
