"""The parts of the page that are files: template, styles, scripts, charts, other people's code."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import vl_convert

_SCRIPTS = ("format", "data", "charts", "view", "tables", "main")
_CHARTS = ("fan", "calibration")
_VEGA_LITE = "6.4"  # what the specifications are written in


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
    """The Vega runtime, which the package vl-convert carries."""
    return vl_convert.javascript_bundle("window.vega = vega;")


@cache
def charts() -> dict[str, Any]:
    """The charts' specifications, compiled from Vega-Lite to Vega."""
    return {
        name: vl_convert.vegalite_to_vega(
            json.loads(text(f"charts/{name}.json")), vl_version=_VEGA_LITE
        )
        for name in _CHARTS
    }
