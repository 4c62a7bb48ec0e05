"""What `nestcast compare series` does."""

from __future__ import annotations

from nestcast.commands.backtest import ASKS
from nestcast.commands.compare_series import Options
from nestcast.commands.options import limits, names, use_threads
from nestcast.commands.reading import Reading
from nestcast.console import Messages
from nestcast.data.keys import Keys
from nestcast.errors import OptionError
from nestcast.evaluation.origins import Ask
from nestcast.files import check_place, replacing
from nestcast.lab import figure, series_figure
from nestcast.lab.comparison import RESULTS, write_json
from nestcast.lab.forecasting import Plan
from nestcast.lab.results import Results
from nestcast.lab.series import SeriesComparison, checked_cells
from nestcast.lab.series_results import ONE_SEED, conditions, markdown, results, table


def run_comparison(source: str, wanted: Options, reading: Reading, say: Messages) -> None:
    """Train, score, and write what came out.

    Raises:
        NestcastError: whatever a user can mend.
    """
    if wanted.ask not in ("grid", "known", None):
        raise OptionError(f"--ask takes grid or known, not {wanted.ask!r}.")
    if wanted.ask is not None and wanted.pairs is not None:
        raise OptionError("--ask cannot be combined with --pairs: leave one out.")
    plan, cells = _plan(wanted, ASKS[wanted.ask]), names(wanted.cells)
    checked_cells(cells)
    check_place(wanted.out)
    use_threads(reading.rows.threads)
    panel = reading.panel(source, say)
    if wanted.pairs is not None:
        plan = _plan(wanted, reading.pairs(wanted.pairs, panel, say).keys)
    comparison = SeriesComparison(
        wanted.out, cells, wanted.seeds, wanted.origins, wanted.step, plan, panel
    )
    comparison.claim_folder()
    drawable = figure.possible()
    if not drawable:
        say.say("no figure will be drawn: it needs matplotlib (pip install 'nestcast[plots]').")
    try:
        with say.bar(comparison.total) as tell:
            compared = comparison.run(tell)
    except KeyboardInterrupt:
        say.say("the same command goes on after the last finished run.")
        raise
    found = results(compared, comparison.settings())
    write_json(wanted.out / RESULTS, found)
    with replacing(wanted.out / "table.md") as aside:
        aside.write_text(markdown(found), encoding="utf-8")
    if drawable:
        picture = series_figure.differences(found)
        for ending in ("png", "svg"):
            figure.save(picture, wanted.out / f"differences.{ending}")
    _tell(found, wanted, say)


def _plan(wanted: Options, ask: Ask | Keys | None) -> Plan:
    """What is the same for every cell.

    Raises:
        OptionError: an option makes no sense.
    """
    clip = limits(wanted.clip)
    if clip is not None and not clip[0] < clip[1]:
        raise OptionError(f"--clip takes a low and a high end, as in 0,20, not {wanted.clip!r}.")
    return Plan(wanted.effort, wanted.horizon, ask, clip, wanted.cluster)


def _tell(found: Results, wanted: Options, say: Messages) -> None:
    header, rows = table(found)
    kept = [header.index(name) for name in ("cell", "RMSE", "quantile loss")]
    kept[2:2] = [kept[1] + 1]  # against the first, in RMSE; sentences tell the others
    kept += [header.index(name) for name in ("parameters", "training s")]
    narrow = [[row[at] for at in kept] for row in rows]
    say.table(conditions(found), [header[at] for at in kept], narrow, right=True)
    for one in found["differences"]:
        say.say(one["sentence"])
    if wanted.seeds == 1:
        say.say(ONE_SEED)
    say.say(f"results.json, table.md and the figure differences.png, .svg are in {wanted.out}")
