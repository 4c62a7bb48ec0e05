"""`nestcast backtest`: read, run, write, and show tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nestcast.commands.click_tables import key_segments, show_clicks
from nestcast.commands.options import BacktestOptions, limits, names, numbers, use_threads
from nestcast.commands.output import write_or_print
from nestcast.commands.reading import Reading
from nestcast.console import Messages
from nestcast.data import Panel, write_table
from nestcast.data.keys import Keys
from nestcast.data.tables import check_table_name
from nestcast.errors import OptionError
from nestcast.evaluation import click_plots, plots
from nestcast.evaluation.backtest import DEFAULT_CLICK_MODELS, DEFAULT_MODELS, backtest
from nestcast.evaluation.origins import Ask
from nestcast.evaluation.registry import Contender, contenders
from nestcast.evaluation.results import Backtest, check_result_name
from nestcast.evaluation.scoring import Segment
from nestcast.evaluation.segments import ALL, NEWNESS, VOLUMES
from nestcast.files import check_place
from nestcast.forecast import probabilities_of

ASKS: dict[str | None, Ask | None] = {
    None: None,
    "grid": "grid",
    "known": "known",
    "shown": "shown",
}


def run_backtest(source: str, options: BacktestOptions, reading: Reading, say: Messages) -> None:
    """Read the rows, run the backtest, write what was asked for, and show it.

    Raises:
        NestcastError: whatever a user can mend.
    """
    clip, level = limits(options.clip), numbers(options.level, "--level")
    _check(options, level)
    _entered(options, clip, of_clicks=reading.clicks.exposure is not None)
    use_threads(reading.rows.threads)

    panel = reading.panel(source, say)
    of_clicks = panel.exposure is not None
    entered = _entered(options, clip, of_clicks=of_clicks)
    ask: Ask | Keys | None = ASKS[options.ask]
    if options.pairs is not None:
        ask = reading.pairs(options.pairs, panel, say).keys
    runs = options.origins * sum(options.seeds if one.random else 1 for one in entered)
    # The reliability diagram, here or on a page, needs every rate.
    pictured = bool(options.plot) or (options.output or Path()).suffix == ".json"
    with say.steps(runs) as tell:
        result = backtest(
            panel,
            entered,
            origins=options.origins,
            horizon=options.horizon,
            step=options.step,
            ask=ask,
            level=level,
            clip=clip,
            seeds=options.seeds,
            refit=options.refit,
            cluster=options.cluster,
            segments=_without(options.without, panel) | key_segments(panel),
            keep_forecasts=options.forecasts is not None or (of_clicks and pictured),
            tell=tell,
        )
    _write(result, options, say)
    if of_clicks:
        show_clicks(result, say)
    else:
        _show(result, say)


def _entered(
    options: BacktestOptions, clip: tuple[float, float] | None, *, of_clicks: bool
) -> list[Contender]:
    """The models named, or the usual ones."""
    usual = DEFAULT_CLICK_MODELS if of_clicks else DEFAULT_MODELS
    return contenders(
        names(options.models) if options.models else usual,
        clip,
        of_clicks=of_clicks,
        known_assortment=options.known_assortment,
    )


def _check(options: BacktestOptions, level: Sequence[float]) -> None:
    """See before long work that its results can be written."""
    probabilities_of(level)
    if not level:
        raise OptionError("--level needs at least one interval, as in 80,95.")
    if options.ask not in ASKS:
        raise OptionError(f"--ask takes grid, known or shown, not {options.ask!r}.")
    if options.ask is not None and options.pairs is not None:
        raise OptionError("--ask cannot be combined with --pairs: leave one out.")
    if options.output is not None:
        check_result_name(options.output)
    if options.plot is not None:
        plots.check_possible(options.plot)
    if options.forecasts is not None:
        check_table_name(options.forecasts)
    for path in (options.output, options.plot, options.forecasts):
        if path is not None:
            check_place(path)


def _without(text: str | None, panel: Panel) -> dict[str, Segment]:
    """The series that do not have any of some key values, from text such as `shop_id=9,20`."""
    if text is None:
        return {}
    column, _, values = text.partition("=")
    wanted = names(values)
    if column not in panel.keys.names or not wanted:
        raise OptionError(
            f"--without takes a key column and its values, as in {panel.keys.names[0]}=9,20, "
            f"not {text!r}."
        )
    known = panel.keys[column].astype(str)
    for value in wanted:
        if value not in known:
            raise OptionError(f"--without: no series has the {column} {value}.")
    return {f"without {text}": lambda origin: ~np.isin(origin.asked[column].astype(str), wanted)}


def _write(result: Backtest, options: BacktestOptions, say: Messages) -> None:
    if options.output is None:
        write_or_print(result.to_columns(), None)
    else:
        result.write(options.output)
        say.say(f"scores written to {options.output}")
    if options.forecasts is not None:
        write_table(result.forecast_columns(), options.forecasts)
        say.say(f"forecasts written to {options.forecasts}")
    if options.plot is not None:
        if result.of_clicks:
            click_plots.plot(result, options.plot)
        else:
            plots.plot(result, options.plot)
        say.say(f"plot written to {options.plot}")


def _show(result: Backtest, say: Messages) -> None:
    """Tables, the best model first: errors, distributions, RMSE by kind of series."""
    ranked = sorted(result.means("rmse").items(), key=lambda pair: pair[1])
    order = [model for model, _ in ranked]
    first, last = result.origins[0].date, result.origins[-1].date
    series = round(sum(o.cells.size.sum() for o in result.origins) / len(result.origins))
    title = f"{len(result.origins)} origins, {first} to {last}, {series:,} series on average"
    against = {f"RMSE against {result.models[0]} (95%)": _against_first(result)}
    errors = {"MAE": "mae", "bias": "bias", "RMSSE": "rmsse"}
    columns = _means(result, {"RMSE": "rmse"}) | against | _means(result, errors)
    _table(say, title, order, columns)
    seconds = {model: f"{sum(spent):.1f}" for model, spent in result.seconds().items()}
    spread = {"WAPE": "wape", "quantile loss": "quantile-loss", "CRPS": "crps"}
    spread |= {f"in {level:g}%": f"coverage-{level:g}" for level in sorted(result.level)}
    columns = _means(result, spread) | {"seconds": seconds}
    _table(
        say,
        "Share of error in sales, errors of quantiles, and truths inside each interval",
        order,
        columns,
    )
    usual = (ALL, *NEWNESS, *VOLUMES)
    _table(say, "RMSE by what was known of the series", order, _by_segment(result, usual))
    own = [segment for segment in result.segments if segment not in usual]
    if own:
        _table(say, "RMSE of further kinds of series", order, _by_segment(result, own))


def _by_segment(result: Backtest, segments: Sequence[str]) -> dict[str, dict[str, str]]:
    """Heading -> model -> its RMSE as text; kinds that no series is of are left out."""
    means = {segment: result.means("rmse", segment) for segment in segments}
    return {
        segment.replace("volume", "sold"): {m: _shown(value, 3) for m, value in values.items()}
        for segment, values in means.items()
        if any(math.isfinite(value) for value in values.values())
    }


def _means(result: Backtest, metrics: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Heading -> model -> its mean as text."""
    return {
        heading: {model: _shown(value) for model, value in result.means(metric).items()}
        for heading, metric in metrics.items()
    }


def _against_first(result: Backtest) -> dict[str, str]:
    return {
        one.model: ""
        if one.model == one.reference
        else f"{one.percent:+.1f}% ({one.percent_low:+.1f} to {one.percent_high:+.1f})"
        for one in result.differences("rmse")
    }


def _table(
    say: Messages, title: str, order: Sequence[str], columns: Mapping[str, Mapping[str, str]]
) -> None:
    rows = [[model, *(column[model] for column in columns.values())] for model in order]
    say.table(title, ["model", *columns], rows, right=True)


def _shown(value: float, decimals: int = 4) -> str:
    """Four figures or so, whatever the size."""
    if not math.isfinite(value):
        return ""
    decimals = decimals if abs(value) < 10 else 2 if abs(value) < 1000 else 0
    return f"{value:,.{decimals}f}"
