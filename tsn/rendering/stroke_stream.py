"""The window of strokes sliding over a shot: each frame's guides, births and motion once, then dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tsn.flow.base import View
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.motion import TakeMotion
from tsn.rendering.plan import Plan, longest_hold
from tsn.strokes.frame import StrokeFrame, StrokePaint
from tsn.strokes.painter import StrokePainter
from tsn.strokes.stroke_window import StrokeWindow


class StrokeStream:
    """Strokes, frame by frame, a pure function of the frames in the window of each.

    Args:
        plan: its takes end the window; cuts inside a take are pinned, or found here unless the shot lists them.
        prepared: a function that reads and prepares the frame of a number.
        motion: cuts and motion, where other layers of the shot need them too.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        prepared: Callable[[int], tuple[PreparedFrame, StrokeFrame]],
        motion: TakeMotion | None = None,
    ) -> None:
        self._engine, self._plan, self._prepared = engine, plan, prepared
        self._numbers = plan.plate.present
        self._place = {number: place for place, number in enumerate(self._numbers)}
        self._radius = plan.shot.temporal.window
        painter = engine.painter
        assert isinstance(painter, StrokePainter)
        self._painter, self._transparent = painter, painter.preset.ground == "none"
        self._between = TakeMotion(engine, plan) if motion is None else motion
        self._window: StrokeWindow | None = None
        self._added = range(0)  # places in the window
        self._takes: dict[int, bool] = {}  # whether a place in the window is the first after a cut
        self._last: View | None = None
        self._painted: tuple[int, StrokePaint] | None = None

    def painted(self, number: int) -> Tensor:
        """The strokes of a frame, style space (3, H, W). Cheapest in ascending order; a jump starts anew."""
        return torch.from_numpy(self.paint(number).colour).to(self._engine.device)

    def coverage(self, number: int) -> Tensor | None:
        """The share of each pixel that strokes hide, (1, H, W), where nothing lies under them; else None."""
        if not self._transparent:
            return None
        return torch.from_numpy(self.paint(number).coverage)[None].to(self._engine.device)

    def paint(self, number: int) -> StrokePaint:
        """The strokes of a frame with their layers."""
        for _ in self.slide(number):
            pass
        shown, own = self._place[self._plan.held(number)], self._place[number]
        shown = max([shown, *(place for place in range(shown + 1, own + 1) if self._takes[place])])
        if self._painted is None or self._painted[0] != shown:
            assert self._window is not None
            self._painted = shown, self._window.paint(shown)
        return self._painted[1]

    def slide(self, number: int) -> Iterator[int]:
        """Add the frames around one to the window; start anew where it doesn't begin at the first of them or before.

        Yields:
            The number of each frame before it is added, ascending.
        """
        near = self._plan.window_of(number)
        first, last = self._place[near[0]], self._place[near[-1]]
        joined = self._window is not None and self._added.start <= first <= self._added.stop
        if not joined or last + 1 < self._added.stop:
            self._window, self._last, self._painted = None, None, None
            self._added, self._takes = range(first, first), {}
        for place in range(self._added.stop, last + 1):
            yield self._numbers[place]
            prepared, frame = self._prepared(self._numbers[place])
            self._window = self._window or self._start()
            view = prepared.view
            cut = self._last is None or self._between.is_cut(self._last, view)
            motion = None
            if not cut and self._radius:
                assert self._last is not None
                motion = self._between.motion(self._last, view)
            self._window.add(place, frame, motion)
            self._takes[place] = cut
            self._last = view
        self._added = range(self._added.start, last + 1)

    def _start(self) -> StrokeWindow:
        canvas, display = self._engine.canvas, self._engine.display_window
        return self._painter.window(
            radius=self._radius,
            height=canvas.height,
            width=canvas.width,
            lines=display.height,
            origin=(canvas.x - display.x, canvas.y - display.y),
            held=longest_hold(self._plan.shot) - 1,
        )
