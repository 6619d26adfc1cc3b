"""Render a plan on this machine, and tell the person or the farm how it goes."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tsn import frames as ranges
from tsn.errors import Cancelled, OutputError
from tsn.io.sequence import FrameSequence, describe_ignored
from tsn.rendering.event import Event
from tsn.rendering.output import cache_folder, make_folder
from tsn.rendering.plan import Plan
from tsn_batch import cover, pool, progress
from tsn_batch.memory import keep_freed_pages
from tsn_batch.progress import Tally
from tsn_batch.runs import new_run
from tsn_batch.slots import slots
from tsn_batch.threads import keep_to_threads


def render(
    plan: Plan,
    *,
    chunks: Sequence[int] | None = None,
    device: str = "auto",
    workers: int | None = None,
    force: bool = False,
    way: str = "plain",
) -> Tally:
    """Render a plan, or some of its chunks, with progress on stdout, and say how it went.

    Args:
        device: one of `tsn.rendering.render.render`, or several with commas between, a worker process each.
        workers: how many processes share the devices; None = one a device. One alone renders in this process.
        way: how to show progress, of `progress.WAYS`.

    Raises:
        UsageError: no such list of devices.
        Cancelled: Ctrl-C or SIGTERM; the message counts what is finished all the same.
        OutputError: frames were removed while others were rendered.
        TsnError: of any other kind.
    """
    places = slots(device, workers)
    indices = range(len(plan.chunks)) if chunks is None else chunks
    chosen = [plan.chunks[index] for index in indices]
    wanted = {number for chunk in chosen for number in chunk.frames}
    numbers = [number for number in plan.output_frames if number in wanted]
    tally, before = Tally(gaps=wanted - set(numbers)), {}
    strays = (
        describe_ignored(FrameSequence.parse(plan.shot.plate, base=Path()).ignored_files()) if chunks is None else ""
    )
    matte = plan.shot.matte
    try:
        make_folder(Path(plan.shot.output).parent)  # before torch takes its seconds
        before = _files(plan, numbers)
        with progress.WAYS[way](sys.stdout, tally) as show:

            def report(event: Event) -> None:
                tally.add(event)
                if event.kind == "done" and matte is not None and (text := cover.warning(matte, tally.covers)):
                    # What one chunk of several shows of an object that comes and goes is no warning yet.
                    show(Event(kind="note", text=f"Warning: {text}" if chunks is None else text))
                show(event)
                if event.kind == "start" and strays:
                    show(Event(kind="note", text=strays))

            if len(places) > 1:
                pool.Pool(plan, places, folder=new_run(logs(plan)), force=force, report=report).run(indices)
            else:
                from tsn.rendering.render import render as render_plan

                keep_freed_pages()
                keep_to_threads()
                render_plan(plan, chunks=chunks, device=places[0].device, force=force, report=report)
    except KeyboardInterrupt:
        # Frames reach the disk behind the painting, so the last ones were not reported yet.
        written = {number for number, file in _files(plan, numbers).items() if before.get(number) != file}
        raise Cancelled(_cancelled(len(written | tally.skipped))) from None
    there = _files(plan, numbers)
    if lost := [number for number in numbers if number not in there]:
        raise OutputError(
            f"{len(lost)} of {len(numbers)} frames were written and are gone again: {ranges.compact(lost)}",
            hint="Something removed them meanwhile. Render once more: only these are missing.",
        )
    if way in ("bar", "plain", "openjd"):
        print(
            "\n".join(filter(None, [tally.table(terminal=way == "bar"), tally.summary(plan.shot.output)])), flush=True
        )
    return tally


def logs(plan: Plan) -> Path:
    """Where the renders of a shot keep their logs: in the cache, as the frames' folder belongs to the frames."""
    shot = plan.shot.file
    return cache_folder() / "logs" / f"{shot.stem}-{hashlib.sha256(os.fsencode(shot)).hexdigest()[:8]}"


def _files(plan: Plan, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The outputs there are: frame -> what changes whenever one is replaced."""
    outputs, found = FrameSequence.parse(plan.shot.output, base=Path()), {}
    for number in numbers:
        with suppress(OSError):
            status = outputs.path(number).stat()
            found[number] = (status.st_ino, status.st_mtime_ns)
    return found


def _cancelled(finished: int) -> str:
    if not finished:
        return "Cancelled; no frame is finished yet."
    verb = "is" if finished == 1 else "are"
    return f"Cancelled; {progress.count(finished)} {verb} finished and will be skipped next time."
