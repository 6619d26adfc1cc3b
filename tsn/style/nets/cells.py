"""A convolution to a few channels, worked out on cells of 2x2 pixels.

What a CPU's vector unit works on side by side are the channels that come out, eight or sixteen of them; of a picture's
three, most of it idles. With the four pixels of a cell as channels they are twelve (Shi et al., "Real-time single image
and video super-resolution using an efficient sub-pixel convolutional neural network", CVPR 2016): the same sums in six
tenths of the time where the kernel is 9x9, though a fifth of the products are by zero then. Of a 5x5 kernel's it is a
third, and nothing is won.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELL_SIDE = 2
MIN_KERNEL_SIDE = 9
"""Side of the kernel from which on it is faster."""
CELL_OFFSETS = tuple((y, x) for y in range(CELL_SIDE) for x in range(CELL_SIDE))
"""The pixels of a cell, as `pixel_shuffle` has them."""


class CellConv(nn.Module):
    """The same as a reflection-padded convolution of an odd kernel and stride 1, on pictures of even sides.

    Args:
        weight: (C, D, K, K).
        bias: (C).
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.margin = weight.shape[-1] // 2
        self.weight = nn.Parameter(kernel_on_cells(weight), requires_grad=False)
        self.bias = nn.Parameter(bias.repeat_interleave(len(CELL_OFFSETS)), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, D, H, W) -> (N, C, H, W)."""
        x = F.pad(x, (self.margin,) * 4, mode="reflect")
        x = torch.cat([x[..., top::CELL_SIDE, left::CELL_SIDE] for top, left in CELL_OFFSETS], 1)
        return F.pixel_shuffle(F.conv2d(x, self.weight, self.bias), CELL_SIDE)


def kernel_on_cells(weight: Tensor) -> Tensor:
    """A kernel over pixels (C, D, K, K) as one over cells, (4 C, 4 D, (K+1)/2, (K+1)/2).

    Of the channels that go in, a pixel's stay together; of those that come out, a channel's do.
    """
    channels, depth, side, _ = weight.shape
    cells = weight.new_zeros(
        channels, len(CELL_OFFSETS), len(CELL_OFFSETS), depth, (side + 1) // CELL_SIDE, (side + 1) // CELL_SIDE
    )
    for to, (bottom, right) in enumerate(CELL_OFFSETS):
        for come, (top, left) in enumerate(CELL_OFFSETS):
            part = weight[..., (top - bottom) % CELL_SIDE :: CELL_SIDE, (left - right) % CELL_SIDE :: CELL_SIDE]
            # A pixel's window begins at its own place in the first cell: what lies before it there is left out.
            y, x = int(top < bottom), int(left < right)
            cells[:, to, come, :, y : y + part.shape[-2], x : x + part.shape[-1]] = part
    return cells.reshape(channels * len(CELL_OFFSETS), len(CELL_OFFSETS) * depth, *cells.shape[-2:])
