"""What a render says while it runs: a bar on a terminal, plain lines in a log, JSON lines for a program."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # it lives beside torch
    from tsn.shot.render import Event

Show = Callable[["Event"], None]
RECENT = 15
"""Frames the pace is taken from: the first one of a run paints a whole window and says little about the others."""


@dataclass
class Tally:
    """The events of one render, counted."""

    total: int = 0
    skipped: set[int] = field(default_factory=set)
    times: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, event: Event) -> None:
        if event.kind in ("start", "done"):
            self.total, self.seconds = event.total, event.seconds
        elif event.status == "rendered":
            self.times.append(event.seconds)
        elif event.status == "skipped" and event.frame is not None:
            self.skipped.add(event.frame)

    def pace(self) -> str:
        """Such as "0.81 fps, 0:01:02 left"; nothing before the first frame, and nothing left after the last."""
        if not self.times:
            return ""
        each = max(median(self.times[-RECENT:]), 1e-6)
        left = self.total - len(self.skipped) - len(self.times)
        fps = f"{1 / each:.2f} fps"
        if left <= 0:
            return fps
        minutes, seconds = divmod(round(left * each), 60)
        return f"{fps}, {minutes // 60}:{minutes % 60:02}:{seconds:02} left"

    def summary(self, where: str) -> str:
        """One sentence for the end."""
        rendered, skipped = len(self.times), len(self.skipped)
        parts = []
        if rendered or not skipped:
            each = f" ({sum(self.times) / rendered:.2f} s a frame)" if rendered else ""
            parts.append(f"rendered {count(rendered)} in {self.seconds:.1f} s{each}")
        if skipped:
            parts.append(f"skipped {count(skipped)} with nothing to do")
        text = ", ".join(parts)
        return f"{text[0].upper()}{text[1:]}: {where}"


def count(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


@contextmanager
def plain(out: TextIO, tally: Tally) -> Iterator[Show]:
    """One line a finished frame, whole and at once: a log is read while it grows."""

    def show(event: Event) -> None:
        if event.kind == "note":
            print(event.text, file=out, flush=True)
        elif event.kind == "frame":
            took = f"{event.seconds:.2f} s" if event.status == "rendered" else event.status
            print(f"{event.frame}  {took}  ({event.done}/{event.total})", file=out, flush=True)

    yield show


@contextmanager
def bar(out: TextIO, tally: Tally) -> Iterator[Show]:
    """A bar with pace and time left; notes go above it. rich honours NO_COLOR."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(file=out, force_terminal=True, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("preparing", total=None, pace="")

        def show(event: Event) -> None:
            if event.kind == "note":
                console.print(event.text, markup=False, highlight=False)
            elif event.kind == "start":
                progress.update(task, total=event.total)
            elif event.kind == "frame":
                progress.update(task, description=str(event.frame), completed=event.done, pace=tally.pace())

        yield show


@contextmanager
def json_lines(out: TextIO, tally: Tally) -> Iterator[Show]:
    """Every event as one JSON object a line."""

    def show(event: Event) -> None:
        print(json.dumps(asdict(event)), file=out, flush=True)

    yield show


@contextmanager
def silent(out: TextIO, tally: Tally) -> Iterator[Show]:
    yield lambda event: None


WAYS: Mapping[str, Callable[[TextIO, Tally], AbstractContextManager[Show]]] = {
    "bar": bar,
    "json": json_lines,
    "plain": plain,
    "silent": silent,
}


def way(out: TextIO, *, as_json: bool, quiet: bool, environ: Mapping[str, str] = os.environ) -> str:
    """Which of `WAYS` fits: carriage returns only where someone watches them."""
    if as_json:
        return "json"
    if quiet:
        return "silent"
    return "bar" if out.isatty() and environ.get("TERM") not in ("dumb", "unknown") else "plain"
