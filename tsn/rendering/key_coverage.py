"""Coverage of a shot by its keys: reads the whole plate once, small, and finds what no key shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn import frames as ranges
from tsn import io, matte
from tsn.cpu_quota import thread_count
from tsn.determinism import one_thread
from tsn.errors import at_frame
from tsn.flow.base import Motion, RenderedVectors, View
from tsn.flow.dis import DisSource
from tsn.flow.vectors import VectorSource
from tsn.flow.warp import visibility
from tsn.keys.coverage import (
    LONG_SIDE_PX,
    SmallFrame,
    Suggestion,
    choose_keys,
    missing_in,
    missing_shares,
    shown_from,
    suggest_keys,
)
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.rendering.motion import TakeMotion
from tsn.rendering.plan import Plan

CANDIDATES = 24
"""Frames, evenly spaced over a shot, among which keys are chosen."""
MAIN_OBJECT = 0.4
"""Share of what is missing that an object must hold to be named."""
BATCH_FRAMES = 16
"""Read and made small at the same time."""


@dataclass(frozen=True, kw_only=True)
class ShotCoverage:
    """A shot as coverage sees it: 0.5 MB a frame.

    Attributes:
        frames: all plate frames, small, with the motion between them.
    """

    frames: tuple[SmallFrame, ...]

    def choose(self) -> tuple[int, ...]:
        """Numbers of the fewest frames that show the shot; painted, they make good keys."""
        return tuple(self.frames[place].number for place in choose_keys(self.frames, self._candidates))

    def missing(self, keys: Sequence[int], weights: Mapping[int, Tensor] | None = None) -> dict[int, float]:
        """Frame -> the share of it that none of the keys shows, in [0, 1].

        Args:
            keys: numbers of plate frames.
            weights: of keys that are painted in parts, where they are, (1, H, W) in [0, 1] on the canvas.
        """
        missing = missing_in(self._shown(keys, weights or {}), self.frames)
        shares = missing_shares(missing, self.frames)
        return {frame.number: share for frame, share in zip(self.frames, shares, strict=True)}

    def suggest(self, keys: Sequence[int], weights: Mapping[int, Tensor] | None = None) -> tuple[Suggestion, ...]:
        """Frames that would help as keys beside those there are, the best first. Arguments as of `missing`."""
        return suggest_keys(self.frames, self._shown(keys, weights or {}), self._candidates)

    def _shown(self, keys: Sequence[int], weights: Mapping[int, Tensor]) -> list[dict[int, Tensor]]:
        place = {frame.number: index for index, frame in enumerate(self.frames)}
        small = {number: small_picture(weight) for number, weight in weights.items()}
        with torch.inference_mode(), one_thread():
            return [shown_from(self.frames, place[number], small.get(number)) for number in keys]

    @cached_property
    def _candidates(self) -> dict[int, dict[int, Tensor]]:
        places = ranges.sample_frames(range(len(self.frames)), CANDIDATES)
        with torch.inference_mode(), one_thread():
            return {place: shown_from(self.frames, place) for place in places}


def survey_coverage(engine: Engine, plan: Plan) -> ShotCoverage:
    """Look at all plate frames of a shot, each once. No paint is needed, and no painter.

    Raises:
        TsnError: a frame that can't be read.
    """
    with torch.inference_mode():
        return ShotCoverage(frames=tuple(_small_frames(engine, plan)))


def object_of(engine: Engine, plan: Plan, suggestion: Suggestion) -> str | None:
    """The object that holds most of what no key shows of a suggested frame, by the shot's Cryptomatte.

    None without Cryptomatte (`style.ids`, or that of the matte), or where no object holds enough of it.
    """
    shot = plan.shot
    layer = shot.style.ids or (shot.matte.cryptomatte if shot.matte is not None else None)
    if layer is None:
        return None
    path = io.FrameSequence.parse(shot.plate, base=Path()).path(suggestion.number)
    frame = engine.read(path, suggestion.number)
    with at_frame(frame.path, frame.number):
        ids = matte.dominant_ids(frame.channels, layer=layer, lossy=frame.lossy)
        names = matte.manifest(frame.channels, frame.header, layer=layer, folder=frame.path.parent).names
    on_canvas = io.place(ids[..., None], frame.data_window, engine.canvas)[..., 0].astype(np.int64)
    height, width = suggestion.mask.shape[-2:]
    rows, columns = (
        (np.arange(count) * 2 + 1) * side // (2 * count)
        for count, side in ((height, on_canvas.shape[0]), (width, on_canvas.shape[1]))
    )
    small, missing = on_canvas[np.ix_(rows, columns)], suggestion.mask[0].numpy()
    shares = {
        name: float(missing[small == number].sum()) / max(float(missing.sum()), 1e-6)
        for name, number in (names or {}).items()
    }
    name = max(shares, key=lambda name: shares[name], default=None)
    return name if name is not None and shares[name] >= MAIN_OBJECT else None


def _small_frames(engine: Engine, plan: Plan) -> Iterator[SmallFrame]:
    """The frames with their motion, in order."""
    between, source = TakeMotion(engine, plan), VectorSource(DisSource(), DisSource())
    before: View | None = None
    for view, cover in _small_views(engine, plan):
        cut = before is None or between.is_cut(before, view)
        motion = None if before is None or cut else _motion(source, before, view)
        yield SmallFrame(number=view.number, picture=view.image, cover=cover, motion=motion)
        before = view


def _small_views(engine: Engine, plan: Plan) -> Iterator[tuple[View, Tensor]]:
    """Each frame with its vectors, small, and how much its places count, (1, h, w)."""
    paths = io.FrameSequence.parse(plan.shot.plate, base=Path())

    def one(number: int) -> tuple[View, Tensor]:
        with torch.inference_mode():  # holds for one thread only
            frame = engine.read(paths.path(number), number)
            prepared = engine.prepare(frame)
            return _small_view(prepared), _small_cover(prepared, engine.matte_of(frame))

    numbers = plan.plate.present
    with ThreadPoolExecutor(thread_count()) as pool:
        for start in range(0, len(numbers), BATCH_FRAMES):
            yield from pool.map(one, numbers[start : start + BATCH_FRAMES])


def _small_view(prepared: PreparedFrame) -> View:
    view = prepared.view
    small = small_picture(view.image)
    known = view.vectors
    vectors = None
    if known is not None:
        vectors = RenderedVectors(
            to_previous=None if known.to_previous is None else _small_flow(known.to_previous, small),
            to_next=None if known.to_next is None else _small_flow(known.to_next, small),
            valid=_nearest(known.valid, small),
        )
    return View(number=view.number, image=small, vectors=vectors)


def _small_cover(prepared: PreparedFrame, painted: Tensor | None) -> Tensor:
    cover = torch.ones_like(prepared.view.image[:1]) if prepared.cover is None else prepared.cover
    return small_picture(cover if painted is None else cover * painted).cpu()


def small_picture(picture: Tensor) -> Tensor:
    """(C, H, W) on the CPU with its longer side at `LONG_SIDE_PX`, by area; no larger than it is."""
    height, width = picture.shape[-2:]
    factor = min(1.0, LONG_SIDE_PX / max(height, width))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return F.interpolate(picture.float().cpu()[None], size=size, mode="area")[0]


def _small_flow(flow: Tensor, like: Tensor) -> Tensor:
    """A flow at the size of a small picture: single pixels' motions, since means would mix two surfaces."""
    ratio = flow.new_tensor([like.shape[-1] / flow.shape[-1], like.shape[-2] / flow.shape[-2]]).view(2, 1, 1)
    return _nearest(flow * ratio, like)


def _nearest(field: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(field.cpu()[None], size=like.shape[-2:], mode="nearest-exact")[0]


def _motion(source: VectorSource, a: View, b: View) -> Motion:
    """Motion of small frames; where a place is not found again by the way back, it counts as hidden."""
    forward, backward = source.pair(a, b)
    return Motion(
        forward=forward,
        backward=backward,
        visibility_forward=visibility(forward, backward),
        visibility_backward=visibility(backward, forward),
    )
