"""Render a plan: stream the shot, write each frame once it is whole, skip what is finished.

Reading ahead and writing behind run beside the painting, one thread each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tsn import colour, io, matte
from tsn.errors import DeviceError, InputError
from tsn.io.frame import Frame, blank_like
from tsn.shot.engine import Engine, Prepared, make_engine
from tsn.shot.model import to_json
from tsn.shot.output import make_folder
from tsn.shot.plan import Plan
from tsn.shot.stream import Stream

READ_AHEAD = 2
WRITE_BEHIND = 2


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something a person or a farm wants to know.

    Attributes:
        kind: "start" (total known), "note" (a sentence), "frame" (one is finished), "done".
        status: of a frame: "rendered", or "skipped" where it was finished before or the plate has none.
    """

    kind: Literal["start", "note", "frame", "done"]
    done: int = 0
    total: int = 0
    frame: int | None = None
    status: Literal["rendered", "skipped"] | None = None
    seconds: float = 0.0
    text: str = ""


Report = Callable[[Event], None]


class _Plates:
    """Plate frames by number, read ahead on a thread of their own."""

    def __init__(self, engine: Engine, plan: Plan, pool: ThreadPoolExecutor) -> None:
        self._engine, self._pool = engine, pool
        self._sequence = io.Sequence.parse(plan.shot.plate, base=Path())
        present = plan.plate.present
        self._next = {a: present[i + 1 : i + 1 + READ_AHEAD] for i, a in enumerate(present)}
        self._coming: dict[int, Future[Frame]] = {}

    def get(self, number: int) -> Frame:
        coming = self._coming.pop(number, None)
        frame = coming.result() if coming else self._read(number)
        for ahead in self._next[number]:
            if ahead not in self._coming:
                self._coming[ahead] = self._pool.submit(self._read, ahead)
        while len(self._coming) > READ_AHEAD:  # after a jump: what was read for nothing
            self._coming.pop(next(iter(self._coming))).cancel()
        return frame

    def again(self, number: int) -> Frame:
        """A frame that was read before, for its output. Holding all K of them would cost every AOV of each."""
        return self._read(number)

    def _read(self, number: int) -> Frame:
        return self._engine.read(self._sequence.path(number), number)


def render(
    plan: Plan,
    *,
    chunks: Sequence[int] | None = None,
    device: str = "auto",
    force: bool = False,
    report: Report = lambda event: None,
) -> tuple[Path, ...]:
    """Render a plan, or some of its chunks, and return the paths of all their frames.

    Args:
        chunks: indices into the plan, None = all.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        force: render finished frames again.
        report: told of progress, on this thread.

    Raises:
        TsnError: of any kind. Frames written before it are whole and will be skipped next time.
    """
    chosen = plan.chunks if chunks is None else [plan.chunks[index] for index in chunks]
    numbers = sorted({number for chunk in chosen for number in chunk.frames})
    outputs = io.Sequence.parse(plan.shot.output, base=Path())
    started = time.monotonic()
    report(Event(kind="start", total=len(numbers)))
    make_folder(Path(plan.shot.output).parent)
    with _out_of_memory_explained():
        engine = make_engine(plan, device=device, note=lambda text: report(Event(kind="note", text=text)))
        if plan.shot.temporal.window:
            report(Event(kind="note", text=engine.flow_reason))
        todo = [
            n for n in numbers if plan.source_of(n) is not None and (force or not _finished(plan, engine, outputs, n))
        ]
        for done, number in enumerate(sorted(set(numbers) - set(todo)), start=1):
            report(Event(kind="frame", frame=number, status="skipped", done=done, total=len(numbers)))
        done = len(numbers) - len(todo)
        with torch.inference_mode():
            for number, seconds in _render(plan, engine, outputs, todo, report):
                done += 1
                report(
                    Event(kind="frame", frame=number, status="rendered", done=done, total=len(numbers), seconds=seconds)
                )
    report(Event(kind="done", done=done, total=len(numbers), seconds=time.monotonic() - started))
    return tuple(outputs.path(number) for number in numbers if plan.source_of(number) is not None)


