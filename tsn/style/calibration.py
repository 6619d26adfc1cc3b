"""Which frames a survey looks at, and how much of each.

A survey takes the instance-norm statistics that the whole shot is painted with. They must be those of
frames at the size they are painted, since a smaller picture has other edges per pixel; and they must be
those of the whole picture at every layer, since a crop of sky normalised by itself blows its noise up.
And something must be seen: of a black frame (a fade, an element that enters late) every variance is 0, and a net that
is locked to their mean shouts louder layer by layer. With three of five frames black, nothing of the picture was left.

Void is not looked at: an element must not change its colours with the size of the data window around it. So a picture
may have a fourth channel, how much each pixel counts (`tsn.alpha.statistics_weight`), and only the box that holds
something is taken of it. Then the very same picture is surveyed, to the bit, whatever the window. In pictures of three
channels every pixel counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.determinism import one_thread

MAX_PIXELS = 2**22
"""Pixels of one frame that a survey looks at: HD and 2K whole, half of UHD. Normalising takes about 0.5 kB
a pixel in a width-16 net, so 2 GB at this size; UHD whole would take 4 GB, 8K 16 GB."""

GRID_CELLS = 3
"""Cells to each side. Measured on five photos, half of each kept, as the painting's mean distance from one by
whole-frame statistics: 2 x 2 0.027, 3 x 3 0.012, 4 x 4 0.016, 6 x 6 0.015 (more seams). For comparison: the
photo at half its size 0.026, the averaged statistics of a centre and four corner crops 0.096."""

MIN_CONTRAST = 1 / 255
"""Standard deviation in style space up to which a frame shows nothing."""
MIN_CHANNEL_CONTRAST = 1e-5
"""The same of each channel by itself: of one colour all over, no net has anything to normalise either."""
MIN_PIXELS = 64
"""Pixels: with fewer, hardly anything is left at a quarter of the size, and normalised it is noise."""
NOISE_SIDE_PX, NOISE_CELLS_PX = 256, (128, 64, 32, 16, 8, 4)


def usable_frames(images: Iterable[Tensor]) -> Iterator[Tensor]:
    """The frames in which there is something to see; where there is none, `anything` in their place.

    Args:
        images: (3, H, W), or (4, H, W) with how much each pixel counts.
    """
    image, found = None, False
    for image in images:
        if _pixels(image) >= MIN_PIXELS and _varies(image):
            found = True
            yield image
    if image is not None and not found:
        yield natural_noise().to(image.device)


def coverage_of(image: Tensor) -> Tensor | None:
    """How much each pixel counts, (1, H, W); None where all do."""
    return image[3:] if len(image) > 3 else None


def mirror_into_void(image: Tensor, cover: Tensor) -> Tensor:
    """The picture (3, H, W) without void around: the box that holds something, mirrored at its sides to fill it.

    For nets that normalise each frame by itself, whatever it shows. Nothing of the box moves or changes its size.
    """
    boxes = [_held(_profile(cover, axis=axis)) for axis in (1, 0)]
    if any(box.start == box.stop for box in boxes):
        return image
    for axis, box in zip((-2, -1), boxes, strict=True):
        length = box.stop - box.start
        away = (torch.arange(image.shape[axis], device=image.device) - box.start) % max(2 * length - 2, 1)
        image = image.index_select(axis, box.start + torch.where(away < length, away, 2 * length - 2 - away))
    return image


def _pixels(image: Tensor) -> float:
    """Those that count."""
    cover = coverage_of(image)
    return image[0].numel() if cover is None else float(_profile(cover, axis=1).sum())


def _varies(image: Tensor) -> bool:
    """In double, or the number of threads might decide."""
    colours, cover = image[:3].double(), coverage_of(image)
    if cover is None:
        spread, each = colours.std(correction=0), colours.std((1, 2), correction=0)
    else:
        with one_thread():
            weight = cover.double() / cover.double().sum()
            mean = (colours * weight).sum((1, 2))
            square = (colours.square() * weight).sum((1, 2))
        each = (square - mean.square()).clamp(min=0).sqrt()
        spread = (square.mean() - mean.mean().square()).clamp(min=0).sqrt()
    return bool(spread > MIN_CONTRAST) and bool(each.max() > MIN_CHANNEL_CONTRAST)


@cache
@torch.inference_mode(False)
def natural_noise() -> Tensor:
    """A picture of nothing in particular, (3, 256, 256): as much variation in each octave, most of it light, as in
    photos (Field, "Relations between the statistics of natural images ...", 1987)."""
    draw = torch.Generator().manual_seed(1)
    picture = torch.full((1, 3, NOISE_SIDE_PX, NOISE_SIDE_PX), 0.45)
    with one_thread():
        for cell in NOISE_CELLS_PX:
            light, colours = (
                torch.rand(1, n, NOISE_SIDE_PX // cell, NOISE_SIDE_PX // cell, generator=draw) - 0.5 for n in (1, 3)
            )
            picture += F.interpolate(0.3 * light + 0.1 * colours, size=(NOISE_SIDE_PX, NOISE_SIDE_PX), mode="bicubic")
    return picture.clamp(0, 1)[0]


def crop_mosaic(image: Tensor, *, stride: int, limit: int = MAX_PIXELS) -> Tensor:
    """A picture of about `limit` pixels with the statistics of `image`, at the same scale.

    A larger image is cut into 3 x 3 cells, and the middles of the cells are put together into one picture.
    So every region of the frame counts by its area, as it would in the whole frame, and the net normalises
    each layer over all of them at once; averaging the statistics of separate crops would not do (see above).
    What it costs is two seams each way, a few pixels wide.

    Windows begin at multiples of `stride`, so that a texture meets the net's averages as in the whole frame.

    Where not every pixel counts, the box that holds something is cut, into cells that hold as much as each other.

    Args:
        image: (3, H, W), or (4, H, W) with how much each pixel counts.
        stride: of the net.
        limit: pixels.
    """
    cover = coverage_of(image)
    if cover is not None:
        image = image[:, _held(_profile(cover, axis=1)), _held(_profile(cover, axis=0))]
        cover = coverage_of(image)
    height, width = image.shape[-2:]
    if height * width <= limit:
        return image
    kept = math.sqrt(limit / (height * width))
    if cover is None:
        rows, columns = (_windows(size, kept, stride) for size in (height, width))
    else:
        rows, columns = (_windows_by(_profile(cover, axis=axis), kept, stride) for axis in (1, 0))
    return torch.cat([torch.cat([image[:, r, c] for c in columns], dim=-1) for r in rows], dim=-2)


def _windows(size: int, kept: float, stride: int) -> list[slice]:
    """The middle part of each of `GRID` equal cells along one axis, `kept` of it in multiples of `stride`."""
    length = max(stride, int(size / GRID_CELLS * kept) // stride * stride)
    starts = [int((cell + 0.5) * size / GRID_CELLS - length / 2) // stride * stride for cell in range(GRID_CELLS)]
    return [slice(start, start + length) for start in starts]


def _windows_by(profile: np.ndarray, kept: float, stride: int) -> list[slice]:
    """As `_windows`, around the middles of cells that hold as much as each other; none overlaps another.

    Args:
        profile: how much each line holds.
    """
    size = len(profile)
    length = max(stride, int(size / GRID_CELLS * kept) // stride * stride)
    held = np.cumsum(profile)
    starts: list[int] = []
    for cell in range(GRID_CELLS):
        middle = int(np.searchsorted(held, (cell + 0.5) / GRID_CELLS * held[-1]))
        first = starts[-1] + length if starts else 0
        last = (size - (GRID_CELLS - cell) * length) // stride * stride
        starts.append(min(max(first, (middle - length // 2) // stride * stride), last))
    return [slice(start, start + length) for start in starts]


def _profile(cover: Tensor, *, axis: int) -> np.ndarray:
    """How much each row (axis 1) or column (axis 0) of (1, H, W) holds; in numpy, whose sums know one order."""
    return np.asarray(cover[0].double().cpu().numpy().sum(axis=axis))


def _held(profile: np.ndarray) -> slice:
    """From the first to the last line that holds anything; nothing where none does."""
    lines = np.flatnonzero(profile)
    return slice(int(lines[0]), int(lines[-1]) + 1) if len(lines) else slice(0, 0)
