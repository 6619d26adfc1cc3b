"""Run a command: a fault becomes one or two lines on stderr and an exit code that a farm can act on."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import click

from tsn.errors import Cancelled, TsnError
from tsn_batch.process.interrupts import interruptible

LEVELS = ("debug", "info", "warning", "error")
"""Values of --log-level, from most to least output."""


@dataclass
class CommandSettings:
    """Settings that every command has; the parser fills them in.

    Attributes:
        debug: show tracebacks.
        level: one of `LEVELS`; progress is shown up to `info`.
    """

    debug: bool = False
    level: str = "info"

    @property
    def quiet(self) -> bool:
        """Whether no progress is shown."""
        return LEVELS.index(self.level) > LEVELS.index("info")


def run_command(command: Callable[[], object], settings: CommandSettings) -> int:
    """Run a command, report the fault that stopped it, and return the exit code (see `tsn.errors`)."""
    try:
        with interruptible():
            code = command()
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _report(Cancelled("Cancelled."), settings)
    except TsnError as error:
        return _report(error, settings)
    except BrokenPipeError:  # `tsn explain shot.yaml | head`: the reader closed the pipe
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or the interpreter reports a second fault at exit
        return 1
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
        return _report(
            TsnError(message, hint="This is a fault in tsn. Run it again with --debug and report it."), settings
        )


def _report(error: TsnError, settings: CommandSettings) -> int:
    if settings.debug:
        traceback.print_exc()
    click.echo(f"tsn: {error}", err=True)
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
    return error.exit_code
