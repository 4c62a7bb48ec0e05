"""Reading what a command was told to read, and telling what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nestcast.commands.options import names
from nestcast.console import Messages
from nestcast.data import Panel, read_pairs, read_panel
from nestcast.data.holidays import with_holidays
from nestcast.data.pairs import Pairs
from nestcast.errors import OptionError


@dataclass(frozen=True)
class Reading:
    """How to read: the options of `read_panel` as the command has them.

    Args:
        rejected: where bad rows go.
        series: key columns, separated by commas.
    """

    rejected: Path
    time: str | None = None
    series: str | None = None
    target: str | None = None
    price: str | None = None
    exposure: str | None = None
    cost: str | None = None
    revenue: str | None = None
    year: int | None = None
    observed: str | None = None
    known: str | None = None
    future: Path | None = None
    holidays: str | None = None
    freq: str | None = None
    date_format: str | None = None
    encoding: str = "utf-8"
    preset: str | None = None
    keep_incomplete: bool = False
    max_rejected: float = 0.01
    memory_limit: str = "2GB"
    threads: int | None = None

    def panel(self, source: str, say: Messages) -> Panel:
        """Read the rows, and say what was found."""
        panel = read_panel(
            source,
            time=self.time,
            series=None if self.series is None else names(self.series),
            target=self.target,
            price=self.price,
            exposure=self.exposure,
            cost=self.cost,
            revenue=self.revenue,
            year=self.year,
            observed=names(self.observed or ""),
            known=names(self.known or ""),
            future=self.future,
            freq=self.freq,
            preset=self.preset,
            max_rejected=self.max_rejected,
            memory_limit=self.memory_limit,
            threads=self.threads,
            rejected=self.rejected,
            encoding=self.encoding,
            date_format=self.date_format,
            keep_incomplete=self.keep_incomplete,
        )
        if panel.calendar.freq == "1h" and panel.exposure is None:
            raise OptionError("--freq 1h is for impressions and clicks: name these by --exposure.")
        if self.holidays is not None:
            panel = with_holidays(panel, self.holidays)
        _tell_what_was_read(say, panel, self.rejected)
        return panel

    def pairs(self, path: Path, panel: Panel, say: Messages) -> Pairs:
        """Read the series to forecast, and say what should be known of them."""
        pairs = read_pairs(
            path,
            series=panel.keys.names,
            preset=self.preset,
            attributes=panel.attributes,
            encoding=self.encoding,
        )
        say.say(f"forecasting the {len(pairs.keys):,} series of {path}")
        for note in pairs.notes:
            say.say(f"  {note}")
        return pairs


def beside(output: Path | None, rejected: Path | None) -> Path:
    """Where bad rows go: where the user said, else beside the result."""
    return rejected or (output.parent if output else Path()) / "rejected.csv"


def _tell_what_was_read(say: Messages, panel: Panel, rejected: Path) -> None:
    report = panel.report
    first, last = panel.calendar.starts()[0], panel.calendar.ends()[-1]
    returns = f" ({report.returns:,} returns)" if panel.exposure is None else ""
    say.say(
        f"read {report.rows_read:,} rows: {report.rows_used:,} used{returns}, "
        f"{report.rows_rejected:,} rejected"
    )
    for reason, count in report.rejected.items():
        say.say(f"  rejected {count:,}: {reason}")
    if report.rows_rejected:
        say.say(f"  see {rejected}")
    for note in report.notes:
        say.say(f"  {note}")
    periods = {"1h": "hours", "1d": "days", "1w": "weeks", "1mo": "months"}
    say.say(
        f"{len(panel):,} series over {len(panel.calendar)} {periods[panel.calendar.freq]}, "
        f"{first} to {last}"
    )
    if panel.exposure is not None:
        clicks, shown = (float(one.sum(dtype=float)) for one in (panel.target, panel.exposure))
        rate = f", {100 * clicks / shown:.3g}%" if shown else ""
        say.say(f"{clicks:,.0f} clicks out of {shown:,.0f} impressions{rate}")
