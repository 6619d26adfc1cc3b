"""Render a plan on this machine, and tell the person or the farm how it goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tsn.errors import Cancelled
from tsn.shot.output import make_folder
from tsn.shot.plan import Plan
from tsn_batch import progress
from tsn_batch.progress import Tally

if TYPE_CHECKING:
    from tsn.shot.render import Event


def render(
    plan: Plan,
    *,
    chunks: Sequence[int] | None = None,
    device: str = "auto",
    force: bool = False,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Render a plan, or some of its chunks, with progress on stdout.

    Raises:
        Cancelled: Ctrl-C or SIGTERM; the message counts what is finished all the same.
        TsnError: of any other kind.
    """
    chosen = plan.chunks if chunks is None else [plan.chunks[index] for index in chunks]
    numbers = [number for chunk in chosen for number in chunk.frames]
    tally, before = Tally(), {}
    way = progress.way(sys.stdout, as_json=as_json, quiet=quiet)
    try:
        make_folder(Path(plan.shot.output).parent)  # before torch takes its seconds
        before = _files(plan, numbers)
        with progress.WAYS[way](sys.stdout, tally) as show:
            from tsn.shot.render import render as render_plan

            def report(event: Event) -> None:
                tally.add(event)
                show(event)

            render_plan(plan, chunks=chunks, device=device, force=force, report=report)
    except KeyboardInterrupt:
        # Frames reach the disk behind the painting, so the last ones were not reported yet.
        written = {number for number, file in _files(plan, numbers).items() if before.get(number) != file}
        kept = {number for number in tally.skipped if plan.source_of(number) is not None}
        raise Cancelled(_cancelled(len(written | kept))) from None
    if way in ("bar", "plain"):
        print(tally.summary(plan.shot.output), flush=True)


def _files(plan: Plan, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The outputs there are: frame -> what changes whenever one is replaced."""
    from tsn.io.sequence import Sequence as Files

    outputs, found = Files.parse(plan.shot.output, base=Path()), {}
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
