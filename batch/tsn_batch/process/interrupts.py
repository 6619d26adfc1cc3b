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
"""Seconds an interrupted process has to clean up; more than `pool.GRACE_S`, which it may spend waiting for workers."""


def raise_interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """Signal handler: unwind as on Ctrl-C, so that temporary files are removed; exit after `END_S` in any case.

    Python may raise KeyboardInterrupt just after a lock was taken and before the code that releases it is entered. The
    clean-up then waits for a thread that waits for that lock: seen once in a hundred kills.
    """
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, lambda number, where: os._exit(Cancelled.exit_code))
        signal.alarm(END_S)
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, with which farms end a task, as on Ctrl-C.

    An error after the signal counts as the interruption: a C++ module that is being loaded turns KeyboardInterrupt into
    an ImportError.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    caught = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored for background jobs of a script
        caught.append(signal.SIGINT)
    received = False

    def remember(signum: int, frame: FrameType | None) -> NoReturn:
        nonlocal received
        received = True
        raise_interrupt(signum, frame)

    before: list[tuple[signal.Signals, Any]] = [(number, signal.signal(number, remember)) for number in caught]
    try:
        yield
    except Exception as error:
        if received and not isinstance(error, Cancelled):  # its message counts the finished frames
            raise KeyboardInterrupt from error
        raise
    finally:  # the alarm stays set: the interpreter's exit waits for threads too
        for number, handler in before:
            signal.signal(number, handler)
