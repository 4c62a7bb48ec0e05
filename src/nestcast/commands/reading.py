"""Reading what a command was told to read, and telling what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from nestcast.commands.options import ClickColumns, Rows, names
from nestcast.console import Messages
from nestcast.data import Panel, read_pairs, read_panel
from nestcast.data.holidays import with_holidays
from nestcast.data.pairs import Pairs
from nestcast.errors import OptionError


@dataclass(frozen=True)
class Reading:
    """Rows as a command was told to read them.

    Args:
        rows: which, and how.
        output: the result, beside which bad rows go unless the user said where.
        clicks: the columns of clicks.
    """

    rows: Rows
    output: Path | None
    clicks: ClickColumns = field(default_factory=ClickColumns)

    @property
    def rejected(self) -> Path:
        """Where bad rows go."""
        beside = self.output.parent if self.output else Path()
        return self.rows.rejected or beside / "rejected.csv"

    def panel(self, source: str, say: Messages) -> Panel:
        """Read the rows, and say what was found."""
        rows = self.rows
        panel = read_panel(
            source,
            time=rows.time,
            series=None if rows.series is None else names(rows.series),
            target=rows.target,
            price=rows.price,
            observed=names(rows.observed or ""),
            known=names(rows.known or ""),
            future=rows.future,
            freq=rows.freq,
            preset=rows.preset,
            max_rejected=rows.max_rejected,
            memory_limit=rows.memory_limit,
            threads=rows.threads,
            rejected=self.rejected,
            encoding=rows.encoding,
            date_format=rows.date_format,
            keep_incomplete=rows.keep_incomplete,
            **asdict(self.clicks),
        )
        if panel.calendar.freq == "1h" and panel.exposure is None:
            raise OptionError("--freq 1h is for impressions and clicks: name these by --exposure.")
        if rows.holidays is not None:
            panel = with_holidays(panel, rows.holidays)
        _tell_what_was_read(say, panel, self.rejected)
        return panel

    def pairs(self, path: Path, panel: Panel, say: Messages) -> Pairs:
        """Read the series to forecast, and say what should be known of them."""
        pairs = read_pairs(
            path,
            series=panel.keys.names,
            preset=self.rows.preset,
            attributes=panel.attributes,
            encoding=self.rows.encoding,
        )
        say.say(f"forecasting the {len(pairs.keys):,} series of {path}")
        for note in pairs.notes:
            say.say(f"  {note}")
        return pairs


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
