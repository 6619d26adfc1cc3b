"""Displays of a running render: a bar on a terminal, plain lines in a log, JSON lines for a program."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import TextIO

from tsn.rendering.event import Event
from tsn_batch.render_stats import RenderStats

ShowEvent = Callable[[Event], None]
HEARTBEAT_S = 60.0
"""After this many seconds without output a line says that the render still runs; a silent log looks like a hang."""


@contextmanager
def plain_lines(out: TextIO, stats: RenderStats) -> Iterator[ShowEvent]:
    """Print one line for each finished frame, flushed at once, and a line every `HEARTBEAT_S` where nothing happens."""
    ended, last_output = threading.Event(), time.monotonic()
    started = last_output

    def write(line: str) -> None:
        nonlocal last_output
        last_output = time.monotonic()
        print(line, file=out, flush=True)

    def show(event: Event) -> None:
        if event.kind == "note":
            write(event.text)
        elif event.kind == "frame":
            took = f"{event.seconds:.2f} s" if event.status == "rendered" else event.status
            where = f"  {event.worker}" if event.worker else ""
            write(f"{event.frame}  {took}  ({event.done}/{event.total}){where}")

    def beat() -> None:
        while not ended.wait(max(0.01, last_output + HEARTBEAT_S - time.monotonic())):
            if time.monotonic() - last_output >= HEARTBEAT_S:
                write(f"... still at work after {time.monotonic() - started:.0f} s")

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield show
    finally:
        ended.set()
        heart.join()


@contextmanager
def progress_bar(out: TextIO, stats: RenderStats) -> Iterator[ShowEvent]:
    """Show a bar with pace and time left, and notes above it. rich respects NO_COLOR."""
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
                progress.update(task, description=str(event.frame), completed=event.done, pace=stats.pace())

        yield show


@contextmanager
def json_lines(out: TextIO, stats: RenderStats) -> Iterator[ShowEvent]:
    """Print every event as one JSON object a line."""

    def show(event: Event) -> None:
        print(json.dumps(asdict(event)), file=out, flush=True)

    yield show


@contextmanager
def openjd_lines(out: TextIO, stats: RenderStats) -> Iterator[ShowEvent]:
    """Print plain lines, and the lines that Open Job Description reads: progress, status, and the fault."""
    from tsn.errors import TsnError

    with plain_lines(out, stats) as show:

        def show_openjd(event: Event) -> None:
            show(event)
            if event.kind == "frame" and event.total:
                print(f"openjd_progress: {100 * event.done / event.total:.1f}", file=out, flush=True)
                print(f"openjd_status: frame {event.frame}, {stats.pace()}".rstrip(", "), file=out, flush=True)

        try:
            yield show_openjd
        except TsnError as error:
            print(f"openjd_fail: {error}", file=out, flush=True)
            raise


@contextmanager
def silent(out: TextIO, stats: RenderStats) -> Iterator[ShowEvent]:
    """Print nothing."""
    yield lambda event: None


DISPLAYS: Mapping[str, Callable[[TextIO, RenderStats], AbstractContextManager[ShowEvent]]] = {
    "bar": progress_bar,
    "json": json_lines,
    "openjd": openjd_lines,
    "plain": plain_lines,
    "silent": silent,
}
"""Name -> context manager that takes a stream and the statistics, and gives a function that shows an event."""


def choose_display(
    out: TextIO, *, as_json: bool = False, quiet: bool = False, environ: Mapping[str, str] = os.environ
) -> str:
    """Choose one of `DISPLAYS`: a bar only on a terminal that can draw it."""
    if as_json:
        return "json"
    if quiet:
        return "silent"
    return "bar" if out.isatty() and environ.get("TERM") not in ("dumb", "unknown") else "plain"
