"""Tells whether memory ran out, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tsn.errors import DeviceError


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; on a CPU only the message of torch's RuntimeError shows it."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


def memory_error(error: Exception, hint: str) -> DeviceError:
    """The error for people where memory ran out; the hint says what would take less."""
    return DeviceError(
        f"Out of memory: {str(error).splitlines()[0] if str(error) else 'no more on this host'}", hint=hint
    )


@contextmanager
def out_of_memory_explained(hint: str) -> Iterator[None]:
    """Raise `memory_error` in place of an error inside that says that memory ran out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise memory_error(error, hint) from error
