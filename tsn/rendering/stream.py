"""The temporal window sliding over a shot: paint and motion of its frames, each computed once, then dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.flow.base import View
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.motion import TakeMotion
from tsn.rendering.plan import Plan
from tsn.temporal.disocclusion import MotionStep
from tsn.temporal.pipeline import WindowFrame, derive_window_frame, stabilise_paint


class Stream:
    """Stable paint, frame by frame, from the paint, texture energy and motion of the frames in its window.

    Memory does not grow with the length of the shot: at most 2K + 1 frames of paint and motion.

    Args:
        plan: its takes end the window; cuts inside a take are pinned, or found here unless the shot lists them.
        prepared: a function that reads and prepares the frame of a number.
        motion: cuts and motion, where other layers of the shot need them too.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        prepared: Callable[[int], PreparedFrame],
        motion: TakeMotion | None = None,
    ) -> None:
        self._engine, self._prepared = engine, prepared
        self._numbers = plan.plate.present
        self._place = {number: place for place, number in enumerate(self._numbers)}
        self._near = plan.window_of
        self._between = TakeMotion(engine, plan) if motion is None else motion
        self._radius = plan.shot.temporal.window
        self._painted: dict[int, WindowFrame] = {}
        self._motion: dict[int, MotionStep | None] = {}  # by the place of the first of two frames
        self._last: tuple[int, View] | None = None

    def painted(self, number: int) -> Tensor:
        """Stable paint of a frame, style space (3, H, W). Cheapest in ascending order.

        A jump computes the window anew, to the same bits: paint is made of one frame, and motion of two.
        """
        if self._radius == 0:
            return self._paint(self._prepared(number))
        for _ in self.slide(number):
            pass
        place = self._place[number]
        return stabilise_paint(
            self._run(place - 1, -1),
            self._run(place, 1),
            {other - place: frame for other, frame in self._painted.items()},
            radius=self._radius,
            detail=self._engine.shot.temporal.detail.at(number),
        )

    def _run(self, place: int, direction: int) -> list[MotionStep]:
        """Motion from frame to frame outwards from a place, as far as the take and the window reach."""
        run: list[MotionStep] = []
        while len(run) < self._radius and (motion := self._motion.get(place)) is not None:
            run.append(motion)
            place += direction
        return run

    def slide(self, number: int) -> Iterator[int]:
        """Make paint and motion of the frames around one available, and drop those before them.

        Yields:
            The number of each frame before it is painted, ascending.
        """
        if self._radius == 0:
            return
        near = self._near(number)
        first, last = self._place[near[0]], self._place[near[-1]]
        if self._last is None or first > self._last[0] + 1 or first not in self._painted:
            self._painted, self._motion, self._last = {}, {}, None
        self._painted = {place: frame for place, frame in self._painted.items() if place >= first}
        self._motion = {place: motion for place, motion in self._motion.items() if place >= first}
        start = first if self._last is None else self._last[0] + 1
        for place in range(start, last + 1):
            yield self._numbers[place]
            prepared = self._prepared(self._numbers[place])
            view = prepared.view
            self._painted[place] = derive_window_frame(prepared.picture, self._paint(prepared))
            if self._last is not None:
                before = self._last[1]
                cut = self._between.is_cut(before, view)
                self._motion[place - 1] = None if cut else self._between.step(before, view)
            self._last = (place, view)

    def _paint(self, prepared: PreparedFrame) -> Tensor:
        """The paint of a single frame. Raises InputError where it has NaN or Inf, which the window would spread."""
        paint = self._paint_unchecked(prepared)
        if not torch.isfinite(paint).all():
            raise InputError(
                f"Frame {prepared.view.number}: {self._engine.painter.name} painted what is no number.",
                hint="Its weights may overflow in half precision, or be damaged: export or download it again.",
            )
        return paint

    def _paint_unchecked(self, prepared: PreparedFrame) -> Tensor:
        engine = self._engine
        return engine.painter.paint(engine.painter_input(prepared), prepared.view.number)
