"""Any painting, without training on it: `style: {adain: painting.png}`.

The family's name is of the first of its kind (Huang & Belongie, "Arbitrary style transfer in real-time with
adaptive instance normalization", 2017). Means and variances alone carry a palette but no brush, so here whole
covariances are matched (`whitening.py`), coarse to fine as in Li et al. 2017: features at a quarter of the size
take on the painting's statistics and are decoded into a picture, whose features at half the size do, and so on.

The encoder is our own and small; it speaks in the principal components of VGG's features, so that matching
statistics there is matching them in VGG, where they are textures (see training/train_adain.py).

Statistics of the plate come from the shot's survey. A map of feature vectors is linear then, and so is what
comes before it (the last 1x1 of the encoder) and after it (the decoder's first convolution): all three fold into
one. So a locked painter is convolutions only, whichever painting it paints, and may work in tiles.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tsn.errors import InputError, UsageError
from tsn.style import weights, whitening
from tsn.style.base import Painter, Survey, digest, require_survey_of
from tsn.style.lockable import ConvNorm, LockableNet, Stats, enlarged
from tsn.style.locked import LockedPainter
from tsn.style.scale import resize
from tsn.style.survey import mosaic
from tsn.style.tiles import pad

METHOD = "adain-1"
"""Goes up when the same weights begin to paint another picture."""

TRAINED_BY = "training/train_adain.py writes such files."
BUNDLED = Path(__file__).parent / "weights/adain.safetensors"

LEVELS = 3, 2, 1
"""In the order they are painted: features at 1/4, at 1/2 and at full size."""

LINES = 440
"""A painting is looked at with this many lines: its strokes then have the size they shall have on a plate of 360
to 540 lines (`style.scale` makes them larger or finer)."""

FLOOR = 0.1
"""See `whitening.transport`; the decoders were trained with it."""

DETAILED, DETAIL = (3, 2), 0.5
"""At these levels a decoder loses what is fine. So much of the luma that it loses of the plate is put back before
the next level: at 0 faces and windows melt, at 1 a photo shines through the paint (looked at; 0.5 draws)."""

LUMA = 0.2126, 0.7152, 0.0722


class _Enlarge(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return enlarged(x)


def _conv(cin: int, cout: int, *, kernel: int = 3, relu: bool = True) -> ConvNorm:
    return ConvNorm(cin, cout, kernel=kernel, norm=False, relu=relu)


class AdainNet(nn.Module):
    """An encoder with three levels of features, and a decoder for each.

    Args:
        width: channels of the features at full size; twice that at 1/2, four times at 1/4.
    """

    stride = 4
    # Level by level, down and up: two convolutions a size, 2x2 averages, and 2 px of the smaller size to enlarge.
    radius = (2 + 1 + 4 + 2 + 8 + 8 + 8 + 4 + 4 + 2) + (2 + 1 + 4 + 4 + 4 + 2) + (2 + 2)

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        self.width = w = width
        thin = 2 * w // 3  # at full size every channel costs as much as sixteen at 1/4
        self.stages = nn.ModuleList(
            [
                nn.Sequential(_conv(3, thin), _conv(thin, w)),
                nn.Sequential(nn.AvgPool2d(2), _conv(w, 2 * w), _conv(2 * w, 2 * w)),
                nn.Sequential(nn.AvgPool2d(2), _conv(2 * w, 4 * w), _conv(4 * w, 4 * w)),
            ]
        )
        self.heads = nn.ModuleList([_conv(c, c, kernel=1, relu=False) for c in (w, 2 * w, 4 * w)])
        self.decoders = nn.ModuleList(
            [
                nn.Sequential(_conv(w, thin), _conv(thin, 3, relu=False)),
                nn.Sequential(
                    _conv(2 * w, 2 * w), _conv(2 * w, w), _Enlarge(), _conv(w, thin), _conv(thin, 3, relu=False)
                ),
                nn.Sequential(
                    *(_conv(4 * w, 4 * w), _conv(4 * w, 2 * w), _Enlarge()),
                    *(_conv(2 * w, 2 * w), _conv(2 * w, w), _Enlarge()),
                    *(_conv(w, thin), _conv(thin, 3, relu=False)),
                ),
            ]
        )

    def encode(self, x: Tensor, last: int = 3) -> dict[int, Tensor]:
        """(N, 3, H, W) in [0, 1] -> features (N, C, h, w) of each level up to `last`."""
        x, found = x - 0.5, {}
        for level in range(1, last + 1):
            x = self.stages[level - 1](x)
            found[level] = self.heads[level - 1](x)
        return found

    def decode(self, features: Tensor, level: int) -> Tensor:
        """Features of a level -> picture (N, 3, H, W), about in [0, 1]."""
        return self.decoders[level - 1](features) + 0.5

    def channels(self, level: int) -> int:
        return _convolution(self.heads[level - 1]).out_channels

    def moments(self, pictures: Tensor, level: int) -> whitening.Moments:
        """Of the features of a level, one pair for each of the pictures (N, 3, H, W)."""
        return whitening.moments(self.encode(pictures, level)[level])

    def step(self, level: int, transform: whitening.Map) -> Step:
        """One level of painting with its map of features folded in."""
        size = self.channels(level)
        same = torch.eye(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
        plain = self._folded(level, same) if level in DETAILED else None
        return Step(copy.deepcopy(self.stages[:level]), self._folded(level, transform), plain)

    @torch.no_grad()
    def _folded(self, level: int, transform: whitening.Map) -> nn.Sequential:
        """A decoder that takes what comes before the head: head and map are in its first convolution."""
        decoder = copy.deepcopy(self.decoders[level - 1])
        assert isinstance(decoder, nn.Sequential)
        head, first = _convolution(self.heads[level - 1]), _convolution(decoder[0])
        assert head.bias is not None and first.bias is not None
        kernel, bias = first.weight.double().cpu(), first.bias.double().cpu()
        matrix, offset = transform
        with whitening.one_thread():
            offset = matrix @ head.bias.double().cpu() + offset
            matrix = matrix @ head.weight[:, :, 0, 0].double().cpu()
            bias = bias + torch.einsum("ofkl,f->o", kernel, offset)
            kernel = torch.einsum("ofkl,fh->ohkl", kernel, matrix)
        first.weight = nn.Parameter(kernel.to(first.weight))
        first.bias = nn.Parameter(bias.to(first.weight))
        return decoder


def _convolution(layer: nn.Module) -> nn.Conv2d:
    assert isinstance(layer, ConvNorm)
    return layer.conv


class Step(nn.Module):
    """Encode, and decode with another texture: picture -> picture.

    Args:
        plain: the decoder without that texture, where the detail that it loses shall come back.
    """

    def __init__(self, stages: Iterable[nn.Module], decoder: nn.Module, plain: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.decoder, self.plain = nn.Sequential(*stages), decoder, plain
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        x = x - 0.5
        seen = self.encoder(x)
        painted = self.decoder(seen) + 0.5
        if self.plain is not None:
            painted += DETAIL * luma(x - self.plain(seen))
        return painted.clamp_(0, 1)


class Chain(LockableNet):
    """The locked net: steps one after the other; no norms.

    Args:
        luma: (gain, offset) for the painted luma, where the plate keeps its colours; see `AdainPainter`.
    """

    stride, radius = AdainNet.stride, AdainNet.radius

    def __init__(self, steps: Sequence[Step], luma: tuple[float, float] | None) -> None:
        super().__init__()
        self.steps, self.luma = nn.Sequential(*steps), luma

    def paint(self, x: Tensor, record: Stats | None) -> Tensor:
        painted = self.steps(x)
        if self.luma is None:
            return painted
        gain, offset = self.luma
        # Chroma is what is left of a pixel without its luma; adding the same to R, G and B leaves it.
        return (x + (gain * luma(painted) + offset - luma(x))).clamp_(0, 1)


def luma(x: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W), Rec.709 weights."""
    r, g, b = LUMA
    return r * x[:, :1] + g * x[:, 1:2] + b * x[:, 2:]


