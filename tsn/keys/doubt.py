"""Carried paint made worse on purpose: so the net learns to invent where it is missing, and when to trust it.

At a key's own frame the carried paint is the key itself, and copying it would be all that there is to learn. So parts
of it are lost, as if something had covered them in every key; other parts are of somewhere else, at low confidence;
and all of it is a little out of place and off in its colours, as estimated motion and changing light make it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.warp import warp_batch
from tsn.keys.patches import Patches

LOST, HOLES = 0.35, 0.4
"""Shares of the patches that lose all of the carried paint, and blobs of it."""
MISPLACED_PX, OFF_COLOUR = 0.5, 0.03
"""Standard deviations of a shift, which changes over about a third of a patch, and of a gain of each channel."""
WRONG_CONFIDENCE = 0.3
"""Confidence up to which lost paint may be another patch's."""
EDGE = 8.0
"""Contrast of the blobs' borders, which carrying makes soft: about 3 pixels wide."""


def doubt(patches: Patches, generator: torch.Generator) -> Patches:
    """Make the carried paint of patches worse, at random.

    Args:
        patches: N of them; where N > 1, wrong paint comes from the next one.
        generator: on the CPU.
    """
    device = patches.carried.device
    count, side = len(patches.carried), patches.carried.shape[-1]

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator).to(device)

    def bell(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator).to(device)

    shift = F.interpolate(bell(2, 4, 4) * MISPLACED_PX * draw(1, 1, 1), size=(side, side), mode="bicubic")
    carried = warp_batch(patches.carried, shift, mode="bicubic") * (1 + OFF_COLOUR * bell(3, 1, 1))
    kind = draw(1, 1, 1)
    kept = _blobs(draw(1, 6, 6), draw(1, 12, 12), draw(1, 1, 1), side)
    kept = torch.where(kind < LOST, torch.zeros_like(kept), kept)
    kept = torch.where(kind > LOST + HOLES, torch.ones_like(kept), kept)
    wrong = WRONG_CONFIDENCE * draw(1, 1, 1) * (draw(1, 1, 1) < 0.5)
    carried = carried * kept + patches.carried.roll(1, 0) * (1 - kept)
    confidence = patches.confidence * kept + wrong * (1 - kept)
    return replace(patches, carried=carried.clamp(0, 1), confidence=confidence)


def _blobs(large: Tensor, small: Tensor, level: Tensor, side: int) -> Tensor:
    """Soft-edged blobs of many sizes from two grids of noise, (N, 1, side, side) in [0, 1]; `level` is about the share
    that is 0."""
    noise = sum(
        (
            F.interpolate(grid, size=(side, side), mode="bicubic") * share
            for grid, share in ((large, 0.7), (small, 0.3))
        ),
        torch.zeros_like(large[:, :, :1, :1]),
    )
    return ((noise - (0.25 + 0.5 * level)) * EDGE + 0.5).clamp(0, 1)
