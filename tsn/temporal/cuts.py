"""Camera cuts: where nothing of one frame is found again in the next, so that no paint may be carried across.

A cut is decided from the two frames beside it alone, so that a chunk finds the cuts that the whole shot finds.

Neither colour nor the amount of change distinguishes a cut from a flash, a whip pan or a dissolve. Correspondence does:
after a whip pan most of the picture is still somewhere, under a flash every edge is still in its place, a step of a
dissolve changes little. Two searches look for it, and the better one counts:

- one shift of the whole picture, by phase correlation (Kuglin, Hines 1975), which works at any distance, blur or
  exposure, since it uses phases only;
- dense flow (DIS), for zooms, turns, parallax and objects. It counts by the local correlation of the warped picture,
  which no change of exposure affects, where the flow is forward-backward consistent.

A burnt-in slate or black bars are found again across any cut: about one cut in twenty is missed under them, and one
in five if both sides of the cut come from the same picture.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.dis import estimate, luma8
from tsn.flow.warp import consistent, in_frame, warp

THUMBNAIL_LONG_SIDE_PX = 160
"""Frames are compared at this size: finer details add nothing about a cut, and grain is averaged away."""
THRESHOLD = 0.5
"""Score above which two frames are divided by a cut."""
# On 2,500 labelled pairs (CG shots; photographs with cuts, whip pans, zooms, flashes, dissolves, grain) cuts have a
# phase peak of 5 to 20 standard deviations and a dense match under 0.35, all others more of one or both.
# Each is scaled to 0.5 at that border.
PEAK_SCALE = 44.0
"""Standard deviations of a phase peak that count as 1."""
DENSE_SCALE = 0.75
"""Dense match that counts as 1."""
FLAT_CONTRAST = 0.01
"""Standard deviation in style space below which a frame is flat."""
FLAT_STEP = 0.5
"""Difference of tone between two flat frames that counts as a score of 1."""
VISIBLE_CHANGE = 0.01
"""Mean absolute difference of two frames from which on a change is visible in full."""


def is_cut(a: Tensor, b: Tensor) -> bool:
    """Whether a camera cut lies between frame a and its follower b. A pure function of the two pictures."""
    return cut_score(a, b) > THRESHOLD


def cut_score(a: Tensor, b: Tensor) -> float:
    """How little of frame a is found again in its follower b, from 0 (all of it) to 1 (nothing).

    Args:
        a, b: style space, (3, H, W) in [0, 1], both of the same size.
    """
    first, second = cut_thumbnail(a), cut_thumbnail(b)
    # Statistics by NumPy, on one thread: the order of torch's sums depends on their number (`tsn.determinism`).
    pixels, others = first.numpy(), second.numpy()
    if max(image.std(axis=(1, 2)).max() for image in (pixels, others)) < FLAT_CONTRAST:
        # Two flat frames contain nothing to find again: only a step of tone separates them.
        step = np.abs(pixels.mean(axis=(1, 2)) - others.mean(axis=(1, 2))).max()
        return min(1.0, float(step) / FLAT_STEP)
    # Two black frames with grain have nothing in common, but nobody sees a cut between them.
    change = min(1.0, float(np.abs(pixels - others).mean()) / VISIBLE_CHANGE)
    one, other = luma8(first), luma8(second)
    rigid = phase_peak(one, other) / PEAK_SCALE
    if rigid >= 1:
        return 0.0
    dense = dense_match(first, second, estimate(one, other), estimate(other, one)) / DENSE_SCALE
    return change * (1 - min(1.0, max(rigid, dense)))


def cut_thumbnail(image: Tensor) -> Tensor:
    """The image (3, H, W) on the CPU at the size for comparison, with its long side at 160 pixels, by area."""
    _, height, width = image.shape
    factor = THUMBNAIL_LONG_SIDE_PX / max(height, width)
    size = max(8, round(height * factor)), max(8, round(width * factor))
    return F.interpolate(image.float().cpu()[None], size=size, mode="area")[0]


def phase_peak(first: np.ndarray, second: np.ndarray) -> float:
    """Peak of the phase correlation of two uint8 pictures (H, W), in standard deviations of the correlation.

    The pictures are padded to twice their size, so that no shift wraps around.
    """
    height, width = first.shape
    padded = 2 * height, 2 * width
    spectra = [np.fft.rfft2(_high_pass(image), padded) for image in (first, second)]
    cross = np.conj(spectra[0]) * spectra[1]
    phase = cross / (np.abs(cross) + 1e-6)
    # A Gaussian of one pixel, since the shift is seldom a whole number of pixels, or the same everywhere.
    y, x = np.fft.fftfreq(padded[0])[:, None], np.fft.rfftfreq(padded[1])[None]
    correlation = np.fft.irfft2(phase * np.exp(-2 * np.pi**2 * (x * x + y * y)), padded)
    return float(correlation.max() / max(float(correlation.std()), 1e-12))


def dense_match(first: Tensor, second: Tensor, forward: Tensor, backward: Tensor) -> float:
    """Share of the pictures' structure that the flow finds again, in [0, 1], the lower of both directions.

    Structure is local variance. It counts by the correlation of 9x9 pixels with the warped other picture, where the
    flow is forward-backward consistent; what the flow carries out of the frame is left out.

    Args:
        first, second: (3, H, W) in [0, 1].
        forward, backward: flow first->second and second->first, (2, H, W).
    """

    def one_way(image: Tensor, other: Tensor, flow: Tensor, reverse: Tensor) -> float:
        warped = warp(other, flow)
        mean, warped_mean = _local_mean(image), _local_mean(warped)
        variance = (_local_mean(image * image) - mean * mean).clamp(min=0).sum(0)
        warped_variance = (_local_mean(warped * warped) - warped_mean * warped_mean).clamp(min=0).sum(0)
        covariance = (_local_mean(image * warped) - mean * warped_mean).sum(0)
        correlation = (covariance / (variance * warped_variance).sqrt().clamp(min=1e-4)).clamp(0, 1)
        weight = (variance + 1e-5) * in_frame(flow)[0]
        return float((correlation * consistent(flow, reverse)[0] * weight).sum() / weight.sum().clamp(min=1e-9))

    return min(one_way(first, second, forward, backward), one_way(second, first, backward, forward))


def _high_pass(image: np.ndarray) -> np.ndarray:
    """A uint8 picture less its local mean (31x31 pixels), so that shading and vignettes do not correlate."""
    luma = torch.from_numpy(image).float()[None] / 255
    return (luma - _local_mean(luma, radius=15))[0].numpy()


def _local_mean(image: Tensor, radius: int = 4) -> Tensor:
    return F.avg_pool2d(image[None], 2 * radius + 1, 1, radius, count_include_pad=False)[0]
