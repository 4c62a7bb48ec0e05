"""Writing so that an interruption never leaves half a file: write aside, then rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nestcast.errors import OptionError


def check_place(path: Path) -> None:
    """See that `path` can be written; call it before long work whose result goes there.

    Raises:
        OptionError: its folder is missing or cannot be written to.
    """
    parent = path.absolute().parent
    if not parent.is_dir():
        raise OptionError(f"cannot write {path}: there is no folder {parent}. Make it first.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OptionError(f"cannot write {path}: no permission in {parent}. Choose another place.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write a file or a folder to, and put it in place at the end.

    If the block fails or is interrupted, what stood at `path` stays as it was.

    Example:
        >>> target = Path(tempfile.mkdtemp()) / "result.txt"
        >>> with replacing(target) as aside:
        ...     _ = aside.write_text("whole")
        >>> target.read_text()
        'whole'

    Raises:
        OptionError: the folder of `path` does not exist or cannot be written to.
    """
    check_place(path)
    parent = path.absolute().parent
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=parent))
    except OSError as error:
        raise OptionError(
            f"cannot write {path}: {error.strerror} ({parent}). Choose another place."
        ) from None
    try:
        # The suffixes stay, because writers choose the format by them.
        aside = scratch / path.name
        yield aside
        if path.is_dir():
            old = scratch / f"{path.name}.old"
            os.replace(path, old)
        os.replace(aside, path)
    except OSError as error:
        if error.filename is None or not str(error.filename).startswith(str(scratch)):
            raise
        raise OptionError(f"cannot write {path}: {error.strerror}.") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
