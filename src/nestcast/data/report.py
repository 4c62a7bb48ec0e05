"""What happened to the rows on their way into a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReadReport:
    """The account of one reading: `rows_read == rows_used + rows_rejected`, always.

    Args:
        rows_read: data rows found in the sales files.
        rows_used: rows that entered the panel, or an incomplete last period held back.
        rejected: reason -> number of rows rejected for it.
        returns: rows used whose target is negative.
        rows_held_back: rows used that lie in the incomplete last period.
        notes: sentences a user should read: merges, incomplete periods, unknown items.
    """

    rows_read: int = 0
    rows_used: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    returns: int = 0
    rows_held_back: int = 0
    notes: tuple[str, ...] = ()

    @property
    def rows_rejected(self) -> int:
        """Rows that were written to the rejects file instead of being used."""
        return sum(self.rejected.values())
