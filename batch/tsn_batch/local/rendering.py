"""Render a plan on this machine, in this process or with several workers, and show the progress."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tsn import frames as ranges
from tsn.errors import Cancelled, OutputError
from tsn.io.sequence import FrameSequence, describe_ignored
from tsn.rendering.event import Event
from tsn.rendering.output import cache_folder, make_folder
from tsn.rendering.plan import Plan
from tsn_batch import matte_report, progress
from tsn_batch.local import pool
from tsn_batch.local.run_folder import make_run_folder
from tsn_batch.local.worker_slots import worker_slots
from tsn_batch.process.memory import keep_freed_pages
from tsn_batch.process.threads import limit_threads
from tsn_batch.render_stats import RenderStats
from tsn_batch.wording import frame_count


def render_plan(
    plan: Plan,
    *,
    chunks: Sequence[int] | None = None,
    device: str = "auto",
    workers: int | None = None,
    force: bool = False,
    display: str = "plain",
) -> RenderStats:
    """Render a plan, or some of its chunks, with progress on stdout.

    Args:
        chunks: their indices; None = all.
        device: as `tsn.rendering.render.render` takes it, or a list with commas, with a worker process for each.
        workers: number of processes that share the devices; None = one for each. A single one renders in this process.
        force: render finished frames again.
        display: a name of `progress.DISPLAYS`.

    Raises:
        UsageError: the list of devices is wrong.
        Cancelled: Ctrl-C or SIGTERM; the message counts the finished frames.
        OutputError: frames were removed while others were rendered.
        TsnError: of any other kind.
    """
    slots = worker_slots(device, workers)
    indices = range(len(plan.chunks)) if chunks is None else chunks
    chosen = [plan.chunks[index] for index in indices]
    wanted = {number for chunk in chosen for number in chunk.frames}
    numbers = [number for number in plan.output_frames if number in wanted]
    stats, before = RenderStats(gaps=wanted - set(numbers)), {}
    ignored = (
        describe_ignored(FrameSequence.parse(plan.shot.plate, base=Path()).ignored_files()) if chunks is None else ""
    )
    try:
        make_folder(Path(plan.shot.output).parent)  # a fault is reported before torch is loaded
        before = _files(plan, numbers)
        with progress.DISPLAYS[display](sys.stdout, stats) as show:

            def report(event: Event) -> None:
                stats.add(event)
                for text in _matte_warnings(plan, stats) if event.kind == "done" else ():
                    # In a chunk of several it is only a note: the object may be out of frame there.
                    show(Event(kind="note", text=f"Warning: {text}" if chunks is None else text))
                show(event)
                if event.kind == "start" and ignored:
                    show(Event(kind="note", text=ignored))

            if len(slots) > 1:
                if plan.pins is None and any(layer.style.keys is not None for layer in plan.shot.by_layer):
                    from tsn.rendering.pin import pin

                    keep_freed_pages()
                    limit_threads()

                    # Learnt once, and not by each worker for itself.
                    plan = pin(plan, device=slots[0].device, note=lambda text: report(Event(kind="note", text=text)))
                pool.Pool(plan, slots, folder=make_run_folder(log_folder(plan)), force=force, report=report).run(
                    indices
                )
            else:
                from tsn.rendering.render import render

                keep_freed_pages()
                limit_threads()
                render(plan, chunks=chunks, device=slots[0].device, force=force, report=report)
    except KeyboardInterrupt:
        # Frames are written in the background, so the last ones were not reported yet.
        written = {number for number, file in _files(plan, numbers).items() if before.get(number) != file}
        raise Cancelled(_cancelled(len(written | stats.skipped))) from None
    on_disk = _files(plan, numbers)
    if lost := [number for number in numbers if number not in on_disk]:
        raise OutputError(
            f"{len(lost)} of {len(numbers)} frames were written and then removed: {ranges.compact(lost)}",
            hint="Something else removed them. Render again: only these are missing.",
        )
    if display in ("bar", "plain", "openjd"):
        print(
            "\n".join(filter(None, [stats.table(terminal=display == "bar"), stats.summary(plan.shot.output)])),
            flush=True,
        )
    return stats


def _matte_warnings(plan: Plan, stats: RenderStats) -> Iterator[str]:
    for place, layer in enumerate(plan.shot.by_layer):
        text = layer.matte and matte_report.miss_warning(layer.matte, stats.coverage[place])
        if text:
            yield f"layers.{place}: {text}" if plan.shot.layers else text


def log_folder(plan: Plan) -> Path:
    """The folder for the logs of a shot's renders. It is in the cache, since the output folder is for frames only."""
    shot = plan.shot.file
    return cache_folder() / "logs" / f"{shot.stem}-{hashlib.sha256(os.fsencode(shot)).hexdigest()[:8]}"


def _files(plan: Plan, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Output frame on disk -> inode and date, which change whenever the file is replaced."""
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
    return f"Cancelled; {frame_count(finished)} {verb} finished and will be skipped next time."
