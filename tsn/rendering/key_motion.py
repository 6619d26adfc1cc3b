"""The keys of a shot carried to its frames: reads their motion, each stretch once, in any chunk to the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from tsn.flow.base import Motion, View
from tsn.flow.warp import warp
from tsn.keys.carry import CarriedKey, at_key, carry_on, half_size, paint_quality
from tsn.keys.choice import ShownKey, choose_paint
from tsn.keys.frame import Key
from tsn.keys.packed import PackedKey, pack, unpack
from tsn.keys.patch_ranks import patch_ranks
from tsn.keys.reach import REACH
from tsn.keys.silhouettes import close_thin_gaps
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.motion import TakeMotion
from tsn.rendering.plan import Plan

WHOLE_KEYS = 2
"""On each side of a frame keys count up to the second one that is painted all over: what these don't show, those beyond
them seldom do, and no frame should take longer the more keys a shot has."""
WHOLE_WEIGHT = 0.99
"""Least weight in a key that is painted all over."""


class KeyGuides:
    """Paint and confidence of the keys in each frame; a pure function of the frames between it and its keys.

    Cheapest in ascending order: what lies before a frame is carried on with it, frame by frame. What lies after it is
    carried back from the key once, when the key comes into reach, and kept in whole numbers (`tsn.keys.packed`): of UHD
    some 10 MB for each frame up to the key, 250 MB for a key at the end of the reach, of which there are two at most
    unless keys are painted in parts. Besides, each key takes 28 bytes a pixel: its paint, weight, ranks and motion.

    Args:
        plan: its takes end the motion; cuts inside a take are pinned, or found here unless the shot lists them.
        keys: frame -> key, at the size of the canvas; one is asked for where it comes into reach.
        prepared: a function that reads and prepares the frame of a number.
        between: the shot's motion, shared with who needs the same pairs.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        keys: Mapping[int, Key],
        prepared: Callable[[int], PreparedFrame],
        between: TakeMotion | None = None,
    ) -> None:
        self._prepared, self._numbers = prepared, plan.plate.present
        self._place = {number: place for place, number in enumerate(self._numbers)}
        self._take = {self._place[number]: index for index, take in enumerate(plan.takes) for number in take}
        self._between = between or TakeMotion(engine, plan)
        self._keys, self._key_places = keys, sorted(self._place[number] for number in keys)
        self._whole: dict[int, bool] = {}  # whether a key is painted all over
        self._ranks: dict[int, Tensor] = {}  # by the place of a key, as all below
        self._plates: dict[int, Tensor] = {}
        self._before: dict[int, tuple[int, CarriedKey | None]] = {}  # how far it was carried on; None behind a cut
        self._after: dict[int, dict[int, PackedKey | None]] = {}  # by the places before it
        self._views: dict[int, View] = {}  # the last one, and those beside it

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        """Paint (3, H, W) in [0, 1] and confidence (1, H, W) in [0, 1] of a frame."""
        return self._chosen(self._place[number], None)

    def carried_to(self, number: int, *, without: int) -> tuple[Tensor, Tensor]:
        """As `at`, as if the key of the number `without` were not painted: what the others show, to learn from."""
        return self._chosen(self._place[number], self._place[without])

    def _chosen(self, place: int, left_out: int | None) -> tuple[Tensor, Tensor]:
        near = self._near(place, left_out)
        carried = {key: at_key(self._key(key).paint) for key in near if key == place}
        # Back first: who shares the motion asks next for the pair that carrying on ends with.
        carried |= self._carry_back(place, [key for key in near if key > place])
        carried |= self._carry_on(place, [key for key in near if key < place])
        self._forget(place, near)
        picture = self._view(place).image
        shown = [self._shown(key, carried[key], picture) for key in near if key in carried]
        return choose_paint(shown, picture)

    def _key(self, place: int) -> Key:
        return self._keys[self._numbers[place]]

    def _is_whole(self, place: int) -> bool:
        if place not in self._whole:
            self._whole[place] = bool((self._key(place).weight >= WHOLE_WEIGHT).all())
        return self._whole[place]

    def _near(self, place: int, left_out: int | None) -> list[int]:
        """The keys that count in a frame, ascending."""
        keys = [key for key in self._key_places if key != left_out and self._take[key] == self._take[place]]
        found = [key for key in keys if key == place]
        for side in ([key for key in keys if key > place], [key for key in reversed(keys) if key < place]):
            whole = 0
            for key in side:
                if abs(key - place) < REACH and whole < WHOLE_KEYS:
                    found.append(key)
                    whole += self._is_whole(key)
        return sorted(found)

    def _carry_on(self, place: int, keys: Sequence[int]) -> dict[int, CarriedKey]:
        """The keys before a frame, carried to it."""
        for key in keys:
            if key not in self._before or self._before[key][0] > place:
                self._before[key] = key, at_key(self._key(key).paint)
        start = min((self._before[key][0] for key in keys), default=place)
        for there in range(start + 1, place + 1):
            behind = [key for key in keys if self._before[key][0] == there - 1]
            motion = self._motion(there) if any(self._before[key][1] for key in behind) else None
            for key in behind:
                carried = self._before[key][1]
                further = None if carried is None or motion is None else carry_on(carried, motion, 1)
                self._before[key] = there, further
        return {key: carried for key in keys if (carried := self._before[key][1]) is not None}

    def _carry_back(self, place: int, keys: Sequence[int]) -> dict[int, CarriedKey]:
        """The keys after a frame, carried to it."""
        new = {key: at_key(self._key(key).paint) for key in keys if place not in self._after.get(key, {})}
        tips: dict[int, CarriedKey | None] = dict(new)
        self._after |= {key: {} for key in new}
        for there in range(max(new, default=place) - 1, place - 1, -1):
            ahead = [key for key in new if key > there]
            motion = self._motion(there + 1, forward_only=True) if any(tips[key] for key in ahead) else None
            for key in ahead:
                tip = tips[key]
                tips[key] = further = None if tip is None or motion is None else carry_on(tip, motion, -1)
                self._after[key][there] = None if further is None else pack(further)
        return {key: unpack(packed) for key in keys if (packed := self._after[key][place]) is not None}

    def _forget(self, place: int, near: Sequence[int]) -> None:
        """Drop what no frame from here on needs."""
        self._before = {key: state for key, state in self._before.items() if key in near}
        self._after = {
            key: {there: packed for there, packed in kept.items() if there >= place}
            for key, kept in self._after.items()
            if key > place
        }
        for kept in (self._ranks, self._plates):
            for key in [key for key in kept if key not in near and abs(key - place) > REACH]:
                del kept[key]

    def _shown(self, place: int, carried: CarriedKey, plate: Tensor) -> ShownKey:
        """A key as the frame shows it to which it was carried."""
        key = self._key(place)
        if place not in self._ranks:
            self._ranks[place] = patch_ranks(key.number, key.paint)
        if place not in self._plates:
            self._plates[place] = half_size(self._view(place).image)
        if not carried.distance:
            return ShownKey(paint=key.paint, ranks=self._ranks[place], quality=key.weight, distance=0)
        carried = close_thin_gaps(carried, plate)
        weight, ranks = warp(torch.cat([key.weight, self._ranks[place]]), carried.flow).split(1)
        return ShownKey(
            paint=warp(key.paint, carried.flow, mode="bicubic").clamp(0, 1),
            ranks=ranks,
            quality=weight * paint_quality(carried, half_size(plate), self._plates[place]),
            distance=carried.distance,
        )

    def _motion(self, place: int, *, forward_only: bool = False) -> Motion | None:
        """Motion from the frame before a place to the one there; None across a cut."""
        before, view = self._view(place - 1), self._view(place)
        if self._between.is_cut(before, view):
            return None
        return self._between.motion(before, view, forward_only=forward_only)

    def _view(self, place: int) -> View:
        """The frame of a place, kept while its neighbours are asked for. Keys' plates are kept small."""
        if place not in self._views:
            view = self._prepared(self._numbers[place]).view
            self._views = {there: other for there, other in self._views.items() if abs(there - place) == 1}
            self._views[place] = view
            if place in self._key_places and place not in self._plates:
                self._plates[place] = half_size(view.image)
        return self._views[place]
