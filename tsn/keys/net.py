"""The net per shot: it copies the keys' paint where motion carries it, and paints in their manner elsewhere.

After Texler et al., "Interactive video stylization using few-shot patch-based training", SIGGRAPH 2020: a small
U-shaped net (Ronneberger et al. 2015), learnt from patches of a few painted frames. What is different here:

- The keys' paint, carried to the frame by motion, is an input, and the net's output is a mix of it and of what the net
  paints itself: gate * carried + (1 - gate) * own. The gate is confidence times a learnt factor. So a place that a key
  shows has the key's own texture, at full sharpness, and the net has to invent only what no key shows.
- While it learns it has batch norms (Ioffe, Szegedy 2015), without which it takes several times as long to reach any
  texture. `KeyNet.folded` folds them into the convolutions, at the running statistics of the learning: those of a frame
  would make the paint pump when a highlight enters.
- It gets the plate's texture guide (`tsn.style.nets.texture_guide`), from which strokes start on even surfaces.
- 2x2 means down and `upsample2x` up, as in `tsn.style.nets.layers`: neither boiling from aliases nor a grid.

The folded net is made of convolutions only: no output pixel depends on anything further away than `radius`, and it can
be tiled.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.determinism import apply_elementwise
from tsn.errors import InputError
from tsn.style.nets.layers import upsample2x
from tsn.style.nets.texture_guide import BANDS, MARGIN, texture_guide

WIDTHS = 16, 32, 96
"""Channels at full, half and quarter size."""
BLOCKS = 5
"""Residual blocks at quarter size."""
GATE_START = 3.0
"""Logit of the gate's learnt factor before learning: .95, so that carried paint is copied from the first step on."""
STATISTICS_SHARE = 0.03
"""Share of the last batch in the running statistics of the norms."""
BASE_CHANNELS = 7
"""Picture, carried paint times confidence, confidence."""


class KeyNet(nn.Module):
    """Style space and guides to style space, see the module.

    Args:
        guides: G, channels of AOVs beside the picture.
        widths: channels at full, half and quarter size.
        blocks: residual blocks at quarter size.
        normed: with batch norms, to learn.

    Attributes:
        stride: H and W must be multiples of it.
        radius: pixels to each side that one output pixel depends on; tiles must overlap by it.
        guides, body_width: channels of guides, and at quarter size.
    """

    stride = 4

    def __init__(
        self, *, guides: int = 0, widths: tuple[int, int, int] = WIDTHS, blocks: int = BLOCKS, normed: bool = False
    ) -> None:
        super().__init__()
        full, half, quarter = widths
        self.guides, self.body_width = guides, quarter
        # At quarter size, the layers after the body reach 5 of its pixels in all, the body 2 a block, its entry 1; at
        # half size, the entry reaches 2, and the texture guide its margin.
        self.radius = 4 * (5 + 2 * blocks + 1) + 2 * (2 + MARGIN) + 1
        self.enter = _Conv(BASE_CHANNELS + guides, full, normed)
        self.to_half = _Conv(full + len(BANDS), half, normed)
        self.to_quarter = _Conv(half, quarter, normed)
        self.body = nn.ModuleList([_Block(quarter, normed) for _ in range(blocks)])
        self.narrow_quarter = _Conv(quarter, half, normed)
        self.from_quarter = _Conv(half + half, half, normed)
        self.narrow_half = _Conv(half, full, normed)
        self.from_half = _Conv(full + full, full, normed)
        self.leave = _Conv(full, 4, normed=False)
        with torch.no_grad():
            self.leave.conv.weight.mul_(0.1)
            assert self.leave.conv.bias is not None
            self.leave.conv.bias.copy_(torch.tensor([0.0, 0.0, 0.0, GATE_START]))

    def forward(self, picture: Tensor, guides: Tensor, carried: Tensor, confidence: Tensor) -> Tensor:
        """Paint pictures; the arguments are those of `frame.GuidedFrame`, each with a batch axis in front.

        Returns:
            (N, 3, H, W) in [0, 1].

        Raises:
            ValueError: H or W is no multiple of `stride`.
        """
        own, gate = self.parts(picture, guides, carried, confidence)
        return own + gate * (carried - own)

    def folded(self) -> Self:
        """A copy to paint with: every norm folded into its convolution, at its running statistics."""
        net = copy.deepcopy(self).eval()
        for layer in net.modules():
            if isinstance(layer, _Conv):
                layer.fold()
        return net

    def parts(self, picture: Tensor, guides: Tensor, carried: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """The net's own paint, (N, 3, H, W) in [0, 1], and the gate, (N, 1, H, W) in [0, confidence]."""
        if picture.shape[-2] % self.stride or picture.shape[-1] % self.stride:
            raise ValueError(f"Expected height and width in multiples of {self.stride}, got {tuple(picture.shape)}.")
        # Times confidence, since the paint's value does not matter where no key shows the place.
        x = torch.cat([picture - 0.5, guides, (carried - 0.5) * confidence, confidence], dim=1)
        full = _relu(self.enter(x))
        half = _relu(self.to_half(torch.cat([F.avg_pool2d(full, 2), texture_guide(picture).to(full.dtype)], dim=1)))
        x = _relu(self.to_quarter(F.avg_pool2d(half, 2)))
        for block in self.body:
            x = block(x)
        x = _relu(self.from_quarter(torch.cat([_double(self.narrow_quarter(x)), half], dim=1)))
        x = _relu(self.from_half(torch.cat([_double(self.narrow_half(x)), full], dim=1)))
        x = apply_elementwise(torch.sigmoid, self.leave(x).float())
        return x[:, :3], x[:, 3:] * confidence


class _Conv(nn.Module):
    """A convolution of 3x3 with reflected borders, initialised for a ReLU behind it (He et al. 2015); batch norm."""

    def __init__(self, cin: int, cout: int, normed: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1, padding_mode="reflect")
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)
        self.norm = _Norm(cout, momentum=STATISTICS_SHARE) if normed else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H, W)."""
        x = self.conv(x)
        return x if self.norm is None else self.norm(x)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold the norm into the convolution."""
        norm, self.norm = self.norm, None
        if norm is None:
            return
        assert norm.running_var is not None and norm.running_mean is not None and self.conv.bias is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.conv.weight.mul_(gain[:, None, None, None])
        self.conv.bias.sub_(norm.running_mean).mul_(gain).add_(norm.bias)


