"""Prepare the frames that a painter is calibrated on: which ones are used, and which part of each.

A calibration takes the instance-norm statistics with which the whole shot is painted. Three rules:

- Frames keep the size at which they are painted, since a smaller picture has more edges per pixel, and at every layer
  the statistics are those of the whole picture: a crop of sky that is normalised by itself amplifies its noise. Frames
  that are too large for memory become a mosaic of crops (`crop_mosaic`).
- Empty frames are left out (`usable_frames`). In a black frame (a fade, an element that enters late) every variance is
  0, and a net that is frozen at a mean with such frames amplifies the picture from layer to layer. With three of five
  frames black, nothing of the picture was left.
- Void does not count: the colours of an element must not depend on the size of the data window around it. So an image
  may have a fourth channel, the coverage (`tsn.alpha.statistics_weight`): the weight of each pixel in [0, 1]. Only the
  box with coverage above 0 is used, which is the same to the bit whatever the data window. In an image of three
  channels all pixels have the same weight.
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
"""Pixels of one frame that a calibration uses: HD and 2K whole, half of UHD. A net of width 16 takes about 0.5 kB of
memory per pixel for normalisation: 2 GB at this size; UHD whole would take 4 GB, 8K 16 GB."""

GRID_CELLS = 3
"""Cells of a mosaic along each axis. Mean difference (style space) from a frame painted with the statistics of the
whole frame, on five photos of which half the pixels were used: 0.027 with 2 x 2 cells, 0.012 with 3 x 3, 0.016 with
4 x 4, 0.015 with 6 x 6 (more seams). For comparison: 0.026 with the photo at half size, 0.096 with the mean statistics
of a crop of the centre and four of the corners."""

MIN_CONTRAST = 1 / 255
"""Standard deviation over all pixels and channels (style space) up to which a frame is empty."""
MIN_CHANNEL_CONTRAST = 1e-5
"""The same within every channel: a frame of one flat colour is empty too, since nothing is left to normalise."""
MIN_PIXELS = 64
"""Frames with a smaller sum of coverage are empty: at 1/4 size hardly a pixel is left, and normalised it is noise."""
NOISE_SIDE_PX, NOISE_CELLS_PX = 256, (128, 64, 32, 16, 8, 4)
"""Side of `natural_noise`, and the cell sizes of its octaves."""


def usable_frames(images: Iterable[Tensor]) -> Iterator[Tensor]:
    """Leave out empty frames; if all are empty, yield `natural_noise` instead of them.

    Args:
        images: (3, H, W), or (4, H, W) with coverage.
    """
    image, any_usable = None, False
    for image in images:
        if _covered_pixels(image) >= MIN_PIXELS and _has_contrast(image):
            any_usable = True
            yield image
    if image is not None and not any_usable:
        yield natural_noise().to(image.device)


def coverage_of(image: Tensor) -> Tensor | None:
    """The coverage (1, H, W) of an image; None where it has three channels, and all pixels count."""
    return image[3:] if len(image) > 3 else None


def mirror_into_void(image: Tensor, coverage: Tensor) -> Tensor:
    """Fill the void around the box with coverage by mirroring the box at its sides.

    For nets that normalise each frame by itself. Pixels inside the box stay as they are.

    Args:
        image: (3, H, W).
        coverage: (1, H, W).

    Returns:
        (3, H, W); `image` itself where there is no coverage at all.
    """
    boxes = [_covered_span(_coverage_profile(coverage, axis=axis)) for axis in (1, 0)]
    if any(box.start == box.stop for box in boxes):
        return image
    for axis, box in zip((-2, -1), boxes, strict=True):
        length = box.stop - box.start
        offset = (torch.arange(image.shape[axis], device=image.device) - box.start) % max(2 * length - 2, 1)
        image = image.index_select(axis, box.start + torch.where(offset < length, offset, 2 * length - 2 - offset))
    return image


def _covered_pixels(image: Tensor) -> float:
    """Sum of the coverage; the number of pixels where all count."""
    coverage = coverage_of(image)
    return image[0].numel() if coverage is None else float(_coverage_profile(coverage, axis=1).sum())


def _has_contrast(image: Tensor) -> bool:
    """Whether a frame is not flat; computed in double, so that the number of threads does not decide."""
    colours, coverage = image[:3].double(), coverage_of(image)
    if coverage is None:
        deviation, by_channel = colours.std(correction=0), colours.std((1, 2), correction=0)
    else:
        with one_thread():
            weight = coverage.double() / coverage.double().sum()
            mean = (colours * weight).sum((1, 2))
            square = (colours.square() * weight).sum((1, 2))
        by_channel = (square - mean.square()).clamp(min=0).sqrt()
        deviation = (square.mean() - mean.mean().square()).clamp(min=0).sqrt()
    return bool(deviation > MIN_CONTRAST) and bool(by_channel.max() > MIN_CHANNEL_CONTRAST)


@cache
@torch.inference_mode(False)
def natural_noise() -> Tensor:
    """Noise with the statistics of photos, (3, 256, 256) in [0, 1], always the same.

    As in photos, each octave has the same contrast, most of it in luma (Field, "Relations between the statistics of
    natural images and the response properties of cortical cells", 1987).
    """
    generator = torch.Generator().manual_seed(1)
    picture = torch.full((1, 3, NOISE_SIDE_PX, NOISE_SIDE_PX), 0.45)
    with one_thread():
        for cell in NOISE_CELLS_PX:
            light, colours = (
                torch.rand(1, channels, NOISE_SIDE_PX // cell, NOISE_SIDE_PX // cell, generator=generator) - 0.5
                for channels in (1, 3)
            )
            picture += F.interpolate(0.3 * light + 0.1 * colours, size=(NOISE_SIDE_PX, NOISE_SIDE_PX), mode="bicubic")
    return picture.clamp(0, 1)[0]


def crop_mosaic(image: Tensor, *, stride: int, limit: int = MAX_PIXELS) -> Tensor:
    """Reduce an image to about `limit` pixels with the same statistics, at the same scale.

    A larger image is divided into 3 x 3 cells, and crops of the centres of the cells are joined to one picture. So
    every region of the frame has the weight of its area, and the net normalises each layer over all of them at once;
    mean statistics of separate crops are much worse (see `GRID_CELLS`). The cost is two seams along each axis, a few
    pixels wide.

    Crops begin at multiples of `stride`, so that the net's 2x2 means fall on the same pixels as in the whole frame.

    With coverage, the box with coverage above 0 is divided, into cells of equal coverage.

    Args:
        image: (3, H, W), or (4, H, W) with coverage.
        stride: of the net, pixels.
        limit: pixels.

    Returns:
        `image` itself, or its covered box, where that has no more than `limit` pixels.
    """
    coverage = coverage_of(image)
    if coverage is not None:
        rows, columns = (_covered_span(_coverage_profile(coverage, axis=axis)) for axis in (1, 0))
        image = image[:, rows, columns]
        coverage = coverage_of(image)
    height, width = image.shape[-2:]
    if height * width <= limit:
        return image
    kept = math.sqrt(limit / (height * width))
    if coverage is None:
        row_crops, column_crops = (_crops(size, kept, stride) for size in (height, width))
    else:
        profiles = (_coverage_profile(coverage, axis=axis) for axis in (1, 0))
        row_crops, column_crops = (_crops_by_coverage(profile, kept, stride) for profile in profiles)
    return torch.cat([torch.cat([image[:, r, c] for c in column_crops], dim=-1) for r in row_crops], dim=-2)


def _crops(size: int, kept: float, stride: int) -> list[slice]:
    """The central part of each of `GRID_CELLS` equal cells along one axis.

    Args:
        size: of the image along the axis, pixels.
        kept: length of a crop, as a share of its cell; rounded down to multiples of `stride`.
        stride: crops start at multiples of it.
    """
    length = max(stride, int(size / GRID_CELLS * kept) // stride * stride)
    starts = [int((cell + 0.5) * size / GRID_CELLS - length / 2) // stride * stride for cell in range(GRID_CELLS)]
    return [slice(start, start + length) for start in starts]


def _crops_by_coverage(profile: np.ndarray, kept: float, stride: int) -> list[slice]:
    """As `_crops`, but cells have equal coverage instead of equal size; crops do not overlap.

    Args:
        profile: sum of the coverage of each row or column.
    """
    size = len(profile)
    length = max(stride, int(size / GRID_CELLS * kept) // stride * stride)
    cumulative = np.cumsum(profile)
    starts: list[int] = []
    for cell in range(GRID_CELLS):
        middle = int(np.searchsorted(cumulative, (cell + 0.5) / GRID_CELLS * cumulative[-1]))
        first = starts[-1] + length if starts else 0
        last = (size - (GRID_CELLS - cell) * length) // stride * stride
        starts.append(min(max(first, (middle - length // 2) // stride * stride), last))
    return [slice(start, start + length) for start in starts]


def _coverage_profile(coverage: Tensor, *, axis: int) -> np.ndarray:
    """Sum of the coverage (1, H, W) of each row (axis 1) or column (axis 0).

    Computed by numpy, whose order of summation does not depend on the number of threads.
    """
    return np.asarray(coverage[0].double().cpu().numpy().sum(axis=axis))


def _covered_span(profile: np.ndarray) -> slice:
    """From the first to the last row or column with coverage; empty where there is none."""
    lines = np.flatnonzero(profile)
    return slice(int(lines[0]), int(lines[-1]) + 1) if len(lines) else slice(0, 0)
