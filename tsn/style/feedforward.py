"""A feed-forward net as a painter: by each frame's own statistics, or locked to a shot's survey."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.style.calibration import crop_mosaic, usable_frames
from tsn.style.nets.layers import NormStats, StyleNet
from tsn.style.painter import Calibration, Painter, digest, require_calibration_of
from tsn.style.tiles import Tile, cut_tiles, pad_to_stride, paint_tiled, tile_side

METHOD = "feedforward-3"
"""Goes up when the same weights begin to paint another picture."""


def calibration_from_stats(of: str, stats: NormStats) -> Calibration:
    """Names the norm layers in the order the net runs them: `00.mean`, `00.variance`, ..."""
    named: dict[str, Tensor] = {}
    for index, (mean, variance) in enumerate(stats):
        # Copies outside inference mode: a tensor made inside it may not meet a parameter later.
        named[f"{index:02}.mean"] = mean.detach().float().cpu().clone()
        named[f"{index:02}.variance"] = variance.detach().float().cpu().clone()
    return Calibration(painter_fingerprint=of, tensors=named)


def stats_from_calibration(calibration: Calibration, net: StyleNet) -> NormStats:
    """The way back, on the net's device. Raises InputError unless there is one pair of the right size per norm."""
    device = next(net.parameters()).device
    sizes = [layer.conv.out_channels for layer in net.norm_layers()]
    names = [f"{index:02}.{kind}" for index in range(len(sizes)) for kind in ("mean", "variance")]
    found = {name: tuple(tensor.shape) for name, tensor in calibration.tensors.items()}
    expected = {name: (sizes[index // 2],) for index, name in enumerate(names)}
    if found != expected:
        raise InputError(
            f"The survey does not fit the net: expected {len(expected)} statistics of {sum(sizes)} channels,"
            f" found {len(found)} of {sum(tensor.numel() for tensor in calibration.tensors.values()) // 2}.",
            hint="Plan the shot again.",
        )
    for name, tensor in calibration.tensors.items():
        if not torch.isfinite(tensor).all() or (name.endswith("variance") and (tensor < 0).any()):
            raise InputError(
                f"The survey holds values in {name} that are no statistics of pictures.",
                hint="The style's weights are too large, or the plan is damaged: plan the shot again.",
            )
    return [
        (calibration.tensors[f"{index:02}.mean"].to(device), calibration.tensors[f"{index:02}.variance"].to(device))
        for index in range(len(sizes))
    ]


class FeedforwardPainter:
    """An unlocked net. It paints each frame whole, normalised by itself.

    Args:
        net: on the device it shall paint on.
        name: of the style.
        weights: SHA-256 of its weights.
        tile: longest side of a tile once locked, pixels; 0 = auto.
    """

    def __init__(self, net: StyleNet, *, name: str, weights: str, tile: int = 0) -> None:
        self.net = net.eval().to(memory_format=torch.channels_last)
        self.name = name
        self.tile = tile
        self.fingerprint = digest(METHOD, weights)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        padded = pad_to_stride(image, self.net.stride)
        whole = (slice(0, padded.shape[-2]), slice(0, padded.shape[-1]))
        painted = paint_tiled(self.net, padded, [Tile(read=whole, write=whole)])
        return painted[:, : image.shape[-2], : image.shape[-1]]

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """See `Uncalibrated.calibrate`; holds one frame at a time, of at most `calibration.PIXEL_LIMIT` pixels."""
        frames = []
        for image in usable_frames(crop_mosaic(image, stride=self.net.stride) for image in images):
            picture = pad_to_stride(image, self.net.stride)[None]
            stats = self.net.calibrate([picture.contiguous(memory_format=torch.channels_last)])
            frames.append(calibration_from_stats(self.fingerprint, stats))
        return Calibration.mean(frames)

    def frozen(self, calibration: Calibration) -> Painter:
        """See `Uncalibrated.frozen`."""
        require_calibration_of(self, calibration)
        with torch.no_grad():
            net = self.net.freeze(stats_from_calibration(calibration, self.net))
        return FrozenPainter(
            net, name=self.name, fingerprint=digest(self.fingerprint, calibration.fingerprint), tile=self.tile
        )


class FrozenPainter:
    """A net of convolutions only: norms folded in at a shot's statistics, large frames in tiles.

    The tile size is in the fingerprint, as tiles need not agree with the whole to the last bit.
    """

    def __init__(self, net: StyleNet, *, name: str, fingerprint: str, tile: int) -> None:
        self.net = net
        self.name = name
        self.tile = tile
        self.fingerprint = digest(fingerprint, str(tile))

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        padded = pad_to_stride(image, self.net.stride)
        height, width = padded.shape[-2:]
        plan = cut_tiles(
            height, width, tile=tile_side(height, width, self.tile), overlap=self.net.radius, stride=self.net.stride
        )
        return paint_tiled(self.net, padded, plan)[:, : image.shape[-2], : image.shape[-1]]