def _render(
    plan: Plan, engine: Engine, outputs: io.Sequence, todo: Sequence[int], report: Report
) -> Iterator[tuple[int, float]]:
    """Yield each frame's number and seconds once it is on disk."""
    reader, writer = ThreadPoolExecutor(1, "read"), ThreadPoolExecutor(1, "write")
    writing: list[tuple[int, float, Future[None]]] = []
    try:
        plates = _Plates(engine, plan, reader)
        stream = Stream(engine, plan, lambda number: engine.prepare(plates.get(number)))
        clock = time.monotonic()
        for number in todo:
            frame, rgb, note = _frame(plan, engine, stream, plates, number)
            if note:
                report(Event(kind="note", text=note))
            attributes = provenance(plan, engine, number)
            job = writer.submit(io.write_frame, frame, rgb, outputs.path(number), attributes=attributes)
            now = time.monotonic()
            writing.append((number, now - clock, job))
            clock = now
            while writing and (len(writing) > WRITE_BEHIND or writing[0][2].done()):
                yield _written(writing)
        while writing:
            yield _written(writing)
    finally:
        reader.shutdown(wait=True, cancel_futures=True)
        writer.shutdown(wait=True, cancel_futures=True)


def _written(writing: list[tuple[int, float, Future[None]]]) -> tuple[int, float]:
    number, seconds, job = writing.pop(0)
    job.result()
    return number, seconds


def _frame(
    plan: Plan, engine: Engine, stream: Stream, plates: _Plates, number: int
) -> tuple[Frame, np.ndarray, str | None]:
    """One output frame: the plate frame it is written into, its RGB as float32 or as stored, and a remark."""
    source = plan.source_of(number)
    assert source is not None
    frame = plates.again(source)
    if source != number:
        if plan.shot.missing == "black":
            black = blank_like(frame, number)
            return black, black.rgb, None
        frame = replace(frame, number=number)
    strength = plan.shot.style.strength.at(number)
    cover = engine.matte_of(frame)
    if strength == 0 or (cover is not None and not cover.any()):
        return frame, frame.rgb, None
    prepared = engine.prepare(frame, motion=False)
    rgb = paint_plate(engine, prepared, stream.painted(source), strength if cover is None else strength * cover)
    broken = colour.nonfinite(prepared.source)
    count = int(broken.sum())
    note = (
        f"Frame {number}: {count} pixels with NaN or Inf were painted around and left as they were." if count else None
    )
    mixed = io.cut(rgb.permute(1, 2, 0).cpu().numpy(), engine.canvas, frame.data_window)
    # Outside the canvas, and where nothing was painted, the stored bits stay.
    touched = io.cut((rgb != prepared.source).any(0).cpu().numpy(), engine.canvas, frame.data_window)
    return frame, np.where(touched[..., None] & np.isfinite(frame.rgb).all(-1, keepdims=True), mixed, frame.rgb), note


def paint_plate(engine: Engine, prepared: Prepared, painted: Tensor, amount: Tensor | float) -> Tensor:
    """Style-space paint back into the plate: plate values (3, H, W), the source's own where nothing is painted."""
    plate = engine.codec.from_style(painted, prepared.residue)
    nothing = colour.nonfinite(prepared.source)
    if prepared.alpha is not None:
        plate = matte.premultiply(plate, prepared.alpha)
        # Paint where an element isn't would add its light to whatever is comped below; glows without alpha are painted.
        nothing |= (prepared.alpha == 0) & (prepared.source == 0).all(0, keepdim=True)
    amount = torch.where(nothing, 0.0, amount)
    return matte.composite(prepared.source, plate, amount)


def provenance(plan: Plan, engine: Engine, number: int) -> Mapping[str, str]:
    """What goes into the header of a frame: enough to make it again, and nothing that differs between hosts."""
    shot = to_json(plan.shot)
    return {
        "tsn:version": plan.tsn,
        "tsn:shot": json.dumps(shot, sort_keys=True),
        "tsn:shotSha256": plan.shot.digest,
        "tsn:style": engine.painter.name,
        "tsn:styleSha256": engine.fingerprint[0],
        "tsn:flow": engine.flow.name,
        "tsn:device": engine.device.type,
        "tsn:frameSha256": plan.digest(number, *engine.fingerprint),
    }


def _finished(plan: Plan, engine: Engine, outputs: io.Sequence, number: int) -> bool:
    """Whether the frame on disk is whole and is what this plan would make."""
    try:
        path = outputs.path(number)
        io.probe(path)
        return io.read_attributes(path).get("tsn:frameSha256") == plan.digest(number, *engine.fingerprint)
    except InputError:
        return False


@contextmanager
def _out_of_memory_explained() -> Iterator[None]:
    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        raise DeviceError(
            f"Out of memory: {str(error).splitlines()[0] if str(error) else 'no more on this host'}",
            hint="Set style.tile (1024, say), a smaller temporal.window, or render on the CPU.",
        ) from error
