"""A picture that moves by a known amount, and a window of strokes over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
import torch

from tsn.flow.base import Motion
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.preset_file import find_preset
from tsn.strokes.stroke_window import StrokeWindow

HEIGHT, WIDTH, MARGIN = 72, 96, 48
DX, DY = 2, 1


@pytest.fixture(scope="session")
def views() -> Callable[[int], list[np.ndarray]]:
    """views(count): frames (3, 72, 96) of a picture that moves by (2, 1) pixels a frame."""

    def make(count: int) -> list[np.ndarray]:
        random = np.random.default_rng(3)
        size = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)
        world = np.zeros((size[1], size[0], 3), np.float32)
        for cells, weight in ((5, 0.5), (14, 0.35), (40, 0.15)):
            world += weight * cv2.resize(random.random((cells, cells, 3), dtype=np.float32), size)
        frames = []
        for i in range(count):
            y, x = MARGIN - DY * i, MARGIN - DX * i
            frames.append(np.ascontiguousarray(np.moveaxis(world[y : y + HEIGHT, x : x + WIDTH], 2, 0)))
        return frames

    return make


@pytest.fixture(scope="session")
def motion() -> Motion:
    """The true motion of `views`."""
    flow = torch.tensor([DX, DY]).float().view(2, 1, 1).expand(2, HEIGHT, WIDTH)
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    forward = ((x + DX < WIDTH) & (y + DY < HEIGHT)).float()[None]
    backward = ((x >= DX) & (y >= DY)).float()[None]
    return Motion(forward=flow, backward=-flow, visibility_forward=forward, visibility_backward=backward)


@pytest.fixture(scope="session")
def painted(motion: Motion) -> Callable[..., dict[int, np.ndarray]]:
    """painted(frames, radius, first=0, wanted=None): place -> paint, of a window that begins at frame `first`."""

    def paint(
        frames: Sequence[np.ndarray], radius: int, first: int = 0, wanted: Sequence[int] | None = None
    ) -> dict[int, np.ndarray]:
        window = StrokeWindow(find_preset("oil"), radius=radius, height=HEIGHT, width=WIDTH)
        found: dict[int, np.ndarray] = {}
        for place in range(first, len(frames)):
            frame = StrokeFrame(number=1001 + place, picture=frames[place])
            window.add(place, frame, motion if place > first else None)
            if place - radius >= first and (wanted is None or place - radius in wanted):
                found[place - radius] = window.paint(place - radius).colour
        return found

    return paint
