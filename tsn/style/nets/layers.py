"""Layers of the style transfer nets, and `StyleNet`: an hourglass net whose instance-norm statistics can be frozen.

Instance-norm statistics of single frames make the picture pump when a highlight enters, and differ from tile to tile.
So a calibration takes them once a shot (`StyleNet.calibrate`). At these frozen statistics a norm is a constant scale
and shift, and `StyleNet.freeze` folds it into the convolution before it: the net that renders is made of convolutions
only, and a frame can be cut into tiles.

Strided convolutions alias, and aliasing boils in motion. So the nets downsample by 2x2 means before a convolution of
stride 1 (Zhang, "Making convolutional networks shift-invariant again", 2019), and upsample by `upsample2x`.
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
"""Added to a variance before its square root."""
BASE_COLOUR_MARGIN = 0.02
"""Least distance of a base colour from black and from white (style space): there its logit is infinite, and no paint
would cover it."""
OPTIONAL_INPUTS = ("recolours", "simplifies", "seeded")
"""What a net may get beside the plate, see `StyleNet`; each is `yes` or `no` in the metadata of its weights."""
NormStats = list[tuple[Tensor, Tensor]]
"""Mean and variance of each norm layer, float32 of shape (C,)."""
Normalise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A norm: features (N, C, H, W), scale (C,) and shift (C,) -> the features normalised, scaled and shifted."""


def instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Normalise each sample by its own statistics (Ulyanov et al., "Instance normalization", 2016)."""
    return F.instance_norm(x, weight=scale, bias=shift, eps=NORM_EPSILON)


class RecordingNorm:
    """`instance_norm` of one picture that records the statistics of each layer.

    Args:
        coverage: weight of each pixel in the statistics, (1, 1, H, W) in [0, 1]; smaller layers use means of it. None
            weighs all pixels alike.

    Attributes:
        stats: one entry per layer so far, in the order they ran.
    """

    def __init__(self, coverage: Tensor | None = None) -> None:
        self.coverage = coverage
        self.stats: NormStats = []

    def __call__(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        if self.coverage is not None:
            mean, var = self._weighted(x, self.coverage)
            self.stats.append((mean, var))
            gain = scale / torch.sqrt(var + NORM_EPSILON)
            return x * gain[:, None, None] + (shift - mean * gain)[:, None, None]
        var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        self.stats.append((mean, var))
        return instance_norm(x, scale, shift)

    @staticmethod
    def _weighted(x: Tensor, coverage: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the channels of (1, C, H, W), weighted by coverage."""
        weight = F.avg_pool2d(coverage, coverage.shape[-1] // x.shape[-1]).to(x)
        with one_thread():
            weight = weight / weight.sum()
            mean = (x * weight).sum((0, 2, 3))
            var = ((x - mean[:, None, None]).square_() * weight).sum((0, 2, 3))
        return mean, var


class ConvNorm(nn.Module):
    """Reflection-padded convolution, instance norm, ReLU.

    Args:
        cin: input channels.
        cout: output channels.
        kernel: side of the kernel, odd.
        norm: with instance norm, and then without bias.
        relu: with ReLU.
        depthwise: one filter per channel; then `cin` and `cout` are equal.
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
            padding_mode="reflect" if kernel > 1 else "zeros",  # padding by 0 pixels would still copy
            groups=cin if depthwise else 1,
            bias=not norm,
            dilation=POINTWISE_DILATION if kernel == 1 else 1,
        )
        self.scale = nn.Parameter(torch.ones(cout)) if norm else None
        self.shift = nn.Parameter(torch.zeros(cout)) if norm else None
        self.relu = relu

    def forward(self, x: Tensor, normalise: Normalise = instance_norm) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H, W)."""
        x = self.conv(x)
        if self.scale is not None and self.shift is not None:
            x = normalise(x, self.scale, self.shift)
        return F.relu_(x) if self.relu else x

    @torch.no_grad()
    def fold(self, mean: Tensor, variance: Tensor) -> None:
        """Fold the norm into the convolution.

        Args:
            mean: frozen statistics, (cout,).
            variance: the same.
        """
        assert self.scale is not None and self.shift is not None
        gain = self.scale / torch.sqrt(variance + NORM_EPSILON)
        self.conv.weight = nn.Parameter(self.conv.weight * gain[:, None, None, None])
        self.conv.bias = nn.Parameter(self.shift - mean * gain)
        self.scale = self.shift = None


def upsample2x(x: Tensor) -> Tensor:
    """Double the size of (N, C, H, W): bilinear, after a [1 2 1] filter that is zero at the Nyquist frequency.

    Without the filter, nets fill flat dark areas with a woven pattern of 8 px: the cheapest texture for a Gram matrix.
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = F.avg_pool2d(F.avg_pool2d(x, 2, stride=1), 2, stride=1)  # two 2x2 means in a row are [1 2 1] / 4
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def upsample2x_smooth(colours: Tensor) -> Tensor:
    """Double the size of a picture, and blur it over about 8 px.

    The result is a quadratic spline: means of cells of 4x4 px (of full size), repeated, and averaged over 4x4 px
    twice. Each of the 16 pixels of a cell is a constant mix of 3x3 cells, so one small convolution computes it, in a
    sixth of the time. (With few channels, the last bits of torch's own upsampling depend on the number of threads.)

    Args:
        colours: (N, C, H/2, W/2).

    Returns:
        (N, C, H, W).
    """
    cells = F.avg_pool2d(colours, 2)
    samples, channels, height, width = cells.shape
    spline = torch.tensor([[6, 10, 0], [3, 12, 1], [1, 12, 3], [0, 10, 6]], device=cells.device) / 16
    kernel = torch.einsum("py,qx->pqyx", spline, spline).reshape(16, 1, 3, 3).to(cells)
    cells = F.pad(cells, (1, 1, 1, 1), mode="replicate").reshape(samples * channels, 1, height + 2, width + 2)
    with torch.autocast(cells.device.type, enabled=False):
        return F.pixel_shuffle(F.conv2d(cells, kernel), 4).reshape(samples, channels, 4 * height, 4 * width)


class ResidualBlock(nn.Module):
    """A residual block: the input plus the result of its layers, which a subclass registers in their order."""

    def forward(self, x: Tensor, normalise: Normalise = instance_norm) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        residual = x
        for layer in self.children():
            residual = layer(residual, normalise)
        return x + residual


class StyleNet(nn.Module):
    """A style transfer net, style space to style space: (N, 3, H, W) -> (N, 3, H, W), float32 in [0, 1].

    An hourglass. A subclass registers its layers in the order in which they run, by the names of the weights files:
    `enter` at full size, `down` to 1/4 size, the residual blocks `body` there, `narrow` (may be empty), `up`, and
    `leave`. At half size there is a skip connection, `across` (Ronneberger et al., "U-Net", 2015): contours do not
    have to pass through 1/4 size, so that an hour of training makes them sharp. There is none at full size, since with
    one the nets returned photographs with a pattern on them.

    Options (named as in the metadata of weights and in training configs):

    - `recolours`: the net paints over a *base colour*, the plate in the painting's colours (`palette.py`) blurred by
      8 px; it also gets these colours at half size as input. So the training need not learn which colour goes where,
      nor does the net have to recover the brightness that normalisation removes.
    - `simplifies`: the net gets the plate without texture (`kuwahara.py`).
    - `seeded`: the net gets a texture guide at half size (`texture_guide.py`), from which strokes start.

    Attributes:
        stride: H and W must be multiples of it.
        radius: pixels to each side that one output pixel depends on; tiles must overlap by it.
        width: channels at full size.
        blocks: residual blocks at 1/4 size.
        simplifies: see above.
        seeded: see above.
        palette: map from the plate's colours to the painting's (`palette.fit_palette`), a buffer that is stored with
            the weights; None where the net does not recolour.
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
        """Set the optional inputs; return the channels that they add at half size, and their radius in pixels."""
        self.simplifies, self.seeded = simplifies, seeded
        self.register_buffer("palette", identity_palette() if recolours else None)
        channels = (3 if recolours else 0) + (len(BANDS) if seeded else 0)
        return channels, max(RADIUS if simplifies else 0, GUIDE_RADIUS if seeded else 0)

    def paint(self, x: Tensor, normalise: Normalise) -> Tensor:
        """Run the net on (N, 3, H, W) in [0, 1], with any norm."""
        to_half, to_quarter = self.down
        from_quarter, from_half = self.up
        guide = [texture_guide(x)] if self.seeded else []
        if self.simplifies:
            x = simplify(x)
        features = [F.avg_pool2d(self.enter(x - 0.5, normalise), 2)]
        if self.palette is not None:
            colours = apply_palette(F.avg_pool2d(x, 2), self.palette)
            features.append(colours - 0.5)
        half = to_half(torch.cat(features + guide, dim=1), normalise)
        x = to_quarter(F.avg_pool2d(half, 2), normalise)
        for layer in (*self.body, *self.narrow):
            x = layer(x, normalise)
        skip = self.across(half, normalise)
        x = from_quarter(upsample2x(x), normalise) + skip
        x = from_half(upsample2x(x), normalise)
        x = self.leave(x)
        if self.palette is not None:
            base_colour = upsample2x_smooth(colours).clamp(BASE_COLOUR_MARGIN, 1 - BASE_COLOUR_MARGIN)
            x = x + apply_elementwise(torch.log, base_colour / (1 - base_colour))
        return apply_elementwise(torch.sigmoid, x)

    def forward(self, x: Tensor, normalise: Normalise = instance_norm) -> Tensor:
        """As `paint`; raises ValueError unless H and W are multiples of `stride`."""
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(f"Expected height and width in multiples of {self.stride}, got {tuple(x.shape)}.")
        return self.paint(x, normalise)

    def norm_layers(self) -> list[ConvNorm]:
        """The layers that have a norm, in the order they run: a calibration has statistics for each."""
        return [m for m in self.modules() if isinstance(m, ConvNorm) and m.scale is not None]

    @torch.inference_mode()
    def calibrate(self, frames: Sequence[Tensor]) -> NormStats:
        """Norm statistics of a shot: the mean over sampled frames.

        Args:
            frames: each (1, 3, H, W) in [0, 1]; or (1, 4, H, W) with coverage, which must be above 0 somewhere.
        """
        per_frame: list[NormStats] = []
        for frame in frames:
            norm = RecordingNorm()
            if frame.shape[1] > 3:
                norm = RecordingNorm(frame[:, 3:].contiguous())
                frame = frame[:, :3].contiguous(memory_format=torch.channels_last)
            self(frame, norm)
            per_frame.append(norm.stats)
        return [
            (torch.stack([m for m, _ in layer]).mean(0), torch.stack([v for _, v in layer]).mean(0))
            for layer in zip(*per_frame, strict=True)
        ]

    def freeze(self, stats: NormStats) -> Self:
        """A copy to render with: every norm folded into its convolution, at frozen statistics."""
        frozen = copy.deepcopy(self)
        for layer, (mean, variance) in zip(frozen.norm_layers(), stats, strict=True):
            layer.fold(mean, variance)
        last = frozen.leave
        assert isinstance(last, ConvNorm) and last.conv.bias is not None, "a net can be frozen once"
        if last.conv.kernel_size[0] >= MIN_KERNEL_SIDE:
            frozen.leave = CellConv(last.conv.weight.detach(), last.conv.bias.detach())
        return frozen.eval().to(memory_format=torch.channels_last)
