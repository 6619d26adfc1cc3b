"""Painter for any painting, without training on it: `style: {adain: painting.png}`.

A style prediction net sets the parameters of a style transfer net for the painting (`nets/style_prediction.py`). After
that it is a net like that of any other style: calibrated on the shot, frozen, at the same cost per frame. The name
`adain` of the family is that of a well-known forerunner (Huang & Belongie, "Arbitrary style transfer in real-time with
adaptive instance normalization", 2017).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.style.calibration import coverage_of, crop_mosaic, usable_frames
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.nets.style_prediction import StylePredictionNet, luma
from tsn.style.painter import Calibration, Painter, digest, require_calibration_of
from tsn.style.paintings import Painting, resize_painting

METHOD = "adain-4"
"""Part of the fingerprint. Increase the number when the same weights give other pixels."""

LUMA_KEYS = ("light.plate", "light.painted")
"""Tensors of the calibration where the plate keeps its colours: mean and standard deviation of the luma, (2,) each."""


class ArbitraryPainter:
    """An uncalibrated painter in the style of one painting, or of a weighted mix.

    Args:
        net: on the device to paint on.
        paintings: at least one.
        weights: SHA-256 of the net's weights.
        keep_colours: transfer luma only: the painted luma, matched to the plate's in mean and contrast, with the chroma
            of the plate (Gatys et al., "Preserving color in neural artistic style transfer", 2016).
        tile: longest side of a tile in pixels, for the frozen painter; 0 = auto.

    Attributes:
        net: the style transfer net, set for the paintings.
    """

    def __init__(
        self,
        net: StylePredictionNet,
        paintings: Sequence[Painting],
        *,
        weights: str,
        keep_colours: bool = False,
        tile: int = 0,
    ) -> None:
        self.keep_colours, self.tile = keep_colours, tile
        self.name = "+".join(painting.name for painting in paintings)
        total = sum(painting.weight for painting in paintings)
        shares = [painting.weight / total for painting in paintings]
        self.fingerprint = digest(
            *(METHOD, weights, repr(keep_colours)),
            *(text for p, share in zip(paintings, shares, strict=True) for text in (p.sha256, repr(share))),
        )
        self.net = net.eval().transfer_net_for([resize_painting(painting.image) for painting in paintings], shares)

    def _painter(self, luma_match: tuple[float, float] | None = None) -> FeedforwardPainter:
        """A painter with the transfer net; `luma_match` is its `StyleTransferNet.luma`."""
        net = copy.copy(self.net)
        net.luma = luma_match
        return FeedforwardPainter(net, name=self.name, weights=self.fingerprint, tile=self.tile)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`; with the statistics of this frame alone."""
        return self.frozen(self.calibrate([image])).paint(image, number)

    @torch.no_grad()
    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """See `Uncalibrated.calibrate`.

        Where the plate keeps its colours, the luma that is painted with the statistics of all frames is measured too.
        All frames are then in memory, with at most `calibration.MAX_PIXELS` pixels each.
        """
        painter = self._painter()
        if not self.keep_colours:
            return replace(painter.calibrate(images), painter_fingerprint=self.fingerprint)
        frames = list(usable_frames(crop_mosaic(image, stride=self.net.stride) for image in images))
        calibration = painter.calibrate(frames)
        frozen = painter.frozen(calibration)
        painted = [frozen.paint(frame[:3], number) for number, frame in enumerate(frames)]
        luma_statistics = {
            key: torch.stack(
                [_luma_statistics(p[:3], coverage_of(f)) for p, f in zip(pictures, frames, strict=True)]
            ).mean(0)
            for key, pictures in zip(LUMA_KEYS, (frames, painted), strict=True)
        }
        return Calibration(painter_fingerprint=self.fingerprint, tensors={**calibration.tensors, **luma_statistics})

    def frozen(self, calibration: Calibration) -> Painter:
        """See `Uncalibrated.frozen`."""
        require_calibration_of(self, calibration)
        tensors = dict(calibration.tensors)
        luma_statistics = [tensors.pop(name).tolist() for name in LUMA_KEYS if name in tensors]
        expected = len(LUMA_KEYS) if self.keep_colours else 0
        if len(luma_statistics) != expected:
            raise InputError(
                f"The calibration does not fit the net: expected {expected} tensors of luma statistics, found"
                f" {len(luma_statistics)}.",
                hint="Plan the shot again.",
            )
        luma_match = None
        if luma_statistics:
            (mean, deviation), (painted_mean, painted_deviation) = luma_statistics
            gain = deviation / max(painted_deviation, 1e-3)
            luma_match = gain, mean - gain * painted_mean
        painter = self._painter(luma_match)
        frozen = painter.frozen(Calibration(painter_fingerprint=painter.fingerprint, tensors=tensors))
        frozen.fingerprint = digest(self.fingerprint, calibration.fingerprint, str(self.tile))
        return frozen


def _luma_statistics(picture: Tensor, coverage: Tensor | None) -> Tensor:
    """Mean and standard deviation of the luma of (3, H, W), as (2,).

    First by row, so that the order of summation does not depend on the number of threads.

    Args:
        coverage: weight of each pixel, (1, H, W); None weighs all alike.
    """
    rows = luma(picture[None])[0, 0].double().cpu()
    if coverage is None:
        mean = rows.mean(1).mean()
        return torch.stack([mean, (rows - mean).square().mean(1).mean().sqrt()]).float()
    weight = coverage[0].double().cpu()
    total = weight.sum(1).sum()
    mean = (rows * weight).sum(1).sum() / total
    return torch.stack([mean, (((rows - mean).square() * weight).sum(1).sum() / total).sqrt()]).float()
