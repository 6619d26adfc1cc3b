"""How a command ends: every fault told in a line or two on stderr, and an exit code that a farm can act on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import click

from tsn.errors import Cancelled, TsnError

END_S = 30
"""For an interrupted process to clean up; longer than `pool.GRACE_S`, which it may spend waiting for workers."""
LEVELS = ("debug", "info", "warning", "error")


@dataclass
class Settings:
    """What holds for a whole command, whichever it is; the parser fills it in.

    Attributes:
        debug: show tracebacks.
        level: one of `LEVELS`; progress is shown up to `info`.
    """

    debug: bool = False
    level: str = "info"

    @property
    def quiet(self) -> bool:
        return LEVELS.index(self.level) > LEVELS.index("info")


def outcome(command: Callable[[], object], settings: Settings) -> int:
    """Run a command, tell what stopped it, and return the exit code (see `tsn.errors`)."""
    try:
        with interruptible():
            code = command()
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _tell(Cancelled("Cancelled."), settings)
    except TsnError as error:
        return _tell(error, settings)
    except BrokenPipeError:  # `tsn explain shot.yaml | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return 1
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
        return _tell(
            TsnError(message, hint="This is a fault in tsn. Run it again with --debug and report it."), settings
        )


def _tell(error: TsnError, settings: Settings) -> int:
    if settings.debug:
        traceback.print_exc()
    click.echo(f"tsn: {error}", err=True)
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
    return error.exit_code


def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
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
        interrupt(signum, frame)

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
