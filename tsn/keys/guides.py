"""AOVs as the net of key frames takes them: channels of about [-1, 1], by the same rule for all frames of a shot.

Stylit (Fišer et al. 2016) and EbSynth (Jamriška et al. 2019) guide paint by such channels: they tell apart what has the
same colour in the plate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ID_CHANNELS = 3
"""Channels that object ids are spread over: three signed bytes of the id, which is a hash."""
LIMIT = 3.0
"""Channels are clipped to so many standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Mean and standard deviation of each channel over the key frames, (G,) float32."""

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
) -> Tensor:
    """The guides of a frame before they are scaled, float32 (G, height, width); NaN where there is nothing.

    Args:
        normals: (2 or 3, H, W).
        depth: (H, W); its logarithm is taken, as near things differ by ratios.
        surface: (2 or 3, H, W).
        ids: uint32 (H, W); 0 = nothing.
    """
    found: list[np.ndarray] = []
    if normals is not None:
        found += list(normals)
    if depth is not None:
        found.append(np.where(depth > 0, np.log(np.maximum(depth, 1e-6)), np.nan))
    if surface is not None:
        found += list(surface)
    if ids is not None:
        found += [((ids >> np.uint32(8 * n)) & np.uint32(255)).astype(np.float32) for n in range(ID_CHANNELS)]
    stacked = np.stack(found) if found else np.empty((0, height, width))
    finite = np.where(np.isfinite(stacked), stacked, np.nan)
    return torch.from_numpy(finite.astype(np.float32))


def scaling_of(frames: Sequence[Tensor]) -> Scaling:
    """The scaling of a shot, from the raw guides (G, H, W) of its key frames."""
    channels = torch.cat([frame.flatten(1) for frame in frames], 1).double()
    known = ~channels.isnan()
    count = known.sum(1).clamp(min=1)
    values = torch.where(known, channels, 0.0)
    mean = values.sum(1) / count
    variance = torch.where(known, (values - mean[:, None]) ** 2, 0.0).sum(1) / count
    return Scaling(mean=mean.float(), deviation=variance.sqrt().float().clamp(min=1e-6))


def scale_guides(raw: Tensor, scaling: Scaling) -> Tensor:
    """Guides (G, H, W) in [-1, 1], 0 where there is nothing."""
    scaled = (raw - scaling.mean[:, None, None]) / (LIMIT * scaling.deviation[:, None, None])
    return scaled.nan_to_num(0.0).clamp(-1, 1)
