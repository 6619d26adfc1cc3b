"""A discriminator of strokes: a net that learns to tell the painting's strokes from those of the style net.

Goodfellow et al., "Generative adversarial nets", 2014; patch by patch (Isola et al., pix2pix, 2017), with hinge losses
and spectral norm (Miyato et al., "Spectral normalization for generative adversarial networks", 2018). Gram matrices
over a crop can be matched by a relief along the edges of the photo; a discriminator sees whether there is a stroke
(docs/research/training.md).

It sees only what is finer than eight pixels, at full and at half size: which colour goes where is left to other losses.
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
"""Factors that pictures are reduced by; each has a discriminator of its own."""
BLUR_PX = 8
"""Side of the squares whose averages are subtracted from a picture before the discriminator sees it."""
ADAM_BETAS = 0.5, 0.99
"""For both sides: a net whose adversary learns too must forget old gradients faster than usual."""
CONDITION_SCALE = 8.0
"""The numbers of a condition are divided by it, or they would outweigh what is seen in the picture."""
MISMATCHED_SHARE = 0.25
"""Weight of real strokes under another painting's condition among all that is to be refused."""
PAINTING_SCALES = (0.85, 0.92, 1.0, 1.09, 1.18)
"""Sizes of the painting that crops are cut from, or the discriminator would learn each crop by heart."""


def fine_detail(picture: Tensor) -> Tensor:
    """Return a picture (N, 3, H, W) without what is coarser than `BLUR_PX`, in about -1 to 1."""
    means = F.avg_pool2d(picture, BLUR_PX)
    blurred = F.interpolate(means, size=picture.shape[2:], mode="bilinear", align_corners=False)
    return 4 * (picture - blurred)


class Discriminator(nn.Module):
    """(N, 3, H, W) in [0, 1] -> for each scale logits (N, 1, H/4, W/4), above 0 for strokes of the painting.

    Where a training has many paintings, the logits are conditioned on the one that is painted after (Miyato & Koyama,
    "cGANs with projection discriminator", 2018): a dab may be Van Gogh's and not Hokusai's.

    The modules' names are keys of checkpoints, and stay.

    Args:
        width: channels at half size.
        condition_channels: numbers that stand for a painting, each about 1; 0 for no condition.
    """

    def __init__(self, width: int, *, condition_channels: int = 0) -> None:
        super().__init__()
        self.eyes = nn.ModuleList(_PatchDiscriminator(width, condition_channels) for _ in SCALES)
        self.eval()

    @torch.no_grad()
    def update_spectral_norms(self) -> None:
        """Take one power iteration of each layer's spectral norm: once a step, however many parts its batch has."""
        self.train()
        for layer in (module for module in self.modules() if isinstance(module, nn.Conv2d | nn.Linear)):
            _ = layer.weight  # in train mode, reading the parametrised weight runs the iteration
        self.eval()

    def forward(self, picture: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """Return the logits of pictures, each under the condition (N, condition_channels) of a painting."""
        return [
            eye(fine_detail(F.avg_pool2d(picture, scale)), condition)
            for scale, eye in zip(SCALES, self.eyes, strict=True)
        ]


class _PatchDiscriminator(nn.Module):
    """The discriminator of one scale; a logit sees 34 px."""

    def __init__(self, width: int, condition_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for cin, cout, stride in ((3, 1, 2), (1, 2, 2), (2, 4, 1), (4, 4, 1)):
            cin = cin if not layers else cin * width
            conv = nn.Conv2d(cin, cout * width, 4 if stride == 2 else 3, stride, padding=1)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
        self.look = nn.Sequential(*layers)
        self.say = spectral_norm(nn.Conv2d(4 * width, 1, 3, padding=1))
        self.expect: nn.Module | None = None
        if condition_channels:
            self.expect = spectral_norm(nn.Linear(condition_channels, 4 * width, bias=False))

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        features = self.look(x)
        logits: Tensor = self.say(features)
        if self.expect is not None:
            assert condition is not None
            projection = self.expect(condition / CONDITION_SCALE)[..., None, None]
            logits = logits + (features * projection).sum(1, keepdim=True)
        return logits


def generator_loss(logits: list[Tensor]) -> Tensor:
    """Return the style net's loss: minus the mean logit of painted pictures, averaged over the scales."""
    return -torch.stack([one.mean() for one in logits]).mean()


def discriminator_loss(logits: list[Tensor], *, parts: int = 2) -> Tensor:
    """Return the discriminator's hinge loss: 2 where it cannot tell, 0 at best.

    Args:
        logits: by scale, of a batch in equal parts: painted pictures; crops of the painting; and, as a third part,
            such crops under another painting's condition, which it must refuse too (Reed et al., "Generative
            adversarial text to image synthesis", 2016).
        parts: 2 or 3.
    """
    by_scale = []
    for one in logits:
        fake, real, *mismatched = one.chunk(parts)
        refused = F.relu(1 + fake).mean()
        if mismatched:  # with a small weight, or the discriminator would learn to refuse everything
            refused = (1 - MISMATCHED_SHARE) * refused + MISMATCHED_SHARE * F.relu(1 + mismatched[0]).mean()
        by_scale.append(refused + F.relu(1 - real).mean())
    return torch.stack(by_scale).mean()


class PaintingCrops:
    """Square crops of a painting (1, 3, H, W), each a pure function of the seed and its number.

    Args:
        largest: side of the largest crops that will be drawn, pixels.
        source: the painting's file, for the error message.

    Raises:
        InputError: the painting is smaller than the crops.
    """

    def __init__(self, painting: Tensor, *, largest: int, seed: int, source: Path) -> None:
        self.seed = seed
        self.sizes = [
            F.interpolate(painting, scale_factor=s, mode="bicubic", antialias=True).clamp(0, 1) for s in PAINTING_SCALES
        ]
        if min(self.sizes[0].shape[2:]) < largest:
            height, width = painting.shape[2:]
            raise InputError(
                f"{source}: at painting_height it has {width}x{height} pixels, too few for crops of {largest} at"
                f" {PAINTING_SCALES[0]} of its size.",
                hint="Give a larger painting_height, or smaller crops.",
            )

    def __call__(self, number: int, size: int) -> Tensor:
        """Return crop `number`, (3, size, size) in [0, 1]."""
        rng = photos.seeded_generator(self.seed, number, 2)
        picture = self.sizes[int(photos.uniform(0, len(self.sizes), rng))][0]
        top, left = (int(photos.uniform(0, length - size + 1, rng)) for length in picture.shape[1:])
        crop = picture[:, top : top + size, left : left + size]
        return crop.flip(-1) if photos.uniform(0, 1, rng) < 0.5 else crop
