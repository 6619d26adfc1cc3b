"""Which frames a survey looks at, and how much of each.

A survey takes the instance-norm statistics that the whole shot is painted with. They must be those of
frames at the size they are painted, since a smaller picture has other edges per pixel; and they must be
those of the whole picture at every layer, since a crop of sky normalised by itself blows its noise up.
And something must be seen: of a black frame (a fade, an element that enters late) every variance is 0, and a net that
is locked to their mean shouts louder layer by layer. With three of five frames black, nothing of the picture was left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.palette import one_thread

PIXEL_LIMIT = 2**22
"""Pixels of one frame that a survey looks at: HD and 2K whole, half of UHD. Normalising takes about 0.5 kB
a pixel in a width-16 net, so 2 GB at this size; UHD whole would take 4 GB, 8K 16 GB."""

GRID = 3
"""Cells to each side. Measured on five photos, half of each kept, as the painting's mean distance from one by
whole-frame statistics: 2 x 2 0.027, 3 x 3 0.012, 4 x 4 0.016, 6 x 6 0.015 (more seams). For comparison: the
photo at half its size 0.026, the averaged statistics of a centre and four corner crops 0.096."""

EVEN = 1 / 255
"""Standard deviation in style space up to which a frame shows nothing."""
SIDE, CELLS = 256, (128, 64, 32, 16, 8, 4)


def shows(images: Iterable[Tensor]) -> Iterator[Tensor]:
    """The frames (3, H, W) in which there is something to see; where there is none, `anything` in their place."""
    image, found = None, False
    for image in images:
        if image.double().std(correction=0) > EVEN:  # in double, or the number of threads might decide
            found = True
            yield image
    if image is not None and not found:
        yield anything().to(image.device)


@cache
@torch.inference_mode(False)
def anything() -> Tensor:
    """A picture of nothing in particular, (3, 256, 256): as much variation in each octave, most of it light, as in
    photos (Field, "Relations between the statistics of natural images ...", 1987)."""
    draw = torch.Generator().manual_seed(1)
    picture = torch.full((1, 3, SIDE, SIDE), 0.45)
    with one_thread():
        for cell in CELLS:
            light, colours = (torch.rand(1, n, SIDE // cell, SIDE // cell, generator=draw) - 0.5 for n in (1, 3))
            picture += F.interpolate(0.3 * light + 0.1 * colours, size=(SIDE, SIDE), mode="bicubic")
    return picture.clamp(0, 1)[0]


def mosaic(image: Tensor, *, stride: int, limit: int = PIXEL_LIMIT) -> Tensor:
    """A picture of about `limit` pixels with the statistics of `image` (3, H, W), at the same scale.

    A larger image is cut into 3 x 3 cells, and the middles of the cells are put together into one picture.
    So every region of the frame counts by its area, as it would in the whole frame, and the net normalises
    each layer over all of them at once; averaging the statistics of separate crops would not do (see above).
    What it costs is two seams each way, a few pixels wide.

    Windows begin at multiples of `stride`, so that a texture meets the net's averages as in the whole frame.
    """
    height, width = image.shape[-2:]
    if height * width <= limit:
        return image
    kept = math.sqrt(limit / (height * width))
    rows, columns = (_windows(size, kept, stride) for size in (height, width))
    return torch.cat([torch.cat([image[:, r, c] for c in columns], dim=-1) for r in rows], dim=-2)


def _windows(size: int, kept: float, stride: int) -> list[slice]:
    """The middle part of each of `GRID` equal cells along one axis, `kept` of it in multiples of `stride`."""
    length = max(stride, int(size / GRID * kept) // stride * stride)
    starts = [int((cell + 0.5) * size / GRID - length / 2) // stride * stride for cell in range(GRID)]
    return [slice(start, start + length) for start in starts]
