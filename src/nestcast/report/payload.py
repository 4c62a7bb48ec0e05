"""The numbers behind the page's charts and tables, as packed JSON: all that fits."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestcast.report import naming, periods
from nestcast.report.click_accuracy import ClickAccuracy
from nestcast.report.clicks import Rates
from nestcast.report.content import Block, Content
from nestcast.report.naming import Group

MOST_ITEMS = 10_000
_MOST_CELLS = 1_000_000  # numbers of the history of single series

Codes = NDArray[np.int64]
Values = NDArray[np.float64]


def pack(content: Content, items: int) -> str:
    """The payload with the first `items` items, as gzip in base64."""
    text = json.dumps(payload(content, items), ensure_ascii=False, separators=(",", ":"))
    # No time stamp: the same forecast gives the same bytes.
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode("ascii")


def unpack(text: str) -> Any:
    """What `pack` packed."""
    return json.loads(gzip.decompress(base64.b64decode(text)))


def payload(content: Content, items: int) -> dict[str, Any]:
    """The facts that the page's scripts read, for the first `items` items.

    Arrays have one entry for each item, place or series. The series of item `i` are those from
    `series.from[i]` to `series.from[i + 1]`; the first of them have details too.
    """
    order = content.order[:items]
    decimals = _decimals(content)
    whole = 0 if content.history.panel.is_count and content.clip is None else decimals
    found: dict[str, Any] = {
        "unit": content.unit,
        "words": words(content),
        "levels": [_short(level) for level in content.levels],
        "level": None if content.level is None else _short(content.level),
        "periods": _periods(content),
        "total": _block(content.total, decimals, whole),
        "items": {
            "names": [content.by_item.names[at] for at in order],
            "ids": _ids(content.by_item, order),
            **_block(content.items.take(order), decimals, whole),
            **_advice(content, order),
        },
        "series": {"from": [0] * (len(order) + 1)},
    }
    for name, group, block in (
        ("places", content.by_place, content.places),
        ("categories", content.by_category, content.categories),
    ):
        if group is not None and block is not None:
            found[name] = {"names": group.names, **_block(block, decimals, whole)}
            if content.rates is not None:
                found[name]["columns"] = _columns(content.summed_rates(group))
    if content.by_category is not None:
        item_category = np.zeros(len(content.by_item), np.int64)
        item_category[content.by_item.of_series] = content.by_category.of_series
        found["items"]["category"] = item_category[order].tolist()
    if content.rates is not None:
        found["items"] |= _rates(content.rates, order)
    if content.by_place is not None:
        found |= _series(content, order, decimals, whole)
    if isinstance(content.accuracy, ClickAccuracy):
        found["reliability"] = content.accuracy.reliability
    elif content.accuracy is not None:
        coverage = content.accuracy.coverage.items()
        found["coverage"] = [{"nominal": _short(n), "observed": round(o, 1)} for n, o in coverage]
    return found


def words(content: Content) -> dict[str, str]:
    """What things are called."""
    ahead = content.forecast.calendar
    period = periods.WORD[ahead.freq]
    history = content.history.calendar
    item = content.by_item.word
    several = f"{len(ahead)} {period}s"
    found = {
        "period": period,
        "item": item,
        "items": naming.plural(item),
        "an_item": f"{'an' if item[0] in 'aeio' else 'a'} {item}",
        "category": "category" if content.by_category is None else content.by_category.word,
        "ahead": f"expected in {periods.span(ahead) if len(ahead) == 1 else several}",
        "before": periods.name(history, len(history) - 1, short=True)
        if len(ahead) == 1
        else f"{several} before",
    }
    if content.by_place is not None:
        found["place"] = content.by_place.word
        found["places"] = naming.plural(content.by_place.word)
    return found


def _rates(rates: Rates, order: Codes) -> dict[str, Any]:
    """Rates to chart, in per cent, and further columns, of the items."""
    # Three figures of all but the smallest rates.
    smallest = float(np.quantile(rates.mean, 0.1)) if rates.mean.size else 1.0
    decimals = int(np.clip(2 - np.floor(np.log10(max(smallest, 1e-6))), 1, 6))
    charted = {
        name: _numbers(getattr(rates, name)[order], decimals) for name in ("past", "mean", "bands")
    }
    return {"rate": charted, "columns": _columns(rates.take(order).columns)}


def _columns(found: Mapping[str, Values]) -> list[dict[str, Any]]:
    """Numbers besides clicks, to four figures."""
    return [
        {"title": title, "values": [_figures(value) for value in values.tolist()]}
        for title, values in found.items()
    ]


def _figures(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _advice(content: Content, order: Codes) -> dict[str, Any]:
    """Classes, reasons and stock of the items, where analytics were asked."""
    advice = content.item_advice
    if advice is None:
        return {"classes": []}
    found: dict[str, Any] = {
        "why": [advice.why[at] for at in order],
        "classes": [
            {"word": kind, "names": names, "of": of[order].tolist()}
            for kind, (names, of) in advice.classes.items()
        ],
    }
    return found | _stock(advice.stock, advice.order, order)


def _stock(stock: Values | None, order: Values | None, chosen: Codes) -> dict[str, Any]:
    named = {"stock": stock, "order": order}
    return {name: _numbers(one[chosen], 2) for name, one in named.items() if one is not None}


def _series(content: Content, order: Codes, decimals: int, whole: int) -> dict[str, Any]:
    """Numbers of every series of the items, and history and steps of the first of them."""
    assert content.by_place is not None
    rank = np.full(len(content.by_item), len(order), np.int64)
    rank[order] = np.arange(len(order))
    of_series = rank[content.by_item.of_series]
    chosen = np.lexsort((content.by_place.of_series, of_series))
    chosen = chosen[: int((of_series < len(order)).sum())]
    ends = np.searchsorted(of_series[chosen], np.arange(len(order)), side="right")
    block = content.series.take(chosen)
    cells = block.past.shape[1] + block.mean.shape[1] * (1 + 2 * len(content.levels))
    detailed = int(ends[ends <= _MOST_CELLS // cells].max(initial=ends[0] if len(ends) else 0))
    advice = content.advice
    stock = {} if advice is None else _stock(advice.stock, advice.order, chosen)
    return {
        "series": {
            **stock,
            "from": [0, *ends.tolist()],
            "place": content.by_place.of_series[chosen].tolist(),
            "total": _numbers(block.total, decimals),
            "low": _numbers(block.low, decimals),
            "high": _numbers(block.high, decimals),
            "last": _numbers(block.last, whole),
        },
        "detailed": _block(block.take(np.arange(detailed)), decimals, whole),
    }


def _block(block: Block, decimals: int, whole: int) -> dict[str, Any]:
    return {
        "past": _numbers(block.past, whole),
        "mean": _numbers(block.mean, decimals),
        "bands": _numbers(block.bands, decimals),
        "total": _numbers(block.total, decimals),
        "low": _numbers(block.low, decimals),
        "high": _numbers(block.high, decimals),
        "last": _numbers(block.last, whole),
        "year": _numbers(block.year, whole),
    }


def _numbers(values: NDArray[np.float64], decimals: int) -> list[Any]:
    """Rounded, as nested lists; None where not a number."""
    rounded = np.round(values, decimals)
    known = np.isfinite(rounded)
    if decimals == 0:
        cells = np.where(known, rounded, 0).astype(np.int64).astype(object)
    else:
        cells = rounded.astype(object)
    if not known.all():
        cells[~known] = None
    return list(cells.tolist())


def _decimals(content: Content) -> int:
    """Decimals that keep three figures of all but the smallest forecasts."""
    if content.history.panel.is_count:
        return 2
    sizes = np.abs(content.series.mean[content.series.mean != 0])
    if not len(sizes):
        return 2
    return int(np.clip(2 - np.floor(np.log10(np.quantile(sizes, 0.1))), 0, 8))


def _ids(group: Group, order: Codes) -> list[str]:
    """Keys of the items; empty where the name says the same."""
    return ["" if group.ids[at] in group.names[at] else group.ids[at] for at in order]


def _periods(content: Content) -> dict[str, Any]:
    past, ahead = content.history.calendar, content.forecast.calendar
    return {
        "dates": [str(day) for day in (*past.starts(), *ahead.starts())],
        "names": [
            periods.name(calendar, at, short=True)
            for calendar in (past, ahead)
            for at in range(len(calendar))
        ],
        "ahead": len(ahead),
    }


def _short(level: float) -> float | int:
    return int(level) if level == int(level) else level
