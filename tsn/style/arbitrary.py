"""Any painting, without training on it: `style: {adain: painting.png}`.

The family's name is of the first of its kind (Huang & Belongie, "Arbitrary style transfer in real-time with
adaptive instance normalization", 2017). What a painting tells the net, and how, stands in `adain_net.py`; what comes
of it is a net like that of any other style, locked to the shot's survey, at the same cost a frame.
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
"""Goes up when the same weights begin to paint another picture."""

LUMA_KEYS = ("light.plate", "light.painted")
"""In a survey where the plate keeps its colours: mean and deviation of the luma."""


class ArbitraryPainter:
    """An unlocked painter after one painting, or several.

    Args:
        net: on the device it shall paint on.
        paintings: at least one.
        weights: SHA-256 of the net's weights.
        keep_colours: paint in light and dark only, and leave the plate's chroma: painted luma, matched in mean and
            contrast to the plate's, under the colours of the plate (Gatys et al., "Preserving color in
            neural artistic style transfer", 2016).
        tile: longest side of a tile once locked, pixels; 0 = auto.
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
        self.canvas = net.eval().transfer_net_for([resize_painting(painting.image) for painting in paintings], shares)

    def _painter(self, light: tuple[float, float] | None = None) -> FeedforwardPainter:
        canvas = copy.copy(self.canvas)
        canvas.luma = light
        return FeedforwardPainter(canvas, name=self.name, weights=self.fingerprint, tile=self.tile)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`: by the statistics of this frame alone."""
        return self.frozen(self.calibrate([image])).paint(image, number)

    @torch.no_grad()
    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """See `Uncalibrated.calibrate`.

        Where the plate keeps its colours, all frames are held, at most `calibration.PIXEL_LIMIT` pixels of each: what
        is painted of them at the statistics of all is measured too.
        """
        painter = self._painter()
        if not self.keep_colours:
            return replace(painter.calibrate(images), painter_fingerprint=self.fingerprint)
        frames = list(usable_frames(crop_mosaic(image, stride=self.canvas.stride) for image in images))
        calibration = painter.calibrate(frames)
        frozen = painter.frozen(calibration)
        seen = (frames, [frozen.paint(frame[:3], number) for number, frame in enumerate(frames)])
        light = {
            name: torch.stack([_light(x[:3], coverage_of(f)) for x, f in zip(of, frames, strict=True)]).mean(0)
            for name, of in zip(LUMA_KEYS, seen, strict=True)
        }
        return Calibration(painter_fingerprint=self.fingerprint, tensors={**calibration.tensors, **light})

    def frozen(self, calibration: Calibration) -> Painter:
        """See `Uncalibrated.frozen`."""
        require_calibration_of(self, calibration)
        tensors = dict(calibration.tensors)
        light = [tensors.pop(name).tolist() for name in LUMA_KEYS if name in tensors]
        if len(light) != (len(LUMA_KEYS) if self.keep_colours else 0):
            raise InputError(
                f"The survey does not fit the net: expected the light of plate and paint {self.keep_colours}, found"
                f" {len(light)} of {len(LUMA_KEYS)}.",
                hint="Plan the shot again.",
            )
        matched = None
        if light:
            (mean, deviation), (painted, spread) = light
            gain = deviation / max(spread, 1e-3)
            matched = gain, mean - gain * painted
        painter = self._painter(matched)
        frozen = painter.frozen(Calibration(painter_fingerprint=painter.fingerprint, tensors=tensors))
        frozen.fingerprint = digest(self.fingerprint, calibration.fingerprint, str(self.tile))
        return frozen


def _light(picture: Tensor, cover: Tensor | None) -> Tensor:
    """Mean and deviation of the luma of (3, H, W), (2,): row by row, or other threads would sum in another order.

    Args:
        cover: how much each pixel counts, (1, H, W); None where all do.
    """
    rows = luma(picture[None])[0, 0].double().cpu()
    if cover is None:
        mean = rows.mean(1).mean()
        return torch.stack([mean, (rows - mean).square().mean(1).mean().sqrt()]).float()
    weight = cover[0].double().cpu()
    total = weight.sum(1).sum()
    mean = (rows * weight).sum(1).sum() / total
    return torch.stack([mean, (((rows - mean).square() * weight).sum(1).sum() / total).sqrt()]).float()
