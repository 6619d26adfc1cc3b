"""Ctrl-C and SIGTERM end a process in order: temporary files are removed first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from tsn.errors import Cancelled

END_S = 30
"""For an interrupted process to clean up; longer than `pool.GRACE_S`, which it may spend waiting for workers."""


def raise_interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """A signal handler: unwind as on Ctrl-C, so that temporary files go, and be gone after `END_S` whatever happens.

    Python may raise KeyboardInterrupt right after a lock was taken and before anybody is bound to give it back. Whoever
    cleans up then waits for a thread that waits for that lock: seen once in a hundred kills.
    """
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, lambda number, where: os._exit(Cancelled.exit_code))
        signal.alarm(END_S)
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Farm managers end a task with SIGTERM, a person with Ctrl-C.

    Whatever goes wrong afterwards is the interruption: C++ that is loading turns KeyboardInterrupt into an ImportError.
    """
    if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
        yield
        return
    caught = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as for a script's background job
        caught.append(signal.SIGINT)
    came = False

    def remember(signum: int, frame: FrameType | None) -> NoReturn:
        nonlocal came
        came = True
        raise_interrupt(signum, frame)

    before: list[tuple[signal.Signals, Any]] = [(number, signal.signal(number, remember)) for number in caught]
    try:
        yield
    except Exception as error:
        if came and not isinstance(error, Cancelled):  # which says what is finished
            raise KeyboardInterrupt from error
        raise
    finally:  # the alarm stays set: the interpreter's own end waits for threads too
        for number, handler in before:
            signal.signal(number, handler)
