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

ROUNDS = 2
PLACES = ((3, 0), (2, 2), (0, 3), (-2, 2), (-3, 0), (-2, -2), (0, -3), (2, -2))
"""Of the windows' middles, pixels from the pixel's own: (y, x). A window is 5x5, a box of boxes."""
AWAY = 3
"""The farthest of them."""
EVEN = 0.03
"""Spread (standard deviation, style space) at which a window counts half of what an even one does."""
TEXTURE = 0.06
"""What differs from the shapes by less is texture."""
REACH = ROUNDS * (2 + AWAY)
"""Pixels that one pixel sees to each side."""


def simplified(plate: Tensor) -> Tensor:
    """The plate without texture: (N, 3, H, W) in [0, 1] -> the same. No colour is added to move it by."""
    shapes = plate
    for _ in range(ROUNDS):
        shapes = _round(shapes)
    rest = plate - shapes
    size = rest.abs().amax(1, keepdim=True)
    return shapes + rest * ((size - TEXTURE).clamp(min=0) / size.clamp(min=TEXTURE))


def _round(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    margin = REACH // ROUNDS
    x = F.pad(x, (margin, margin, margin, margin), mode="replicate")
    x = _blurred(_blurred(torch.cat([x, (x * x).sum(1, keepdim=True)], 1)))
    mean, square = x[:, :3], x[:, 3:]
    spread = (square - (mean * mean).sum(1, keepdim=True)).clamp(min=0) / EVEN**2
    weight = 1 / (1 + spread * spread)
    weighed = torch.cat([mean * weight, weight], 1)
    total = torch.zeros_like(weighed[..., :height, :width])
    for y, x0 in PLACES:
        total += weighed[..., AWAY + y : AWAY + y + height, AWAY + x0 : AWAY + x0 + width]
    return total[:, :3] / total[:, 3:]


def _blurred(x: Tensor) -> Tensor:
    """Means of 3x3 pixels, without the border: a tenth of what `avg_pool2d` takes for it."""
    lines = x[..., :-2] + x[..., 1:-1]
    lines += x[..., 2:]
    boxes = lines[..., :-2, :] + lines[..., 1:-1, :]
    boxes += lines[..., 2:, :]
    return boxes.div_(9)
