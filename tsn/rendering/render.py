"""Render a plan: paint frame after frame, write each one whole, skip what is finished.

Plate frames are read in advance and output frames written on one thread each, while others are painted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from tsn import io
from tsn.io.atomic import OUTPUT_SETTING, write_error
from tsn.rendering.engine import Engine
from tsn.rendering.event import Event, Report
from tsn.rendering.finished import is_finished, is_made_by_tsn
from tsn.rendering.layer_engines import fingerprint_of, make_engines
from tsn.rendering.memory import is_out_of_memory, memory_error, out_of_memory_explained
from tsn.rendering.output import make_folder
from tsn.rendering.output_frame import RenderState, make_output_frame, provenance
from tsn.rendering.paint_sharing import PaintSharing, SharingPainter
from tsn.rendering.plan import Plan
from tsn.shot.model import Style
from tsn.style.tiles import tile_side

WRITE_BEHIND_FRAMES = 2
"""Painted frames that may wait to be written."""
LESS_MEMORY_HINT = "Set style.tile (1024, say), a smaller temporal.window, or render on the CPU."
MIN_TILE_PX = 128
"""Side of the smallest tile where memory is short; in smaller ones the margins would cost more than the tile."""


class Renderer:
    """Renders a plan on one device, chunk after chunk, with everything heavy loaded once.

    Paint in the handles is kept for the next chunk, so that neighbours in ascending order cost no more than one chunk
    of both.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        report: called with every event, on the thread that calls `render`; it may be replaced between two calls.
        sharing: the frames whose paint is shared with the workers beside this one (CPU only).
    """

    def __init__(
        self,
        plan: Plan,
        *,
        device: str = "auto",
        report: Report = lambda event: None,
        sharing: PaintSharing | None = None,
    ) -> None:
        self.plan = plan
        self._device, self.report, self._sharing = device, report, sharing
        self._outputs = io.FrameSequence.parse(plan.shot.output, base=Path())
        self._engines: tuple[Engine, ...] = ()
        self._tile: int | None = None
        self._state: RenderState | None = None
        self._swept = False

    def load(self) -> tuple[Engine, ...]:
        """Load everything heavy, on the first call: an engine for each layer. Raises TsnError of any kind."""
        if not self._engines:
            with out_of_memory_explained(LESS_MEMORY_HINT):
                engines = make_engines(self.plan, device=self._device, note=self._note, tile=self._tile)
            if self.plan.shot.needs_motion:
                self._note(engines[0].flow_reason)
            self._engines = tuple(map(self._sharing_paint, engines))
        return self._engines

    def _fingerprint(self) -> tuple[str, ...]:
        return fingerprint_of(self.plan, [engine.fingerprint for engine in self.load()])

    def _sharing_paint(self, engine: Engine) -> Engine:
        of_one_frame = engine.shot.style.paints_single_frames
        if self._sharing is None or engine.device.type != "cpu" or not of_one_frame:
            return engine
        return replace(engine, painter=SharingPainter(engine.painter, self._sharing))

    def render(self, chunks: Sequence[int] | None = None, *, force: bool = False) -> tuple[Path, ...]:
        """Render some chunks, or all, and return the paths of their frames. Raises as the function `render` does.

        The output folder must exist: a worker that starts late must not make it again, empty, after somebody removed
        it with the frames of the others.
        """
        plan = self.plan
        chosen = plan.chunks if chunks is None else [plan.chunks[index] for index in chunks]
        numbers = sorted({number for chunk in chosen for number in chunk.frames})
        total, started = len(numbers), time.monotonic()
        self.report(Event(kind="start", total=total))
        if not self._swept:  # a folder of ten thousand frames is listed once, not for each chunk
            io.remove_leftovers(Path(plan.shot.output).parent)
            self._swept = True
        fingerprint = self._fingerprint()
        for number in numbers:
            if plan.source_of(number) is None:
                self._clear(number)
        todo = [
            n
            for n in numbers
            if plan.source_of(n) is not None and (force or not is_finished(plan, n, fingerprint, self._outputs))
        ]
        for done, number in enumerate(sorted(set(numbers) - set(todo)), start=1):
            self.report(Event(kind="frame", frame=number, status="skipped", done=done, total=total))
        done = before = total - len(todo)
        while done < total:
            try:
                with torch.inference_mode():
                    for frame in self._paint(todo[done - before :], force):
                        done += 1
                        self.report(replace(frame, done=done, total=total))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._smaller_tiles(error)
        self.report(Event(kind="done", done=done, total=total, seconds=time.monotonic() - started))
        return tuple(self._outputs.path(number) for number in numbers if plan.source_of(number) is not None)

    def close(self) -> None:
        """End the reading thread and drop the paint in memory."""
        if self._state is not None:
            self._state.close()
            self._state = None

    def _paint(self, todo: Sequence[int], force: bool) -> Iterator[Event]:
        """As `_render`, with the state that the chunk before left; after an error it is dropped."""
        try:
            if self._state is None:
                self._state = RenderState(self.load(), self.plan)
                self._paint_ahead(self._state, force)
            yield from _render(self.plan, self._state, self._outputs, todo, self.report)
        except BaseException:
            self.close()
            raise

    def _paint_ahead(self, state: RenderState, force: bool) -> None:
        if self._sharing is None:
            return
        fingerprint = self._fingerprint()
        for number in self._sharing.ahead:
            there = number in self.plan.plate.stamps
            if there and (force or not is_finished(self.plan, number, fingerprint, self._outputs)):
                state.paint_ahead(number)

    def _clear(self, number: int) -> None:
        """Remove an output frame that the plate has no frame for any more: it would pass for one of the shot."""
        path = self._outputs.path(number)
        if is_made_by_tsn(path):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise write_error(path, error, OUTPUT_SETTING) from error
            self._note(f"Frame {number}: the plate has none any more, so {path.name} was removed.")
        elif path.exists():
            self._note(f"Frame {number}: the plate has none; {path.name} stays, since tsn did not make it.")

    def _note(self, text: str) -> None:
        self.report(Event(kind="note", text=text))

    def _smaller_tiles(self, error: Exception) -> None:
        """Go on with tiles of half the size. Raises DeviceError where there are no tiles, or no smaller ones."""
        tile = max((self._tile_of(layer.style) for layer in self.plan.shot.by_layer), default=0) // 2
        if tile < MIN_TILE_PX:
            raise memory_error(error, LESS_MEMORY_HINT) from error
        self._engines, self._tile = (), tile
        error.__traceback__ = None  # it keeps the tensors alive that there is no room for
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._note(
            f"Out of memory: painting in tiles of {tile} pixels from here on,"
            " which differs from larger ones by rounding only (1e-6)."
        )

    def _tile_of(self, style: Style) -> int:
        """Side of the tiles that a style is painted in now; 0 where it isn't painted in tiles."""
        names = style.blend or ([style.model] if style.model else [])
        if style.frames or style.strokes or style.keys or (names and all(".onnx" in name.lower() for name in names)):
            return 0
        canvas = self.plan.plate.canvas
        height, width = (max(1, round(side * style.scale)) for side in (canvas.height, canvas.width))
        return min(tile_side(height, width, self._tile or style.tile), max(height, width))


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
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
        force: render finished frames again.
        report: called with every event, on this thread.

    Raises:
        TsnError: of any kind. Frames written before it are whole and will be skipped next time.
    """
    make_folder(Path(plan.shot.output).parent)
    with closing(Renderer(plan, device=device, report=report)) as renderer:
        return renderer.render(chunks, force=force)


def _render(
    plan: Plan, state: RenderState, outputs: io.FrameSequence, todo: Sequence[int], report: Report
) -> Iterator[Event]:
    """Yield an event for each frame once it is on disk."""
    writer = ThreadPoolExecutor(1, "write")
    writing: list[tuple[Event, Future[None]]] = []
    try:
        clock = time.monotonic()
        for number in todo:
            made = make_output_frame(plan, state, number)
            if made.note:
                report(Event(kind="note", text=made.note))
            job = writer.submit(
                io.write_frame,
                made.frame,
                made.rgb,
                outputs.path(number),
                attributes=provenance(plan, [layer.engine for layer in state.layers], number),
                layers=made.layers,
            )
            now = time.monotonic()
            event = Event(
                kind="frame", frame=number, status="rendered", seconds=now - clock, cover=made.cover, covers=made.covers
            )
            writing.append((event, job))
            clock = now
            while writing and (len(writing) > WRITE_BEHIND_FRAMES or writing[0][1].done()):
                yield _written(writing)
        while writing:
            yield _written(writing)
    finally:
        writer.shutdown(wait=True, cancel_futures=True)


def _written(writing: list[tuple[Event, Future[None]]]) -> Event:
    event, job = writing.pop(0)
    job.result()
    return event
