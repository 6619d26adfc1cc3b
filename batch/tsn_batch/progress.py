"""What a render says while it runs: a bar on a terminal, plain lines in a log, JSON lines for a program."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TextIO

from tsn.rendering.event import Event

Show = Callable[["Event"], None]
HEARTBEAT_S = 60.0
"""A log that says nothing for longer looks like a job that hangs."""
WIDEST = 10_000
"""Characters of a table's line."""
RECENT = 15
"""Frames the pace is taken from: the first one of a run paints a whole window and says little about the others."""


@dataclass
class Tally:
    """The events of one render, counted.

    `gaps` are frames that the plate hasn't got, of which nothing is made; `covers` is what a matte covers of each
    frame rendered.
    """

    gaps: Set[int] = frozenset()
    total: int = 0
    skipped: set[int] = field(default_factory=set)
    times: list[float] = field(default_factory=list)
    workers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0
    covers: dict[int, float] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        if event.kind in ("start", "done"):
            self.total, self.seconds = event.total, event.seconds
        elif event.status == "rendered":
            self.times.append(event.seconds)
            self.workers[event.worker].append(event.seconds)
            if event.frame is not None and event.cover is not None:
                self.covers[event.frame] = event.cover
        elif event.status == "skipped" and event.frame is not None and event.frame not in self.gaps:
            self.skipped.add(event.frame)

    def pace(self) -> str:
        """Such as "0.81 fps, 0:01:02 left"; nothing before the first frame, and nothing left after the last."""
        if not self.times:
            return ""
        each = max(median(self.times[-RECENT:]) / len(self.workers), 1e-6)
        left = self.total - len(self.gaps) - len(self.skipped) - len(self.times)
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
        text = ", ".join(parts) + without_plate(len(self.gaps))
        return f"{text[0].upper()}{text[1:]}: {where}"

    def table(self, *, terminal: bool = False) -> str:
        """A row for each of several workers; nothing for one."""
        if len(self.workers) < 2:
            return ""
        rows = [(name, len(times), f"{sum(times) / len(times):.2f}") for name, times in sorted(self.workers.items())]
        return table(("worker", "frames", "s a frame"), rows, terminal=terminal)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, terminal: bool = False) -> str:
    """At least one row; columns as wide as they need to be, words to the left and numbers to the right.

    Args:
        terminal: with a line under the head, in bold; else plain, for logs and `grep`. Never cut or wrapped to the
            width of the window: the paths of logs are there to be copied.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, show_edge=False)
    cells = [[str(cell) for cell in row] for row in rows]
    for name, column in zip(head, zip(*cells, strict=True), strict=True):
        numbers = all(cell[:1].isdigit() or cell == "" for cell in column)
        grid.add_column(name, justify="right" if numbers else "left", no_wrap=True)
    for row in cells:
        grid.add_row(*map(Text, row))  # brackets are no markup
    console = Console(width=WIDEST, force_terminal=terminal, color_system="standard" if terminal else None)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def count(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


def without_plate(gaps: int) -> str:
    """What follows a number of frames that there are, where some that were asked for can't be."""
    return f"; {gaps} without a plate" if gaps else ""


@contextmanager
def plain(out: TextIO, tally: Tally) -> Iterator[Show]:
    """One line a finished frame, whole and at once: a log is read while it grows. A heartbeat where nothing happens."""
    ended, said = threading.Event(), time.monotonic()
    started = said

    def tell(line: str) -> None:
        nonlocal said
        said = time.monotonic()
        print(line, file=out, flush=True)

    def show(event: Event) -> None:
        if event.kind == "note":
            tell(event.text)
        elif event.kind == "frame":
            took = f"{event.seconds:.2f} s" if event.status == "rendered" else event.status
            where = f"  {event.worker}" if event.worker else ""
            tell(f"{event.frame}  {took}  ({event.done}/{event.total}){where}")

    def beat() -> None:
        while not ended.wait(max(0.01, said + HEARTBEAT_S - time.monotonic())):
            if time.monotonic() - said >= HEARTBEAT_S:
                tell(f"... still at work after {time.monotonic() - started:.0f} s")

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield show
    finally:
        ended.set()
        heart.join()


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
def openjd(out: TextIO, tally: Tally) -> Iterator[Show]:
    """Plain lines, with those between them that Open Job Description reads: progress, status, and why it failed."""
    from tsn.errors import TsnError

    with plain(out, tally) as show:

        def tell(event: Event) -> None:
            show(event)
            if event.kind == "frame" and event.total:
                print(f"openjd_progress: {100 * event.done / event.total:.1f}", file=out, flush=True)
                print(f"openjd_status: frame {event.frame}, {tally.pace()}".rstrip(", "), file=out, flush=True)

        try:
            yield tell
        except TsnError as error:
            print(f"openjd_fail: {error}", file=out, flush=True)
            raise


@contextmanager
def silent(out: TextIO, tally: Tally) -> Iterator[Show]:
    yield lambda event: None


WAYS: Mapping[str, Callable[[TextIO, Tally], AbstractContextManager[Show]]] = {
    "bar": bar,
    "json": json_lines,
    "openjd": openjd,
    "plain": plain,
    "silent": silent,
}


def way(out: TextIO, *, as_json: bool = False, quiet: bool = False, environ: Mapping[str, str] = os.environ) -> str:
    """Which of `WAYS` fits: carriage returns only where someone watches them."""
    if as_json:
        return "json"
    if quiet:
        return "silent"
    return "bar" if out.isatty() and environ.get("TERM") not in ("dumb", "unknown") else "plain"
