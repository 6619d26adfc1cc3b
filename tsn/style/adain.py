"""Any painting, without training on it: `style: {adain: painting.png}`.

The family's name is of the first of its kind (Huang & Belongie, "Arbitrary style transfer in real-time with
adaptive instance normalization", 2017). Means and variances alone carry a palette but no brush, so here whole
covariances are matched (`whitening.py`), coarse to fine as in Li et al. 2017: features at a quarter of the size
take on the painting's statistics and are decoded into a picture, whose features at half the size do, and so on.

Statistics of the plate come from the shot's survey, so that the maps are constant and fold into the net
(`adain_net.py`): a locked painter is convolutions only, whichever painting it paints, and may work in tiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.style import whitening
from tsn.style.adain_net import LEVELS, AdainNet, Chain, Step, luma
from tsn.style.base import Painter, Survey, digest, require_survey_of
from tsn.style.locked import LockedPainter
from tsn.style.paintings import Painting
from tsn.style.scale import resize
from tsn.style.survey import mosaic
from tsn.style.tiles import pad

METHOD = "adain-1"
"""Goes up when the same weights begin to paint another picture."""

LINES = 440
"""A painting is looked at with this many lines: its strokes then have the size they shall have on a plate of 360
to 540 lines (`style.scale` makes them larger or finer)."""

FLOOR = 0.1
"""See `whitening.transport`; the decoders were trained with it."""


class AdainPainter:
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
        self, net: AdainNet, paintings: Sequence[Painting], *, weights: str, keep_colours: bool = False, tile: int = 0
    ) -> None:
        self.net = net.eval().to(memory_format=torch.channels_last)
        self.keep_colours, self.tile = keep_colours, tile
        self.name = "+".join(painting.name for painting in paintings)
        total = sum(painting.weight for painting in paintings)
        self.shares = [painting.weight / total for painting in paintings]
        self.fingerprint = digest(
            *(METHOD, weights, repr(keep_colours)),
            *(text for p, share in zip(paintings, self.shares, strict=True) for text in (p.sha256, repr(share))),
        )
        pictures = [self._as_painted(painting.image) for painting in paintings]
        with torch.no_grad():
            self.styles = [{level: self.net.moments(x, level) for level in LEVELS} for x in pictures]

    def _as_painted(self, image: Tensor) -> Tensor:
        """A painting at `LINES` lines, its size in multiples of the net's stride: (1, 3, H, W)."""
        stride = self.net.stride
        width = max(2, round(image.shape[-1] * LINES / image.shape[-2] / stride)) * stride
        return resize(image, LINES, width)[None].to(next(self.net.parameters()).device)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`: by the statistics of this frame alone."""
        return self.locked(self.survey([image])).paint(image, number)

    @torch.no_grad()
    def survey(self, images: Iterable[Tensor]) -> Survey:
        """See `Unlocked.survey`; holds all frames, each of at most `survey.PIXEL_LIMIT` pixels.

        A level sees what the level before it has painted, so its statistics depend on the whole survey of that.
        """
        stride = self.net.stride
        frames = [pad(mosaic(image, stride=stride), stride)[None] for image in images]
        if not frames:
            raise ValueError("A survey needs one frame at least.")
        tensors = self._mean([whitening.moments(luma(frame)) for frame in frames], "luma")
        for level in LEVELS:
            tensors |= self._mean([self.net.moments(frame, level) for frame in frames], str(level))
            step = self._step(level, tensors)
            frames = [step(frame) for frame in frames]
        tensors |= self._mean([whitening.moments(luma(frame)) for frame in frames], "painted")
        return Survey(of=self.fingerprint, tensors=tensors)

    @staticmethod
    def _mean(frames: Sequence[whitening.Moments], name: str) -> dict[str, Tensor]:
        mean, second = (torch.cat(parts).mean(0).float() for parts in zip(*frames, strict=True))
        return {f"{name}.mean": mean, f"{name}.second": second}

    def _step(self, level: int, tensors: Mapping[str, Tensor]) -> Step:
        plate = tensors[f"{level}.mean"].double()[None], tensors[f"{level}.second"].double()[None]
        maps = [whitening.transport(plate, style[level], floor=FLOOR) for style in self.styles]
        matrix, offset = whitening.mixed(maps, self.shares)
        return self.net.step(level, (matrix[0], offset[0]))

    def _luma(self, tensors: Mapping[str, Tensor]) -> tuple[float, float] | None:
        """(gain, offset) that give painted luma the mean and contrast of the plate's."""
        if not self.keep_colours:
            return None
        plate, painted = ((tensors[f"{k}.mean"].double(), tensors[f"{k}.second"].double()) for k in ("luma", "painted"))
        deviations = [max(whitening.covariance(of).item(), 1e-6) ** 0.5 for of in (plate, painted)]
        gain = deviations[0] / deviations[1]
        return gain, plate[0].item() - gain * painted[0].item()

    def locked(self, survey: Survey) -> Painter:
        """See `Unlocked.locked`."""
        require_survey_of(self, survey)
        sizes = {str(level): self.net.channels(level) for level in LEVELS} | {"luma": 1, "painted": 1}
        expected = {f"{k}.mean": (n,) for k, n in sizes.items()} | {f"{k}.second": (n, n) for k, n in sizes.items()}
        if {name: tuple(tensor.shape) for name, tensor in survey.tensors.items()} != expected:
            raise InputError(
                f"The survey does not fit the net: expected {', '.join(sorted(expected))} of {sizes} channels,"
                f" found {', '.join(sorted(survey.tensors)) or 'nothing'}.",
                hint="Plan the shot again.",
            )
        chain = Chain([self._step(level, survey.tensors) for level in LEVELS], self._luma(survey.tensors))
        fingerprint = digest(self.fingerprint, survey.fingerprint)
        return LockedPainter(chain.eval(), name=self.name, fingerprint=fingerprint, tile=self.tile)
