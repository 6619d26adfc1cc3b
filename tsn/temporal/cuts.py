"""Camera cuts: where nothing of one frame is found again in the next, so that no paint may be carried across.

A cut is decided from the two frames beside it alone, so that a chunk finds the cuts that the whole shot finds.

Neither colour nor change tells a cut from a flash, a whip pan or a dissolve. Correspondence does: after a whip
pan most of the picture is still somewhere, under a flash every edge is still in its place, a step of a dissolve
changes little. Two searches look for it, and the better one counts:

- one shift of the whole picture, by phase correlation (Kuglin, Hines 1975): whatever the distance, the blur
  or the exposure, for it reads phases only;
- dense flow (DIS): zooms, turns, parallax, objects; judged by the local correlation of the warped picture, which
  no change of exposure touches, and by flow there and back agreeing.

A burnt-in slate or black bars are found again across any cut: about one cut in twenty is missed under them, and one
in five where both sides of the cut come from one and the same picture.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.dis import estimate, luma8
from tsn.flow.warp import consistent, in_frame, warp

THUMBNAIL_LONG_SIDE_PX = 160
"""Frames are compared at this size: details below it say nothing more about a cut, and grain is averaged away."""

THRESHOLD = 0.5
# On 2,500 labelled pairs (CG shots; photographs with cuts, whip pans, zooms, flashes, dissolves, grain) cuts have a
# phase peak of 5 to 20 standard deviations and a dense match under 0.35, anything else more of either or both.
# Each is scaled to 0.5 at that border.
PEAK_SCALE = 44.0
DENSE_SCALE = 0.75
FLAT_CONTRAST = 0.01
FLAT_STEP = 0.5
VISIBLE_CHANGE = 0.01


def is_cut(a: Tensor, b: Tensor) -> bool:
    """True where a camera cut lies between frame a and its follower b. A pure function of the two."""
    return cut_score(a, b) > THRESHOLD


def cut_score(a: Tensor, b: Tensor) -> float:
    """How little of frame a is found again in its follower b, from 0 (all of it) to 1 (nothing).

    Args:
        a, b: style space, (3, H, W) in [0, 1], of one size. Any size; they are compared at 160 pixels.
    """
    first, second = cut_thumbnail(a), cut_thumbnail(b)
    # Statistics in numpy: torch parts a sum among its threads, and their number would show in the last bits.
    pixels, others = first.numpy(), second.numpy()
    if max(image.std(axis=(1, 2)).max() for image in (pixels, others)) < FLAT_CONTRAST:
        # Nothing to find again in two even frames: only a jump of tone separates them.
        step = np.abs(pixels.mean(axis=(1, 2)) - others.mean(axis=(1, 2))).max()
        return min(1.0, float(step) / FLAT_STEP)
    # Two black frames with grain have nothing in common, but nobody sees a cut there either.
    seen = min(1.0, float(np.abs(pixels - others).mean()) / VISIBLE_CHANGE)
    one, other = luma8(first), luma8(second)
    rigid = phase_peak(one, other) / PEAK_SCALE
    if rigid >= 1:
        return 0.0
    dense = dense_match(first, second, estimate(one, other), estimate(other, one)) / DENSE_SCALE
    return seen * (1 - min(1.0, max(rigid, dense)))


def find_cuts(images: Sequence[Tensor]) -> tuple[int, ...]:
    """Indices of the images that begin a new take: i where a cut lies between images i - 1 and i."""
    return tuple(i for i in range(1, len(images)) if is_cut(images[i - 1], images[i]))


def split_at_cuts(frames: Sequence[int], cuts: Collection[int]) -> list[tuple[int, ...]]:
    """The frames of a shot, parted at its cuts.

    Args:
        frames: frame numbers in order.
        cuts: frame numbers that begin a new take. One that is not among the frames parts them all the same, at
            the next frame there is.
    """
    parts: list[list[int]] = []
    for frame in frames:
        if not parts or any(parts[-1][-1] < cut <= frame for cut in cuts):
            parts.append([])
        parts[-1].append(frame)
    return [tuple(part) for part in parts]


def cut_thumbnail(image: Tensor) -> Tensor:
    """The image (3, H, W) on the CPU with its long side at 160 pixels, by area."""
    _, height, width = image.shape
    factor = THUMBNAIL_LONG_SIDE_PX / max(height, width)
    size = max(8, round(height * factor)), max(8, round(width * factor))
    return F.interpolate(image.float().cpu()[None], size=size, mode="area")[0]


def phase_peak(first: np.ndarray, second: np.ndarray) -> float:
    """Height of the phase correlation's peak, in its own standard deviations, of two uint8 pictures (H, W).

    The pictures are padded to twice their size, so that no shift wraps around.
    """
    height, width = first.shape
    padded = 2 * height, 2 * width
    spectra = [np.fft.rfft2(_edges(image), padded) for image in (first, second)]
    cross = np.conj(spectra[0]) * spectra[1]
    phase = cross / (np.abs(cross) + 1e-6)
    # A Gaussian of one pixel: the shift is seldom a whole pixel, nor the same everywhere.
    y, x = np.fft.fftfreq(padded[0])[:, None], np.fft.rfftfreq(padded[1])[None]
    correlation = np.fft.irfft2(phase * np.exp(-2 * np.pi**2 * (x * x + y * y)), padded)
    return float(correlation.max() / max(float(correlation.std()), 1e-12))


def dense_match(first: Tensor, second: Tensor, forward: Tensor, backward: Tensor) -> float:
    """Share of the pictures' structure that the flow finds again, in [0, 1], the worse of both directions.

    Structure is local variance. It counts as found where flow there and back agree, by the correlation of 9x9
    pixels with the warped other picture; what the flow carries out of the frame does not count.

    Args:
        first, second: (3, H, W) in [0, 1].
        forward, backward: flow first->second and second->first, (2, H, W).
    """

    def one_way(image: Tensor, other: Tensor, flow: Tensor, reverse: Tensor) -> float:
        seen = warp(other, flow)
        mean, seen_mean = _local_mean(image), _local_mean(seen)
        variance = (_local_mean(image * image) - mean * mean).clamp(min=0).sum(0)
        seen_variance = (_local_mean(seen * seen) - seen_mean * seen_mean).clamp(min=0).sum(0)
        covariance = (_local_mean(image * seen) - mean * seen_mean).sum(0)
        correlation = (covariance / (variance * seen_variance).sqrt().clamp(min=1e-4)).clamp(0, 1)
        weight = (variance + 1e-5) * in_frame(flow)[0]
        return float((correlation * consistent(flow, reverse)[0] * weight).sum() / weight.sum().clamp(min=1e-9))

    return min(one_way(first, second, forward, backward), one_way(second, first, backward, forward))


def _edges(image: np.ndarray) -> np.ndarray:
    """A uint8 picture less its surroundings (31x31), so that shading and vignettes do not correlate."""
    luma = torch.from_numpy(image).float()[None] / 255
    return (luma - _local_mean(luma, radius=15))[0].numpy()


def _local_mean(image: Tensor, radius: int = 4) -> Tensor:
    return F.avg_pool2d(image[None], 2 * radius + 1, 1, radius, count_include_pad=False)[0]
