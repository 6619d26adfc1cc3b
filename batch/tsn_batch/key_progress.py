"""Displays of keys being painted: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from tsn_batch.progress import HEARTBEAT_S

if TYPE_CHECKING:
    from tsn.rendering.paint_keys import KeyProgress


class Display(Protocol):
    """Shows what `tsn.rendering.paint_keys.paint_keys` reports."""

    def note(self, text: str) -> None:
        """Show a sentence."""
        ...

    def progress(self, event: KeyProgress) -> None:
        """Show how far a key is."""
        ...


class _Lines:
    """A line after each scale, with the estimate of what is left, and one where nothing ended for a while."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._last = out, time.monotonic()

    def note(self, text: str) -> None:
        self._last = time.monotonic()
        print(text, file=self._out, flush=True)

    def progress(self, event: KeyProgress) -> None:
        if event.preview is not None:
            what = f"{event.progress.lines} lines painted, see {event.preview}"
        elif time.monotonic() - self._last >= HEARTBEAT_S:
            what = f"painting {event.progress.lines} lines"
        else:
            return
        self.note(f"{event.frame}  {event.progress.done:4.0%}  {what}{_left(event)}")


class _Bar:
    """A bar for each key. rich respects NO_COLOR."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(file=out, force_terminal=True, soft_wrap=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f}% {task.fields[left]}"),
        )
        self.bars = Progress(*columns, console=self._console)
        self._tasks: dict[int, int] = {}

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def progress(self, event: KeyProgress) -> None:
        if event.frame not in self._tasks:
            name = f"{event.frame} ({event.index + 1} of {event.total})"
            self._tasks[event.frame] = self.bars.add_task(name, total=1.0, left="")
        task = self.bars.tasks[self._tasks[event.frame]]
        left = _left(event) or task.fields["left"]
        self.bars.update(task.id, completed=event.progress.done, left=left if event.progress.done < 1 else "")


class _Nothing:
    def note(self, text: str) -> None: ...

    def progress(self, event: KeyProgress) -> None: ...


def _left(event: KeyProgress) -> str:
    """The estimate for this key, and for all of them."""
    seconds = event.progress.seconds_left
    if seconds is None:
        return ""
    text = f", {_duration(seconds)} left"
    others = event.total - event.index - 1
    if others and event.progress.done < 1:
        whole = seconds / (1 - event.progress.done)
        text += f", {_duration(seconds + others * whole)} for all {event.total} keys"
    return text


def _duration(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


@contextmanager
def _plain(out: TextIO) -> Iterator[Display]:
    yield _Lines(out)


@contextmanager
def _bar(out: TextIO) -> Iterator[Display]:
    display = _Bar(out)
    with display.bars:
        yield display


@contextmanager
def _silent(out: TextIO) -> Iterator[Display]:
    yield _Nothing()


DISPLAYS: Mapping[str, Callable[[TextIO], AbstractContextManager[Display]]] = {
    "bar": _bar,
    "plain": _plain,
    "silent": _silent,
}
"""By the names that `tsn_batch.progress.choose_display` gives."""
