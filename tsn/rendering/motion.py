"""Motion between neighbouring frames of a shot, which ends at cuts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

from tsn.errors import InputError
from tsn.flow.base import Motion, View, motion_between
from tsn.rendering.engine import Engine
from tsn.rendering.plan import Plan
from tsn.temporal.cuts import is_cut
from tsn.temporal.disocclusion import MotionStep, derive_step


class TakeMotion:
    """Cuts of a shot, and the motion between frames that no cut divides.

    Args:
        plan: its takes end the motion; cuts inside a take are pinned, or found here unless the shot lists them.
    """

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self._flow = engine.flow
        self._starts = {run[0] for run in plan.takes}
        pinned = None if plan.pins is None else plan.pins.cuts
        self._starts.update(pinned or ())
        self._find_cuts = plan.shot.temporal.cuts == "auto" and pinned is None

    def is_cut(self, before: View, view: View) -> bool:
        """Whether a take starts at `view`, which follows `before`; a gap counts as a cut."""
        return view.number in self._starts or (self._find_cuts and is_cut(before.image, view.image))

    def motion(self, before: View, view: View, *, forward_only: bool = False) -> Motion:
        """Motion between a frame and the next. Raises InputError where it has NaN or Inf.

        Args:
            forward_only: see `motion_between`.
        """
        motion = motion_between(self._flow, before, view, forward_only=forward_only)
        if not (torch.isfinite(motion.forward).all() and torch.isfinite(motion.backward).all()):
            raise InputError(
                f"Frames {before.number} to {view.number}: {self._flow.name} found motion that is no number.",
                hint="Take flow.method: dis, or other weights.",
            )
        return motion

    def step(self, before: View, view: View) -> MotionStep:
        """Motion between a frame and the next, and what the window's passes derive from it. Raises as `motion`."""
        return derive_step(self.motion(before, view))


class SharedMotion(TakeMotion):
    """The same for several that ask: the layers of a shot, or window and keys. Each pair of frames is looked at once.

    Args:
        pairs: the number of pairs whose motion is kept, 24 bytes a pixel each, or 29 with what is derived from it. The
            layer with the longest window asks first, and one with a window shorter by n frames asks n pairs later.
    """

    def __init__(self, engine: Engine, plan: Plan, *, pairs: int) -> None:
        super().__init__(engine, plan)
        self._pairs = pairs
        self._found: OrderedDict[tuple[int, int], dict[str, Any]] = OrderedDict()

    def is_cut(self, before: View, view: View) -> bool:
        """See `TakeMotion.is_cut`."""
        cut: bool = self._once("cut", super().is_cut, before, view)
        return cut

    def motion(self, before: View, view: View, *, forward_only: bool = False) -> Motion:
        """See `TakeMotion.motion`; in one direction it is not kept."""
        if forward_only:
            return super().motion(before, view, forward_only=True)
        motion: Motion = self._once("motion", super().motion, before, view)
        return motion

    def step(self, before: View, view: View) -> MotionStep:
        """See `TakeMotion.step`."""
        step: MotionStep = self._once("step", super().step, before, view)
        return step

    def _once(self, what: str, find: Callable[[View, View], Any], before: View, view: View) -> Any:
        pair = before.number, view.number
        found = self._found.setdefault(pair, {})
        if what not in found:
            found[what] = find(before, view)
        while len(self._found) > self._pairs:
            self._found.popitem(last=False)
        return found[what]
