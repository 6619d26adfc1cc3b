"""Every error that tsn raises on purpose, one exit code each.

    TsnError
    ├── UsageError      2    the command line or the shot file asks for something that can't be
    │   └── ShotError   2    ... with file:line:column in a YAML file
    ├── InputError      3    a frame, layer or weight file is missing, damaged or not what it should be
    ├── DeviceError     4    no such device, or out of memory on it
    ├── OutputError     5    a result can't be written
    └── Cancelled     130    Ctrl-C or SIGTERM

A message says what happened and where, what was expected and what was found; `hint` says what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class TsnError(Exception):
    """Base of all of them; `str()` is the message, `hint` the advice under it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(TsnError):
    exit_code = 2


class ShotError(UsageError):
    """A fault in a YAML file, at a line and column counted from 1."""

    def __init__(
        self, message: str, *, file: Path, line: int | None = None, column: int | None = None, hint: str | None = None
    ) -> None:
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}", hint=hint)
        self.file, self.line, self.column = file, line, column


class InputError(TsnError):
    exit_code = 3


class DeviceError(TsnError):
    exit_code = 4


class OutputError(TsnError):
    exit_code = 5


class Cancelled(TsnError):
    exit_code = 130


def error_for_exit_code(code: int) -> type[TsnError]:
    """The error that ends a process with this exit code: how a parent raises the fault of its child."""
    kinds = (UsageError, InputError, DeviceError, OutputError, Cancelled)
    return next((kind for kind in kinds if kind.exit_code == code), TsnError)


@contextmanager
def at_frame(path: Path, number: int) -> Iterator[None]:
    """A fault of what a frame holds, found by something that sees pixels and names only, gets its path and number."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):  # a part of it can't be decoded
            raise
        raise InputError(f"{path}: frame {number}: {error}", hint=error.hint) from error


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word nearest to a mistyped one, or None where none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Perhaps you meant {close[0]!r}?" if close else None
