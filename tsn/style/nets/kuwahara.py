"""A plate as a painter would block it in: even shapes with edges, without the texture that a photo has in them.

A small net that is shown every blade of grass draws a line around each, and what comes out is a photo in relief. So it
is shown shapes. Each pixel becomes the mean of the windows beside it, the evenest of them above all: on one side of an
edge none of the other side's (Kuwahara 1976; many windows and soft weights as Papari, Petkov, Campisi, "Artistic edge
and corner enhancing smoothing", IEEE TIP 2007). All windows are one blurred picture, seen from eight places, so it
costs a tenth of the net. What stands out by more than texture does comes back: spires, masts, eyes.

Other figures here make other frames: `locked.METHOD` changes with them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.boxes import box_mean

ROUNDS = 2
WINDOW_OFFSETS = ((3, 0), (2, 2), (0, 3), (-2, 2), (-3, 0), (-2, -2), (0, -3), (2, -2))
"""Of the windows' middles, pixels from the pixel's own: (y, x). A window is 5x5, a box of boxes."""
MAX_OFFSET = 3
"""The farthest of them."""
HALF_WEIGHT_DEVIATION = 0.03
"""Spread (standard deviation, style space) at which a window counts half of what an even one does."""
TEXTURE_AMPLITUDE = 0.06
"""What differs from the shapes by less is texture."""
RADIUS = ROUNDS * (2 + MAX_OFFSET)
"""Pixels that one pixel sees to each side."""


def simplify(plate: Tensor) -> Tensor:
    """The plate without texture: (N, 3, H, W) in [0, 1] -> the same. No colour is added to move it by."""
    shapes = plate
    for _ in range(ROUNDS):
        shapes = _round(shapes)
    rest = plate - shapes
    size = rest.abs().amax(1, keepdim=True)
    kept = (size - TEXTURE_AMPLITUDE).clamp_(min=0).div_(size.clamp_(min=TEXTURE_AMPLITUDE))
    return rest.mul_(kept).add_(shapes)


def _round(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    margin = RADIUS // ROUNDS
    x = F.pad(x, (margin, margin, margin, margin), mode="replicate")
    x = box_mean(box_mean(torch.cat([x, _squared(x)], 1), 3), 3)
    mean, square = x[:, :3], x[:, 3:]
    # In place from here on, as temporary pictures cost more than the arithmetic.
    spread = square.sub_(_squared(mean)).clamp_(min=0).div_(HALF_WEIGHT_DEVIATION**2)
    weight = spread.mul_(spread).add_(1).reciprocal_()
    mean.mul_(weight)
    parts = [
        x[..., MAX_OFFSET + y : MAX_OFFSET + y + height, MAX_OFFSET + x0 : MAX_OFFSET + x0 + width]
        for y, x0 in WINDOW_OFFSETS
    ]
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total[:, :3] / total[:, 3:]


def _squared(x: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W), a third of what `sum` takes."""
    each = x * x
    return each[:, :1] + each[:, 1:2] + each[:, 2:]
