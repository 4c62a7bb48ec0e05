"""Reading, cleaning, rejecting and simulating; the Panel. Knows nothing of torch."""

from nestcast.data.calendar import Calendar, Frequency, parse_frequency
from nestcast.data.keys import Keys
from nestcast.data.panel import Attributes, Panel
from nestcast.data.report import ReadReport
from nestcast.data.tables import write_table

__all__ = [
    "Attributes",
    "Calendar",
    "Frequency",
    "Keys",
    "Panel",
    "ReadReport",
    "parse_frequency",
    "write_table",
]
