"""AOVs as the net of key frames takes them: channels of about [-1, 1], by the same rule for all frames of a shot.

Stylit (Fišer et al. 2016) and EbSynth (Jamriška et al. 2019) guide paint by such channels: they tell apart what has the
same colour in the plate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

ID_CHANNELS = 3
"""Channels that object ids are spread over: three signed bytes of the id, which is a hash."""
LIMIT = 3.0
"""Channels are clipped to so many standard deviations."""
Kind = Literal["normal", "depth", "surface", "id"]
"""What a channel holds."""
LEAST_DEVIATION: Mapping[Kind, float] = {"normal": 0.1, "depth": 0.05, "surface": 0.0, "id": 16.0}
"""Standard deviations below which channels count as constant: those of parts of a normal, of logarithms of depth, and
of bytes of an id. Without them, noise on what is constant in the keys would be as strong as what tells things apart."""
SURFACE_SHARE = 1 / 6
"""The same for coordinates of surfaces, whose unit is unknown, as a share of the largest deviation of them all: 1/20 of
the range, if they are spread evenly."""
CONSTANT, CONSTANT_DEVIATION = 5e-4, 0.02
"""All of them are constant with deviations up to the first share of their size (what a half float resolves), and then
count as having the second as their deviation; their size is at least 1."""


@dataclass(frozen=True, kw_only=True)
class RawGuides:
    """The guides of a frame before they are scaled.

    Attributes:
        values: float32 (G, H, W); NaN where there is nothing.
        kinds: of each channel, G of them.
    """

    values: Tensor
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Mean of each channel over the key frames, and deviation, or the least that counts, (G,) float32."""

    mean: Tensor
    deviation: Tensor


def raw_guides(
    *,
    height: int,
    width: int,
    normals: np.ndarray | None = None,
    depth: np.ndarray | None = None,
    surface: np.ndarray | None = None,
    ids: np.ndarray | None = None,
) -> RawGuides:
    """The guides of a frame of a height and a width.

    Args:
        normals: (2 or 3, H, W).
        depth: (H, W); its logarithm is taken, as near things differ by ratios.
        surface: (2 or 3, H, W).
        ids: uint32 (H, W); 0 = nothing.
    """
    found: list[np.ndarray] = []
    kinds: list[Kind] = []
    if normals is not None:
        found += list(normals)
        kinds += ["normal"] * len(normals)
    if depth is not None:
        found.append(np.where(depth > 0, np.log(np.maximum(depth, 1e-6)), np.nan))
        kinds += ["depth"]
    if surface is not None:
        found += list(surface)
        kinds += ["surface"] * len(surface)
    if ids is not None:
        found += [((ids >> np.uint32(8 * n)) & np.uint32(255)).astype(np.float32) for n in range(ID_CHANNELS)]
        kinds += ["id"] * ID_CHANNELS
    stacked = np.stack(found) if found else np.empty((0, height, width))
    finite = np.where(np.isfinite(stacked), stacked, np.nan)
    return RawGuides(values=torch.from_numpy(finite.astype(np.float32)), kinds=tuple(kinds))


def scaling_of(frames: Sequence[RawGuides]) -> Scaling:
    """The scaling of a shot, from the guides of its key frames; all of the same kinds."""
    channels = torch.cat([frame.values.flatten(1) for frame in frames], 1).double()
    known = ~channels.isnan()
    count = known.sum(1).clamp(min=1)
    values = torch.where(known, channels, 0.0)
    mean = values.sum(1) / count
    deviation = (torch.where(known, (values - mean[:, None]) ** 2, 0.0).sum(1) / count).sqrt()
    least = torch.tensor([LEAST_DEVIATION[kind] for kind in frames[0].kinds]).to(deviation)
    of_surface = torch.tensor([kind == "surface" for kind in frames[0].kinds], device=deviation.device)
    if bool(of_surface.any()):
        least[of_surface] = _least_of_surface(mean[of_surface], deviation[of_surface])
    return Scaling(mean=mean.float(), deviation=torch.maximum(deviation, least).float())


def scale_guides(raw: RawGuides, scaling: Scaling) -> Tensor:
    """Guides (G, H, W) in [-1, 1], 0 where there is nothing."""
    scaled = (raw.values - scaling.mean[:, None, None]) / (LIMIT * scaling.deviation[:, None, None])
    return scaled.nan_to_num(0.0).clamp(-1, 1)


def _least_of_surface(mean: Tensor, deviation: Tensor) -> float:
    """The least deviation of coordinates of surfaces, which are in one unit, from those that they have."""
    size, largest = max(1.0, float(mean.abs().max())), float(deviation.max())
    return SURFACE_SHARE * largest if largest > CONSTANT * size else CONSTANT_DEVIATION * size
