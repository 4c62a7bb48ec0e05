"""Reading, cleaning, rejecting and simulating; the Panel. Knows nothing of torch."""

from nestcast.data.calendar import Calendar, Frequency, parse_frequency
from nestcast.data.keys import Keys
from nestcast.data.pairs import Pairs, find_pairs, read_pairs
from nestcast.data.panel import Attributes, DailyTotals, Panel
from nestcast.data.reading import read_panel
from nestcast.data.report import ReadReport
from nestcast.data.tables import write_table

__all__ = [
    "Attributes",
    "Calendar",
    "DailyTotals",
    "Frequency",
    "Keys",
    "Pairs",
    "Panel",
    "ReadReport",
    "find_pairs",
    "parse_frequency",
    "read_pairs",
    "read_panel",
    "write_table",
]
