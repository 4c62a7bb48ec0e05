"""The page: one HTML file with all it needs inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from nestcast._version import __version__
from nestcast.data.keys import Column
from nestcast.data.panel import Panel
from nestcast.errors import OptionError
from nestcast.files import check_place, replacing
from nestcast.forecast import Forecast
from nestcast.report import parts
from nestcast.report.accuracy import Accuracy
from nestcast.report.advice import Advice
from nestcast.report.click_accuracy import ClickAccuracy
from nestcast.report.content import Content, gather
from nestcast.report.payload import MOST_ITEMS, pack
from nestcast.report.texts import texts

MOST_BYTES = 5_000_000


def write_report(
    forecast: Forecast,
    panel: Panel,
    path: str | Path,
    *,
    clip: tuple[float, float] | None = None,
    accuracy: Accuracy | ClickAccuracy | None = None,
    advice: Advice | None = None,
    ranking: Mapping[str, Column] | None = None,
) -> None:
    """Write the page of a forecast, of sales or of clicks, as one HTML file.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from nestcast.data import Calendar, Keys
        >>> from nestcast.forecaster import Forecaster
        >>> panel = Panel(
        ...     Keys({"item_id": np.arange(3)}),
        ...     Calendar("1mo", np.datetime64("2024-01-01"), 6),
        ...     np.array([[2, 3, 2, 4, 3, 2], [0, 0, 1, 0, 0, 0], [9, 8, 9, 9, 7, 8]], np.float32),
        ...     np.zeros(3, np.int32),
        ... )
        >>> forecast = Forecaster(recipe="seed", seed=1).fit(panel).predict()
        >>> page = Path(tempfile.mkdtemp()) / "report.html"
        >>> write_report(forecast, panel, page)
        >>> "Forecast of 3 items for July 2024" in page.read_text(encoding="utf-8")
        True

    Args:
        forecast: of the periods after the panel.
        panel: what it was made from.
        path: the file, which ends in `.html`.
        clip: what target and forecast were clipped to; the history on the page then is too.
        accuracy: of a saved backtest, see `accuracy.read_accuracy`.
        advice: what to act on first and why; else the largest forecasts come first.
        ranking: of clicks, what `rates.ranking` says, for spend and return.

    Raises:
        OptionError: the name has another ending, or the folder cannot be written to.
    """
    path = Path(path)
    check_page_name(path)
    check_place(path)
    page = render(
        gather(forecast, panel, clip=clip, accuracy=accuracy, advice=advice, ranking=ranking)
    )
    with replacing(path) as aside:
        aside.write_text(page, encoding="utf-8", newline="\n")


def check_page_name(path: Path) -> None:
    """See that a file is named as a page is; call it before long work.

    Raises:
        OptionError: its name does not end in `.html`.
    """
    if path.suffix not in (".html", ".htm"):
        raise OptionError(f"the page is HTML: end the name of {path} in .html.")


def render(content: Content, most_bytes: int = MOST_BYTES) -> str:
    """The page as text, with as many items as fit, the first ones first."""
    items = min(len(content.by_item), MOST_ITEMS)
    while True:
        page = _fill(content, items)
        if len(page.encode()) <= most_bytes or items <= 1:
            return page
        items = items * 3 // 4


def _fill(content: Content, items: int) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(parts.text("page.html"))
    return template.render(
        **texts(content, items),
        version=__version__,
        notices=Markup(parts.notices()),
        styles=Markup(parts.styles()),
        charts=Markup(_json(parts.charts())),
        data=Markup(pack(content, items)),
        vega=Markup(_script(parts.vega())),
        tables=Markup(_script(parts.tables())),
        script=Markup(parts.script()),
    )


def _json(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _script(code: str) -> str:
    """Code that cannot end the element it stands in; within strings this changes nothing."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
