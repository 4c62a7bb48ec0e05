"""Errors that a user can act on: one line that says what is wrong, where, and what to do."""

from __future__ import annotations


class NestcastError(Exception):
    """Base of every error raised on purpose; its message is a single line.

    The command prints the message on stderr and exits with `exit_code`.

    Example:
        >>> str(NestcastError("no such file: sales.csv. Check the path."))
        'no such file: sales.csv. Check the path.'
    """

    exit_code = 1


class DataError(NestcastError):
    """Rows, files or frames that cannot be used as they are."""


class ModelError(NestcastError):
    """A saved model that cannot be read, or does not fit the data at hand."""


class OptionError(NestcastError):
    """An option, or a combination of options, that makes no sense."""

    exit_code = 2
