"""What the page says in words and numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nestcast.evaluation.segments import NEWNESS
from nestcast.report import naming, periods
from nestcast.report.accuracy import Accuracy
from nestcast.report.click_accuracy import ClickAccuracy
from nestcast.report.content import Content, title
from nestcast.report.payload import words

_NEW_SHOWN = 20
_CLASSES = (
    "Classes: A brings four fifths of what is expected, B most of the rest, C little. Demand is "
    "smooth; intermittent (seldom); erratic (in changing amounts); lumpy (both). Life tells what "
    "is new, growing, steady, declining or ended."
)


def texts(content: Content, items: int) -> dict[str, Any]:
    """What the template says in words and numbers."""
    history = content.history.calendar
    last_day = history.ends()[-1]
    left_out = ""
    if items < len(content.by_item):
        left_out = (
            f"These are the first {items:,} of {len(content.by_item):,}, as many as the page "
            "has room for; totals count all of them."
        )
    return {
        "title": title(content),
        "until": periods.day(last_day),
        "words": words(content),
        "unit": content.unit,
        "level": None if content.level is None else f"{content.level:g}",
        "series": f"{len(content.forecast):,}",
        "places": content.places is not None,
        "categories": content.categories is not None,
        "total": _total(content),
        "clip": _clip(content),
        "no_interval": _no_interval(content),
        "ranked_by": "the largest forecast first"
        if content.advice is None
        else "what to act on first",
        "ranked_notes": () if content.advice is None else content.advice.notes,
        "classes": _CLASSES if content.item_advice and content.item_advice.classes else "",
        "left_out": left_out,
        "new_items": _new_items(content, items),
        "accuracy": _accuracy(content.accuracy, content)
        if isinstance(content.accuracy, Accuracy)
        else None,
        "click_accuracy": _click_accuracy(content.accuracy)
        if isinstance(content.accuracy, ClickAccuracy)
        else None,
        "rate_total": _rate_total(content),
        "intervals_note": _intervals_note(content),
        "backtest_options": ""
        if content.rates is None
        else f" --exposure impressions --series {','.join(content.forecast.keys.names)}",
        "rows": _rows(content),
        "notes": content.read.notes,
    }


def _total(content: Content) -> dict[str, str]:
    total = content.total
    mean, last, year = total.total[0], total.last[0], total.year[0]
    return {
        "mean": number(mean),
        "interval": interval(total.low[0], total.high[0]),
        "last": number(last),
        "change": _change(mean, last),
        "year": number(year),
        "year_change": _change(mean, year),
    }


def _change(now: float, before: float) -> str:
    return f"{_signed(now / before - 1)} since" if before > 0 else ""


def _clip(content: Content) -> str:
    if content.clip is None:
        return ""
    low, high = content.clip
    return (
        f"As the forecast was asked for with --clip {low:g},{high:g}, more than {high:g} of one "
        f"series and {periods.WORD[content.forecast.calendar.freq]} counts as {high:g}, "
        "in the history too."
    )


def _no_interval(content: Content) -> str:
    if content.level is None:
        return "The forecast holds no intervals: ask for some with --level."
    return "The past is too short to tell how sure the total is."


def _intervals_note(content: Content) -> str:
    if content.level is None or len(content.forecast) == 1:
        return ""
    return (
        "Intervals of single series come from the forecast. Those of totals allow for what moves "
        "many series at once, by as much as it did so far in this history; see docs/report.md."
    )


def _new_items(content: Content, carried: int) -> dict[str, Any] | None:
    """Items without a single row so far, the largest forecast first."""
    item = content.by_item
    new = np.zeros(len(item), bool)
    new[item.of_series] = content.history.new_item
    count = int(new.sum())
    if count == 0:
        return None
    place = np.full(len(item), -1)
    place[content.order[:carried]] = np.arange(min(carried, len(item)))
    category: Any = None
    if content.by_category is not None:
        category = np.zeros(len(item), np.int64)
        category[item.of_series] = content.by_category.of_series
    total = content.items.total
    first = [at for at in np.argsort(-total, kind="stable") if new[at]][:_NEW_SHOWN]
    word = item.word if count == 1 else naming.plural(item.word)
    shown = f" The {len(first)} largest:" if count > len(first) else ""
    done = "sold" if content.rates is None else "shown"
    return {
        "words": f"{count:,} {word} never {done} before {'is' if count == 1 else 'are'} expected "
        f"to bring {number(float(total[new].sum()))} {content.unit}, judged by what "
        f"{naming.plural(item.word)} like {'it' if count == 1 else 'them'} did.{shown}",
        "rows": [
            {
                "name": item.names[at],
                "at": int(place[at]) if place[at] >= 0 else None,
                "category": ""
                if category is None or content.by_category is None
                else content.by_category.names[category[at]],
                "mean": number(float(total[at])),
                "interval": interval(content.items.low[at], content.items.high[at]),
            }
            for at in first
        ],
    }


def _accuracy(accuracy: Accuracy, content: Content) -> dict[str, Any]:
    unit, item = content.unit, content.by_item.word
    of_each = item if content.by_place is None else f"{content.by_place.word} and {item}"
    ours, rule = accuracy.ours, accuracy.rule
    said = f"In {accuracy.when}, it was off by {_score(ours.mae)} {unit} per {of_each} on average"
    if rule is not None:
        said += f"; the simple rule “{rule.words}” by {_score(rule.mae)}"
        if rule.mae < ours.mae:
            said += ", which is less"
        said += (
            f". With large misses counted more (RMSE): {_score(ours.rmse)} and {_score(rule.rmse)}"
        )
    models = [ours, *accuracy.others]
    return {
        "words": said + ".",
        "totals": _total_errors(accuracy),
        "models": [
            {
                "words": one.words,
                "ours": one is ours,
                "mae": _score(one.mae),
                "rmse": _score(one.rmse),
                "bias": _score(one.bias),
            }
            for one in sorted(models, key=lambda one: one.rmse)
        ],
        "segments": [
            {
                "words": _SEGMENTS[name].format(item=item),
                "number": f"{size:,}",
                "mae": _score(mae),
            }
            for name, (size, mae) in accuracy.segments.items()
        ]
        if len(accuracy.segments) > 1
        else [],
        "coverage": [
            f"The {level:g}% interval held {share:.0f}% of what happened."
            for level, share in accuracy.coverage.items()
        ],
    }


def _rate_total(content: Content) -> dict[str, str] | None:
    """Facts beside the clicks expected in all."""
    if content.rates is None:
        return None
    found = content.rates.summed(np.zeros(len(content.by_item), np.int64), 1)
    return {title: number(values[0]) for title, values in found.items()}


def _click_accuracy(accuracy: ClickAccuracy) -> dict[str, Any]:
    ours = accuracy.models[accuracy.ours]
    said = (
        f"In {accuracy.when}, {accuracy.ours} promised {number(100 * ours['calibration'])} clicks "
        "for every 100 that came."
    )
    others = [words for words in accuracy.models if words != accuracy.ours]
    if others:
        mine, theirs = ours["log-loss"], accuracy.models[others[0]]["log-loss"]
        better = "better" if mine < theirs else "worse" if mine > theirs else "as good"
        said += (
            f" Each series by itself, its rates were {better} {'as' if mine == theirs else 'than'} "
            f"those of “{others[0]}”, the best other way tried (log-loss {mine:.6f} and "
            f"{theirs:.6f}, less is better)."
        )
    return {
        "words": said,
        "models": [
            {
                "words": words,
                "ours": words == accuracy.ours,
                "values": [
                    f"{found['log-loss']:.6f}",
                    f"{found['normalised-entropy']:.5f}",
                    f"{found['calibration']:.3f}",
                    f"{found['calibration-error']:.2g}",
                ],
            }
            for words, found in accuracy.models.items()
        ],
        "coverage": [
            f"The {level:g}% interval held {share:.0f}% of what happened, by impressions."
            for level, share in accuracy.coverage.items()
        ],
        "reliability": bool(accuracy.reliability),
    }


_SEGMENTS = dict(
    zip(
        NEWNESS,
        ("{item} sold there before", "{item} sold before, but not there", "new {item}"),
        strict=True,
    )
)


def _score(value: float) -> str:
    """An error, with as many decimals as others beside it."""
    return number(value) if abs(value) >= 10 else f"{value:.3f}".replace("-", "−")


def _total_errors(accuracy: Accuracy) -> str:
    if not accuracy.totals:
        return ""
    listed = ", ".join(map(_signed, accuracy.totals))
    order = ", the latest last" if len(accuracy.totals) > 1 else ""
    return f"The total of all was off by {listed}{order} (+ is too high)."


def _signed(share: float) -> str:
    """A share as whole per cent with its sign, as in +7%."""
    percent = round(100 * share)
    return f"{percent:+d}%".replace("-", "−") if percent else "0%"


def _rows(content: Content) -> list[dict[str, str]]:
    read = content.read
    if not read.rows_read:
        return [{"words": "rows read: not known, the data did not come from files", "number": ""}]
    found = {
        "rows read": read.rows_read,
        "rows used": read.rows_used,
        **({"of these returns (below 0)": read.returns} if content.rates is None else {}),
        "of these held back, in an incomplete last period": read.rows_held_back,
        "rows rejected": read.rows_rejected,
    } | {f"rejected: {reason}": count for reason, count in read.rejected.items()}
    return [{"words": words, "number": f"{count:,}"} for words, count in found.items()]


def number(value: float) -> str:
    """Three figures, or all before the point up to a million; empty where not known.

    Example:
        >>> number(1234.5), number(0.01234), number(12.0), number(2.5e8), number(float("nan"))
        ('1,234', '0.0123', '12', '250M', '')
    """
    if not math.isfinite(value):
        return ""
    text = f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if abs(value) >= size:
            text = f"{value / size:#.3g}".rstrip(".") + letter
            break
    return text.replace("-", "−")


def interval(low: float, high: float) -> str:
    """The two ends in words; empty where not known.

    Example:
        >>> interval(3, 1234)
        '3 to 1,234'
    """
    return f"{number(low)} to {number(high)}" if math.isfinite(low) else ""
