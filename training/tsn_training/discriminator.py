"""A judge of strokes: a net that learns to tell the painting's from ours, while ours learn to pass.

Goodfellow et al., "Generative adversarial nets", 2014; judged patch by patch (Isola et al., pix2pix, 2017), with hinge
losses and spectral norm (Miyato et al. 2018). Statistics over a crop can be met with the right amount of relief along
what a photo shows; a judge sees whether there is a stroke (docs/training.md).

It sees what is finer than eight pixels only, as it is and at half size: where which colour goes is not its business.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from tsn.errors import InputError
from tsn_training import photos

SCALES = (1, 2)
GROUND = 8
"""Pixels over which a picture is averaged to what the judge doesn't see."""
BETAS = 0.5, 0.99
"""Adam's, of both sides: who learns against somebody who learns must forget faster."""
TOLD = 8.0
"""What is told of a painting is divided by, or it would drown what is seen."""
STRANGE = 0.25
"""Of what a judge has to refuse, the share that is another painting's."""
SIZES = (0.85, 0.92, 1.0, 1.09, 1.18)
"""Of the painting that crops are taken from, or the judge would know each of them by heart."""


def finer(picture: Tensor) -> Tensor:
    """What strokes are: a picture (N, 3, H, W) less its ground, about -1 to 1."""
    ground = F.interpolate(F.avg_pool2d(picture, GROUND), size=picture.shape[2:], mode="bilinear", align_corners=False)
    return 4 * (picture - ground)


class Discriminator(nn.Module):
    """(N, 3, H, W) in [0, 1] -> for each scale (N, 1, H/4, W/4): above 0 where it takes strokes for the painting's.

    Where there are many paintings it is told which one is meant, and what that says weighs what it sees (Miyato &
    Koyama, "cGANs with projection discriminator", 2018): a dab may be Van Gogh's and not Hokusai's.

    Args:
        told: numbers that tell a painting, of about 1 each; none where there is one painting alone.
    """

    def __init__(self, width: int, *, told: int = 0) -> None:
        super().__init__()
        self.eyes = nn.ModuleList(_Eye(width, told) for _ in SCALES)
        self.eval()

    @torch.no_grad()
    def iterate(self) -> None:
        """Follow the weights' norms, by one power iteration: once a step, into however many parts its batch is cut."""
        self.train()
        for layer in (module for module in self.modules() if isinstance(module, nn.Conv2d | nn.Linear)):
            _ = layer.weight  # made anew, with the iteration, whenever it is looked at
        self.eval()

    def forward(self, picture: Tensor, of: Tensor | None = None) -> list[Tensor]:
        """What it makes of pictures, each said to be after the painting that `of` (N, told) tells."""
        return [eye(finer(F.avg_pool2d(picture, scale)), of) for scale, eye in zip(SCALES, self.eyes, strict=True)]


class _Eye(nn.Module):
    """Sees 34 px at a time."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for cin, cout, stride in ((3, 1, 2), (1, 2, 2), (2, 4, 1), (4, 4, 1)):
            cin = cin if not layers else cin * width
            conv = nn.Conv2d(cin, cout * width, 4 if stride == 2 else 3, stride, padding=1)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
        self.look = nn.Sequential(*layers)
        self.say = spectral_norm(nn.Conv2d(4 * width, 1, 3, padding=1))
        self.expect = spectral_norm(nn.Linear(told, 4 * width, bias=False)) if told else None

    def forward(self, x: Tensor, of: Tensor | None) -> Tensor:
        seen = self.look(x)
        said: Tensor = self.say(seen)
        if self.expect is not None:
            assert of is not None
            said = said + (seen * self.expect(of / TOLD)[..., None, None]).sum(1, keepdim=True)
        return said


def appeal(judged: list[Tensor]) -> Tensor:
    """What the painter makes small."""
    return -torch.stack([one.mean() for one in judged]).mean()


def doubt(judged: list[Tensor], *, parts: int = 2) -> Tensor:
    """What the judge makes small: 2 where it can't tell, 0 at best.

    Args:
        judged: of a batch in equal parts: what we painted; what the painter did; and perhaps that once more, said to be
            after another painting, which is to be refused as well (Reed et al., "Generative adversarial text to image
            synthesis", 2016).
    """
    lost = []
    for one in judged:
        ours, its, *strange = one.chunk(parts)
        refused = F.relu(1 + ours).mean()
        if strange:  # a share of what it refuses, or it would learn to refuse everything
            refused = (1 - STRANGE) * refused + STRANGE * F.relu(1 + strange[0]).mean()
        lost.append(refused + F.relu(1 - its).mean())
    return torch.stack(lost).mean()


class Crops:
    """Square crops of a painting (1, 3, H, W), each a pure function of the seed and its number.

    Raises:
        InputError: the painting is smaller than the crops.
    """

    def __init__(self, painting: Tensor, *, largest: int, seed: int, source: Path) -> None:
        self.seed = seed
        self.sizes = [
            F.interpolate(painting, scale_factor=s, mode="bicubic", antialias=True).clamp(0, 1) for s in SIZES
        ]
        if min(self.sizes[0].shape[2:]) < largest:
            height, width = painting.shape[2:]
            raise InputError(
                f"{source}: at painting_height it has {width}x{height} pixels, too few for crops of {largest} at"
                f" {SIZES[0]} of its size.",
                hint="Give a larger painting_height, or smaller crops.",
            )

    def __call__(self, number: int, size: int) -> Tensor:
        """(3, size, size)."""
        rng = photos.generator(self.seed, number, 2)
        picture = self.sizes[int(photos.uniform(0, len(self.sizes), rng))][0]
        top, left = (int(photos.uniform(0, length - size + 1, rng)) for length in picture.shape[1:])
        crop = picture[:, top : top + size, left : left + size]
        return crop.flip(-1) if photos.uniform(0, 1, rng) < 0.5 else crop
