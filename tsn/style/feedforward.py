"""Feed-forward style nets: Johnson's transformer net, slimmed and anti-aliased.

Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer", ECCV 2016; instance norm
after Ulyanov et al. 2016. Three changes, each for video:

- Strides alias, and what aliases boils: downsampling is an area average before a plain convolution
  (Zhang, "Making convolutional networks shift-invariant again", 2019), upsampling is bilinear
  after a small blur.
- Instance-norm statistics of one frame pump when a highlight enters it, and differ from tile to tile.
  So they can be *given*: a survey takes them once a shot (`StyleNet.survey`).
- With given statistics a norm is a fixed scale and shift, so `StyleNet.lock` folds it into the
  convolution before it: the net that renders is convolutions only, and a frame may be cut into tiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5
Stats = list[tuple[Tensor, Tensor]]
"""Per norm layer (mean, variance), each float32 of shape (channels,)."""


class _ConvNorm(nn.Module):
    """Reflection-padded convolution, instance norm (own or given statistics), optional ReLU."""

    def __init__(self, cin: int, cout: int, *, kernel: int, norm: bool = True, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, padding=kernel // 2, padding_mode="reflect", bias=not norm)
        self.scale = nn.Parameter(torch.ones(cout)) if norm else None
        self.shift = nn.Parameter(torch.zeros(cout)) if norm else None
        self.relu = relu

    def forward(self, x: Tensor, record: Stats | None = None) -> Tensor:
        x = self.conv(x)
        if self.scale is not None:
            if record is not None:
                var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
                record.append((mean, var))
            x = F.instance_norm(x, weight=self.scale, bias=self.shift, eps=EPS)
        return F.relu(x) if self.relu else x

    def folded(self, stats: tuple[Tensor, Tensor]) -> _ConvNorm:
        """The same layer with the norm, at the given statistics, inside the convolution."""
        assert self.scale is not None and self.shift is not None
        mean, var = stats
        gain = self.scale / torch.sqrt(var + EPS)
        out = _ConvNorm(
            self.conv.in_channels, self.conv.out_channels, kernel=self.conv.kernel_size[0], norm=False, relu=self.relu
        )
        out.conv.weight = nn.Parameter((self.conv.weight * gain[:, None, None, None]).detach())
        out.conv.bias = nn.Parameter((self.shift - mean * gain).detach())
        return out


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = _ConvNorm(channels, channels, kernel=3)
        self.b = _ConvNorm(channels, channels, kernel=3, relu=False)

    def forward(self, x: Tensor, record: Stats | None = None) -> Tensor:
        return x + self.b(self.a(x, record), record)


def _enlarged(x: Tensor) -> Tensor:
    """Twice the size, bilinear after [1 2 1] both ways, which is zero at the lattice's own frequency.

    Without the filter, flat darks fill with a woven pattern of 8 px: the cheapest texture for a Gram matrix.
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = F.avg_pool2d(F.avg_pool2d(x, 2, stride=1), 2, stride=1)  # a box of 2 twice is [1 2 1] / 4
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class StyleNet(nn.Module):
    """Style space in, style space out.

    Args:
        width: channels at full size; twice and four times that at 1/2 and 1/4. 16 is the slim net
            (424k parameters), 32 is Johnson's.
        blocks: residual blocks at 1/4 size.

    Shape: (N, 3, H, W) -> (N, 3, H, W), float32 in [0, 1]; H and W must be multiples of `stride`.
    """

    stride = 4

    def __init__(self, *, width: int = 16, blocks: int = 5) -> None:
        super().__init__()
        self.width, self.blocks = width, blocks
        w = width
        self.enter = _ConvNorm(3, w, kernel=9)
        self.down = nn.ModuleList([_ConvNorm(w, 2 * w, kernel=3), _ConvNorm(2 * w, 4 * w, kernel=3)])
        self.body = nn.ModuleList([_Residual(4 * w) for _ in range(blocks)])
        self.up = nn.ModuleList([_ConvNorm(4 * w, 2 * w, kernel=3), _ConvNorm(2 * w, w, kernel=3)])
        self.leave = _ConvNorm(w, 3, kernel=9, norm=False, relu=False)

    @property
    def radius(self) -> int:
        """Pixels that one output pixel sees to each side: what tiles must overlap by."""
        return 4 + 2 + 4 + 4 * 2 * self.blocks + 4 + 2 + 4 + 2 * self.stride + 4 + 2

    def forward(self, x: Tensor, record: Stats | None = None) -> Tensor:
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(f"Expected height and width in multiples of {self.stride}, got {tuple(x.shape)}.")
        x = self.enter(x - 0.5, record)
        for layer in self.down:
            x = layer(F.avg_pool2d(x, 2), record)
        for block in self.body:
            x = block(x, record)
        for layer in self.up:
            x = layer(_enlarged(x), record)
        return torch.sigmoid(self.leave(x))

    @torch.inference_mode()
    def survey(self, frames: Sequence[Tensor]) -> Stats:
        """Norm statistics of a whole shot: the mean over its sampled frames, each (1, 3, H, W)."""
        per_frame: list[Stats] = []
        for frame in frames:
            record: Stats = []
            self(frame, record)
            per_frame.append(record)
        return [
            (torch.stack([m for m, _ in layer]).mean(0), torch.stack([v for _, v in layer]).mean(0))
            for layer in zip(*per_frame, strict=True)
        ]

    def lock(self, stats: Stats) -> StyleNet:
        """A copy with every norm folded into its convolution at the given statistics."""
        given = iter(stats)

        def folded(layer: nn.Module) -> _ConvNorm:
            assert isinstance(layer, _ConvNorm)
            return layer.folded(next(given))

        out = StyleNet(width=self.width, blocks=self.blocks)
        out.enter = folded(self.enter)
        out.down = nn.ModuleList([folded(layer) for layer in self.down])
        for mine, theirs in zip(self.body, out.body, strict=True):
            assert isinstance(mine, _Residual) and isinstance(theirs, _Residual)
            theirs.a, theirs.b = folded(mine.a), folded(mine.b)
        out.up = nn.ModuleList([folded(layer) for layer in self.up])
        out.leave = self.leave
        return out.eval().to(memory_format=torch.channels_last)
