"""What our nets are built of: convolutions with instance norm whose statistics can be given.

Instance-norm statistics of one frame pump when a highlight enters it, and differ from tile to tile. So they
can be *given*: a survey takes them once a shot (`StyleNet.calibrate`). With given statistics a norm is a fixed
scale and shift, so `StyleNet.freeze` folds it into the convolution before it: the net that renders is
convolutions only, and a frame may be cut into tiles.

Strides alias, and what aliases boils: our nets go down by area averages before a plain convolution (Zhang,
"Making convolutional networks shift-invariant again", 2019), and up by `enlarged`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.determinism import POINTWISE_DILATION, apply_elementwise, one_thread
from tsn.style.nets.cells import MIN_KERNEL_SIDE, CellConv
from tsn.style.nets.kuwahara import RADIUS, simplify
from tsn.style.nets.palette import apply_palette, identity_palette
from tsn.style.nets.texture_guide import BANDS, texture_guide
from tsn.style.nets.texture_guide import RADIUS as GUIDE_RADIUS

NORM_EPSILON = 1e-5
BASE_COLOUR_MARGIN = 0.02
"""A ground is neither black nor white, or no paint would cover it."""
OPTIONAL_INPUTS = ("recolours", "simplifies", "seeded")
"""What a net may be shown beside the plate, see `StyleNet`; each is a yes or a no in the metadata of its weights."""
NormStats = list[tuple[Tensor, Tensor]]
"""Per norm layer (mean, variance), each float32 of shape (channels,)."""
Normalise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Features (N, C, H, W), scale (C,) and shift (C,) -> the features normalised, scaled and shifted."""


def instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Each sample by its own statistics: instance norm (Ulyanov et al. 2016)."""
    return F.instance_norm(x, weight=scale, bias=shift, eps=NORM_EPSILON)


class RecordingNorm:
    """As `alone`, and the statistics are kept, layer by layer.

    Args:
        cover: how much each pixel of the picture counts, (1, 1, H, W), of which smaller layers take averages; None
            where all do.
    """

    def __init__(self, cover: Tensor | None = None) -> None:
        self.cover = cover
        self.stats: NormStats = []

    def __call__(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        if self.cover is not None:
            mean, var = self._weighed(x, self.cover)
            self.stats.append((mean, var))
            gain = scale / torch.sqrt(var + NORM_EPSILON)
            return x * gain[:, None, None] + (shift - mean * gain)[:, None, None]
        var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        self.stats.append((mean, var))
        return instance_norm(x, scale, shift)

    @staticmethod
    def _weighed(x: Tensor, cover: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the channels of (1, C, H, W), each pixel by its cover."""
        weight = F.avg_pool2d(cover, cover.shape[-1] // x.shape[-1]).to(x)
        with one_thread():  # or the number of threads would show in the last bits
            weight = weight / weight.sum()
            mean = (x * weight).sum((0, 2, 3))
            var = ((x - mean[:, None, None]).square_() * weight).sum((0, 2, 3))
        return mean, var


class ConvNorm(nn.Module):
    """Reflection-padded convolution, instance norm, optional ReLU.

    Args:
        depthwise: one filter a channel; `cin` and `cout` are equal then.
    """

    def __init__(
        self, cin: int, cout: int, *, kernel: int, norm: bool = True, relu: bool = True, depthwise: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            cin,
            cout,
            kernel,
            padding=kernel // 2,
            padding_mode="reflect" if kernel > 1 else "zeros",  # reflecting by nothing would still copy
            groups=cin if depthwise else 1,
            bias=not norm,
            dilation=POINTWISE_DILATION if kernel == 1 else 1,
        )
        self.scale = nn.Parameter(torch.ones(cout)) if norm else None
        self.shift = nn.Parameter(torch.zeros(cout)) if norm else None
        self.relu = relu

    def forward(self, x: Tensor, normalise: Normalise = instance_norm) -> Tensor:
        x = self.conv(x)
        if self.scale is not None and self.shift is not None:
            x = normalise(x, self.scale, self.shift)
        return F.relu_(x) if self.relu else x

    @torch.no_grad()
    def fold(self, mean: Tensor, variance: Tensor) -> None:
        """Put the norm, at the given statistics, into the convolution."""
        assert self.scale is not None and self.shift is not None
        gain = self.scale / torch.sqrt(variance + NORM_EPSILON)
        self.conv.weight = nn.Parameter(self.conv.weight * gain[:, None, None, None])
        self.conv.bias = nn.Parameter(self.shift - mean * gain)
        self.scale = self.shift = None


def upsample2x(x: Tensor) -> Tensor:
    """Twice the size, bilinear after [1 2 1] both ways, which is zero at the lattice's own frequency.

    Without the filter, flat darks fill with a woven pattern of 8 px: the cheapest texture for a Gram matrix.
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = F.avg_pool2d(F.avg_pool2d(x, 2, stride=1), 2, stride=1)  # a box of 2 twice is [1 2 1] / 4
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def upsample2x_smooth(colours: Tensor) -> Tensor:
    """A picture at half size, (N, C, H/2, W/2), at full size and smooth over about 8 px there.

    Averages of 4 px, repeated, and averaged over 4 px twice: a quadratic spline. Each of the 16 pixels of a cell is a
    fixed mix of 3x3 cells, so one small convolution does it, a sixth of the time. (torch's own enlarging has other last
    bits on other numbers of threads where channels are few.)
    """
    cells = F.avg_pool2d(colours, 2)
    samples, channels, height, width = cells.shape
    line = torch.tensor([[6, 10, 0], [3, 12, 1], [1, 12, 3], [0, 10, 6]], device=cells.device) / 16
    mix = torch.einsum("py,qx->pqyx", line, line).reshape(16, 1, 3, 3).to(cells)
    cells = F.pad(cells, (1, 1, 1, 1), mode="replicate").reshape(samples * channels, 1, height + 2, width + 2)
    with torch.autocast(cells.device.type, enabled=False):
        return F.pixel_shuffle(F.conv2d(cells, mix), 4).reshape(samples, channels, 4 * height, 4 * width)


class ResidualBlock(nn.Module):
    """What its layers, registered in their order, make of the input is added to it."""

    def forward(self, x: Tensor, normalise: Normalise = instance_norm) -> Tensor:
        inner = x
        for layer in self.children():
            inner = layer(inner, normalise)
        return x + inner


class StyleNet(nn.Module):
    """Style space in, style space out: (N, 3, H, W) -> (N, 3, H, W), float32 in [0, 1].

    A subclass registers its `ConvNorm`s in the order in which it runs them. Ours are an hourglass: `enter` at full
    size, `down` to a quarter, residual blocks of a `body` there, `narrow` (perhaps empty), `up` again, `leave`.
    Half-way up, `across` brings what half size knew on the way down (Ronneberger et al., U-Net, 2015): contours need
    not pass through the quarter, and a training of an hour draws them sharp. From full size nothing is brought: that
    gave photographs with a pattern on them.

    A net that recolours paints on a ground: the plate in the painting's colours (`palette.py`), out of focus by eight
    pixels; the same colours are shown to it at half size. So which colour goes where need not be learnt, nor how
    bright the plate was before it was normalised. A net that simplifies paints the plate's shapes (`simplify.py`). A
    seeded net is shown where strokes may begin (`seeds.py`), at half size as well.

    Attributes:
        stride: H and W must be multiples of it.
        radius: pixels that one output pixel sees to each side: what tiles must overlap by.
        width: channels at full size.
        blocks: residual blocks at 1/4 size.
        simplifies: it is shown the plate without texture.
        seeded: it is shown where strokes may begin.
        palette: from a plate's colours to the painting's, where the net recolours; a buffer, kept with the weights.
    """

    stride: int
    radius: int
    width: int
    blocks: int
    simplifies: bool
    seeded: bool
    palette: Tensor | None

    enter: ConvNorm
    down: nn.ModuleList
    body: nn.ModuleList
    narrow: nn.ModuleList
    across: ConvNorm
    up: nn.ModuleList
    leave: ConvNorm | CellConv

    def set_inputs(self, *, recolours: bool, simplifies: bool, seeded: bool) -> tuple[int, int]:
        """What comes before the convolutions; the channels that it adds at half size, and to the radius."""
        self.simplifies, self.seeded = simplifies, seeded
        self.register_buffer("palette", identity_palette() if recolours else None)
        shown = (3 if recolours else 0) + (len(BANDS) if seeded else 0)
        return shown, max(RADIUS if simplifies else 0, GUIDE_RADIUS if seeded else 0)

    def paint(self, x: Tensor, normalise: Normalise) -> Tensor:
        """The hourglass, from and to [0, 1]."""
        to_half, to_quarter = self.down
        from_quarter, from_half = self.up
        begun = [texture_guide(x)] if self.seeded else []
        if self.simplifies:
            x = simplify(x)
        shown = [F.avg_pool2d(self.enter(x - 0.5, normalise), 2)]
        if self.palette is not None:
            colours = apply_palette(F.avg_pool2d(x, 2), self.palette)
            shown.append(colours - 0.5)
        half = to_half(torch.cat(shown + begun, dim=1), normalise)
        x = to_quarter(F.avg_pool2d(half, 2), normalise)
        for layer in (*self.body, *self.narrow):
            x = layer(x, normalise)
        known = self.across(half, normalise)
        x = from_quarter(upsample2x(x), normalise) + known
        x = from_half(upsample2x(x), normalise)
        x = self.leave(x)
        if self.palette is not None:
            ground = upsample2x_smooth(colours).clamp(BASE_COLOUR_MARGIN, 1 - BASE_COLOUR_MARGIN)
            x = x + apply_elementwise(torch.log, ground / (1 - ground))
        return apply_elementwise(torch.sigmoid, x)

    def forward(self, x: Tensor, normalise: Normalise = instance_norm) -> Tensor:
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(f"Expected height and width in multiples of {self.stride}, got {tuple(x.shape)}.")
        return self.paint(x, normalise)

    def norm_layers(self) -> list[ConvNorm]:
        """The layers that a survey takes statistics for, in the order they run."""
        return [m for m in self.modules() if isinstance(m, ConvNorm) and m.scale is not None]

    @torch.inference_mode()
    def calibrate(self, frames: Sequence[Tensor]) -> NormStats:
        """Norm statistics of a whole shot: the mean over its sampled frames.

        Args:
            frames: each (1, 3, H, W), or (1, 4, H, W) with how much each pixel counts, some of them more than 0.
        """
        per_frame: list[NormStats] = []
        for frame in frames:
            noting = RecordingNorm()
            if frame.shape[1] > 3:
                noting = RecordingNorm(frame[:, 3:].contiguous())
                frame = frame[:, :3].contiguous(memory_format=torch.channels_last)
            self(frame, noting)
            per_frame.append(noting.stats)
        return [
            (torch.stack([m for m, _ in layer]).mean(0), torch.stack([v for _, v in layer]).mean(0))
            for layer in zip(*per_frame, strict=True)
        ]

    def freeze(self, stats: NormStats) -> Self:
        """A copy to render with: every norm folded into its convolution at the given statistics."""
        frozen = copy.deepcopy(self)
        for layer, (mean, variance) in zip(frozen.norm_layers(), stats, strict=True):
            layer.fold(mean, variance)
        last = frozen.leave
        assert isinstance(last, ConvNorm) and last.conv.bias is not None, "a net is locked once"
        if last.conv.kernel_size[0] >= MIN_KERNEL_SIDE:
            frozen.leave = CellConv(last.conv.weight.detach(), last.conv.bias.detach())
        return frozen.eval().to(memory_format=torch.channels_last)
