"""How much memory a stretch of work takes at most, where the system tells."""

from __future__ import annotations

from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Begin a new stretch."""
    try:
        _CLEAR.write_text("5")
    except OSError:  # another system, or not allowed: the peak is that of the whole process
        return


def peak_memory() -> int | None:
    """Most bytes that the process held since the stretch began; None where that is not told."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
