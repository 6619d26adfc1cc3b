"""The errors that tsn raises on purpose, with the exit code of each.

    TsnError
    ├── UsageError      2
    │   └── ShotError   2
    ├── InputError      3
    ├── DeviceError     4
    ├── OutputError     5
    └── Cancelled     130

A message says what happened and where, what was expected and what was found; `hint` says what to do next. All of them
are exported from `tsn`: `except tsn.InputError as error`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class TsnError(Exception):
    """The base of all errors of tsn.

    Attributes:
        hint: what to do next, in one sentence; None where there is no advice.
    """

    exit_code = 1
    """Of the process that ends with this error."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(TsnError):
    """The command line or the shot file asks for something that is not possible."""

    exit_code = 2


class ShotError(UsageError):
    """A YAML file has a fault; the message starts with its file:line:column.

    Attributes:
        file, line, column: its place, counted from 1; None where only the file is known.
    """

    def __init__(
        self, message: str, *, file: Path, line: int | None = None, column: int | None = None, hint: str | None = None
    ) -> None:
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}", hint=hint)
        self.file, self.line, self.column = file, line, column


class InputError(TsnError):
    """A frame, layer or weight file is missing, damaged, or not of the expected kind."""

    exit_code = 3


class DeviceError(TsnError):
    """There is no such device, or its memory is too small."""

    exit_code = 4


class OutputError(TsnError):
    """A result cannot be written."""

    exit_code = 5


class Cancelled(TsnError):
    """The user or the farm stopped the process (Ctrl-C or SIGTERM)."""

    exit_code = 130


def error_for_exit_code(code: int) -> type[TsnError]:
    """The class of the error that ends a process with this exit code, for a parent that raises its child's error."""
    kinds = (UsageError, InputError, DeviceError, OutputError, Cancelled)
    return next((kind for kind in kinds if kind.exit_code == code), TsnError)


@contextmanager
def at_frame(path: Path, number: int) -> Iterator[None]:
    """Adds the path and the number of a frame to an InputError of code that knows only its pixels and channel names."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):  # of the decoder, which names the path itself
            raise
        raise InputError(f"{path}: frame {number}: {error}", hint=error.hint) from error


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word nearest to a mistyped one, or None where none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Perhaps you meant {close[0]!r}?" if close else None
