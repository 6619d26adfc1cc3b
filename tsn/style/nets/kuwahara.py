"""Simplify a plate to even shapes with sharp edges, without the texture of a photo.

A small net that sees every blade of grass draws a line around each one, and its result is a photo in relief. With
`simplifies` in its metadata it sees shapes instead. Each pixel becomes the mean of the windows around it, weighted
towards the most even one: near an edge no window across the edge takes part (Kuwahara 1976; many windows and soft
weights as in Papari, Petkov, Campisi, "Artistic edge and corner enhancing smoothing", IEEE TIP 2007). All windows are
shifts of one blurred picture, so the filter costs a tenth of the net. Details of high contrast (spires, masts, eyes)
are added again afterwards.

Other values of these constants give other frames: increase `feedforward.METHOD` with any change.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.boxes import box_mean

ROUNDS = 2
"""Times the filter is applied."""
WINDOW_OFFSETS = ((3, 0), (2, 2), (0, 3), (-2, 2), (-3, 0), (-2, -2), (0, -3), (2, -2))
"""(y, x) in pixels from a pixel to the centres of its windows. A window is 5x5: two 3x3 box means in a row."""
MAX_OFFSET = 3
"""The largest of `WINDOW_OFFSETS`, pixels."""
HALF_WEIGHT_DEVIATION = 0.03
"""Standard deviation (style space) at which a window has half the weight of an even one."""
TEXTURE_AMPLITUDE = 0.06
"""Differences from the shapes up to this (style space) are texture, and are removed."""
RADIUS = ROUNDS * (2 + MAX_OFFSET)
"""Pixels to each side that one output pixel depends on."""


def simplify(plate: Tensor) -> Tensor:
    """Remove texture from a plate: (N, 3, H, W) in [0, 1] -> the same.

    A constant that is added to all pixels is added to the result: pictures of another zero point work as well.
    """
    shapes = plate
    for _ in range(ROUNDS):
        shapes = _smooth_once(shapes)
    rest = plate - shapes
    size = rest.abs().amax(1, keepdim=True)
    kept = (size - TEXTURE_AMPLITUDE).clamp_(min=0).div_(size.clamp_(min=TEXTURE_AMPLITUDE))
    return rest.mul_(kept).add_(shapes)


def _smooth_once(x: Tensor) -> Tensor:
    """One application of the filter."""
    height, width = x.shape[2:]
    margin = RADIUS // ROUNDS
    x = F.pad(x, (margin, margin, margin, margin), mode="replicate")
    x = box_mean(box_mean(torch.cat([x, _squared_norm(x)], 1), 3), 3)
    mean, square = x[:, :3], x[:, 3:]
    # In place from here on: temporary pictures cost more than the arithmetic.
    variance = square.sub_(_squared_norm(mean)).clamp_(min=0).div_(HALF_WEIGHT_DEVIATION**2)
    weight = variance.mul_(variance).add_(1).reciprocal_()
    mean.mul_(weight)
    windows = [
        x[..., MAX_OFFSET + dy : MAX_OFFSET + dy + height, MAX_OFFSET + dx : MAX_OFFSET + dx + width]
        for dy, dx in WINDOW_OFFSETS
    ]
    total = windows[0] + windows[1]
    for window in windows[2:]:
        total += window
    return total[:, :3] / total[:, 3:]


def _squared_norm(x: Tensor) -> Tensor:
    """Sum of the squares over channels, (N, 3, H, W) -> (N, 1, H, W); three times as fast as `sum`."""
    squares = x * x
    return squares[:, :1] + squares[:, 1:2] + squares[:, 2:]
