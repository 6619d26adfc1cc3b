"""The slim style net: Johnson's transformer net, narrowed and anti-aliased.

Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer", ECCV 2016; instance norm
after Ulyanov et al. 2016.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.style.lockable import ConvNorm, LockableNet, Stats, enlarged


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels, kernel=3)
        self.b = ConvNorm(channels, channels, kernel=3, relu=False)

    def forward(self, x: Tensor, record: Stats | None = None) -> Tensor:
        return x + self.b(self.a(x, record), record)


class StyleNet(LockableNet):
    """See `LockableNet`.

    Args:
        width: channels at full size; twice and four times that at 1/2 and 1/4. 16 is the slim net
            (424k parameters), 32 is Johnson's.
        blocks: residual blocks at 1/4 size.
    """

    stride = 4

    def __init__(self, *, width: int = 16, blocks: int = 5) -> None:
        super().__init__()
        self.width, self.blocks = width, blocks
        self.radius = 4 + 2 + 4 + 4 * 2 * blocks + 4 + 2 + 4 + 2 * self.stride + 4 + 2
        w = width
        self.enter = ConvNorm(3, w, kernel=9)
        self.down = nn.ModuleList([ConvNorm(w, 2 * w, kernel=3), ConvNorm(2 * w, 4 * w, kernel=3)])
        self.body = nn.ModuleList([_Residual(4 * w) for _ in range(blocks)])
        self.up = nn.ModuleList([ConvNorm(4 * w, 2 * w, kernel=3), ConvNorm(2 * w, w, kernel=3)])
        self.leave = ConvNorm(w, 3, kernel=9, norm=False, relu=False)

    def paint(self, x: Tensor, record: Stats | None) -> Tensor:
        x = self.enter(x - 0.5, record)
        for layer in self.down:
            x = layer(F.avg_pool2d(x, 2), record)
        for block in self.body:
            x = block(x, record)
        for layer in self.up:
            x = layer(enlarged(x), record)
        return torch.sigmoid(self.leave(x))
