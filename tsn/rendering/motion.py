"""Motion between neighbouring frames of a shot, which ends at cuts."""

from __future__ import annotations

import torch

from tsn.errors import InputError
from tsn.flow.base import Motion, View, motion_between
from tsn.rendering.engine import Engine
from tsn.rendering.plan import Plan
from tsn.temporal.cuts import is_cut


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


class SharedTakeMotion(TakeMotion):
    """The same, with the last pair kept for others that ask for it: window and keys go through a shot side by side."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        super().__init__(engine, plan)
        self._last_cut: tuple[tuple[int, int], bool] | None = None
        self._last_motion: tuple[tuple[int, int], Motion] | None = None

    def is_cut(self, before: View, view: View) -> bool:
        """As `TakeMotion.is_cut`, found once for a pair that is asked for twice in a row."""
        pair = before.number, view.number
        if self._last_cut is None or self._last_cut[0] != pair:
            self._last_cut = pair, super().is_cut(before, view)
        return self._last_cut[1]

    def motion(self, before: View, view: View, *, forward_only: bool = False) -> Motion:
        """As `TakeMotion.motion`, found once for a pair that is asked for twice in a row in both directions."""
        if forward_only:
            return super().motion(before, view, forward_only=True)
        pair = before.number, view.number
        if self._last_motion is None or self._last_motion[0] != pair:
            self._last_motion = pair, super().motion(before, view)
        return self._last_motion[1]