@dataclass(frozen=True, kw_only=True)
class Painting:
    """What to paint like.

    Attributes:
        image: (3, H, W) in [0, 1], display-referred.
        sha256: of its file.
        weight: in a blend; weights are scaled to a sum of 1.
    """

    name: str
    image: Tensor
    sha256: str
    weight: float = 1.0


def net_from(path: Path = BUNDLED) -> AdainNet:
    """The net in a safetensors file that training/train_adain.py wrote, in float32, on the CPU.

    Raises:
        InputError: the file is damaged, of another net, or its tensors do not fit what it says of itself.
    """
    facts = weights.metadata(path)
    width = text if (text := facts.get("width", "")).isdecimal() else "0"
    if facts.get("family") != "adain" or not int(width):
        raise InputError(
            f"{path}: expected weights of family 'adain' and their width, found {facts.get('family')!r},"
            f" width={facts.get('width')!r}.",
            hint=TRAINED_BY,
        )
    net = AdainNet(width=int(width))
    weights.fill(net, path, said=f"width {width}", hint=TRAINED_BY)
    return net


def read_paintings(weights: Mapping[str, float], *, base: Path = Path()) -> tuple[Painting, ...]:
    """Paintings, as files relative to `base` with their weights: PNG, JPEG, TIFF or WebP.

    Raises:
        UsageError: none, or a weight that is not above 0.
        InputError: a file is missing or not such a picture.
    """
    import hashlib

    from tsn.io import read_image

    if not weights:
        raise UsageError("style.adain: expected a painting, as in {adain: painting.png}.")
    found = []
    for name, weight in weights.items():
        path = base / Path(name).expanduser()
        if not 0 < weight < float("inf"):
            raise UsageError(f"style.adain: the weight of {name} must be above 0, got {weight}.")
        if not path.is_file():
            raise InputError(
                f"The painting does not exist: {path}", hint="A relative path is relative to the shot file."
            )
        image = torch.from_numpy(read_image(path)).permute(2, 0, 1).contiguous()
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(Painting(name=path.stem, image=image, sha256=sha256, weight=weight))
    return tuple(found)


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