class _Norm(nn.BatchNorm2d):
    """Batch norm that can begin as the identity."""

    begins_as_identity = False

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        if self.begins_as_identity:
            self.begins_as_identity = False
            with torch.no_grad():
                assert self.running_var is not None and self.running_mean is not None
                variance, mean = torch.var_mean(x.detach().float(), dim=(0, 2, 3), correction=0)
                self.running_mean.copy_(mean)
                self.running_var.copy_(variance)
                self.weight.copy_(torch.sqrt(variance + self.eps))
                self.bias.copy_(mean)
        return super().forward(x)


class _Block(nn.Module):
    """x + b(relu(a(x))), which begins as x."""

    def __init__(self, channels: int, normed: bool) -> None:
        super().__init__()
        self.a, self.b = _Conv(channels, channels, normed), _Conv(channels, channels, normed)
        nn.init.zeros_(self.b.conv.weight if self.b.norm is None else self.b.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        branch: Tensor = self.b(_relu(self.a(x)))
        return x + branch


def _double(x: Tensor) -> Tensor:
    """`upsample2x`, in bfloat16 where the features are: autocast would upsample in float32."""
    with torch.autocast(x.device.type, enabled=False):
        return upsample2x(x)


def _relu(x: Tensor) -> Tensor:
    return F.relu(x, inplace=True)


def net_from_weights(weights: Mapping[str, Tensor]) -> KeyNet:
    """Build the net that weights from `learning.learn` are for; its sizes follow from their shapes.

    Raises:
        InputError: they are not those of such a net, or not finite.
    """
    try:
        guides = weights["enter.conv.weight"].shape[1] - BASE_CHANNELS
        widths = tuple(weights[f"{name}.conv.weight"].shape[0] for name in ("enter", "to_half", "to_quarter"))
        blocks = sum(name.startswith("body.") and name.endswith(".a.conv.weight") for name in weights)
        net = KeyNet(guides=guides, widths=(widths[0], widths[1], widths[2]), blocks=blocks)
        net.load_state_dict(dict(weights))
    except (KeyError, IndexError, RuntimeError) as error:
        raise InputError(
            f"The learnt weights are not those of a net of key frames: {error}", hint="Learn the keys again."
        ) from error
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise InputError("The learnt weights hold values that are not finite.", hint="Learn the keys again.")
    return net.eval()


def net_to_learn(net: KeyNet) -> KeyNet:
    """A copy of a folded net with norms, to go on learning; its first batch passes as through the folded one."""
    widths = (net.enter.conv.out_channels, net.to_half.conv.out_channels, net.body_width)
    normed = KeyNet(guides=net.guides, widths=widths, blocks=len(net.body), normed=True)
    normed.load_state_dict(net.state_dict(), strict=False)  # all but the norms
    for layer in normed.modules():
        if isinstance(layer, _Norm):
            layer.begins_as_identity = True
    return normed
