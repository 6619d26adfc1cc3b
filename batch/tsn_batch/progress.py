"""What a render says while it runs: a bar on a terminal, plain lines in a log, JSON lines for a program."""

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

ShowEvent = Callable[["Event"], None]
HEARTBEAT_S = 60.0
"""A log that says nothing for longer looks like a job that hangs."""


@contextmanager
def plain_lines(out: TextIO, tally: RenderStats) -> Iterator[ShowEvent]:
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
def progress_bar(out: TextIO, tally: RenderStats) -> Iterator[ShowEvent]:
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
def json_lines(out: TextIO, tally: RenderStats) -> Iterator[ShowEvent]:
    """Every event as one JSON object a line."""

    def show(event: Event) -> None:
        print(json.dumps(asdict(event)), file=out, flush=True)

    yield show


@contextmanager
def openjd_lines(out: TextIO, tally: RenderStats) -> Iterator[ShowEvent]:
    """Plain lines, with those between them that Open Job Description reads: progress, status, and why it failed."""
    from tsn.errors import TsnError

    with plain_lines(out, tally) as show:

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
def silent(out: TextIO, tally: RenderStats) -> Iterator[ShowEvent]:
    yield lambda event: None


DISPLAYS: Mapping[str, Callable[[TextIO, RenderStats], AbstractContextManager[ShowEvent]]] = {
    "bar": progress_bar,
    "json": json_lines,
    "openjd": openjd_lines,
    "plain": plain_lines,
    "silent": silent,
}


def choose_display(
    out: TextIO, *, as_json: bool = False, quiet: bool = False, environ: Mapping[str, str] = os.environ
) -> str:
    """Which of `DISPLAYS` fits: carriage returns only where someone watches them."""
    if as_json:
        return "json"
    if quiet:
        return "silent"
    return "bar" if out.isatty() and environ.get("TERM") not in ("dumb", "unknown") else "plain"
