"""Feed-forward nets as painters: with the statistics of each frame, or with those of the shot, frozen."""

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
"""Part of the fingerprint. Increase the number when the same weights give other pixels."""


def calibration_from_stats(painter_fingerprint: str, stats: NormStats) -> Calibration:
    """Name the statistics of the norm layers, in the order the net runs them: `00.mean`, `00.variance`, ..."""
    named: dict[str, Tensor] = {}
    for index, (mean, variance) in enumerate(stats):
        # Copies outside inference mode: tensors made inside it cannot be combined with parameters later.
        named[f"{index:02}.mean"] = mean.detach().float().cpu().clone()
        named[f"{index:02}.variance"] = variance.detach().float().cpu().clone()
    return Calibration(painter_fingerprint=painter_fingerprint, tensors=named)


def stats_from_calibration(calibration: Calibration, net: StyleNet) -> NormStats:
    """The inverse of `calibration_from_stats`, on the net's device.

    Raises:
        InputError: the names or sizes are not those of the net's norms, or a value is not finite.
    """
    device = next(net.parameters()).device
    sizes = [layer.conv.out_channels for layer in net.norm_layers()]
    names = [f"{index:02}.{kind}" for index in range(len(sizes)) for kind in ("mean", "variance")]
    found = {name: tuple(tensor.shape) for name, tensor in calibration.tensors.items()}
    expected = {name: (sizes[index // 2],) for index, name in enumerate(names)}
    if found != expected:
        raise InputError(
            f"The calibration does not fit the net: expected {len(expected)} statistics of {sum(sizes)} channels,"
            f" found {len(found)} of {sum(tensor.numel() for tensor in calibration.tensors.values()) // 2}.",
            hint="Plan the shot again.",
        )
    for name, tensor in calibration.tensors.items():
        if not torch.isfinite(tensor).all() or (name.endswith("variance") and (tensor < 0).any()):
            raise InputError(
                f"The calibration holds values in {name} that are no statistics of pictures.",
                hint="The style's weights are too large, or the plan is damaged: plan the shot again.",
            )
    return [
        (calibration.tensors[f"{index:02}.mean"].to(device), calibration.tensors[f"{index:02}.variance"].to(device))
        for index in range(len(sizes))
    ]


class FeedforwardPainter:
    """An uncalibrated net. It paints each frame whole, normalised by itself.

    Args:
        net: on the device to paint on.
        name: of the style.
        weights: SHA-256 of its weights.
        tile: longest side of a tile in pixels, for the frozen painter; 0 = auto.
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
        """See `Uncalibrated.calibrate`; keeps one frame in memory, of at most `calibration.MAX_PIXELS` pixels."""
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
    """A frozen net, of convolutions only; it paints large frames in tiles.

    Args:
        net: from `StyleNet.freeze`, on the device to paint on.
        name: of the style.
        fingerprint: of the uncalibrated painter and the calibration. The tile size is added to it, since the last bits
            of a frame may depend on the tiles.
        tile: longest side of a tile in pixels; 0 = auto.
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
