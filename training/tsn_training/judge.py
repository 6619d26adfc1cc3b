"""A judge of strokes: a net that learns to tell the painting's from ours, while ours learn to pass.

Goodfellow et al., "Generative adversarial nets", 2014; judged patch by patch (Isola et al., pix2pix, 2017), with hinge
losses and spectral norm (Miyato et al. 2018). Statistics over a crop can be met with the right amount of relief along
what a photo shows; a judge sees whether there is a stroke (docs/training.md).

It sees what is finer than eight pixels only, as it is and at half size: where which colour goes is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from tsn.errors import InputError
from tsn_training import photos
from tsn_training.config import StyleConfig
from tsn_training.lesson import learning_rate
from tsn_training.parallel import Place
from tsn_training.step import take

SCALES = (1, 2)
GROUND = 8
"""Pixels over which a picture is averaged to what the judge doesn't see."""
BETAS = 0.5, 0.99
"""Adam's, of both sides: who learns against somebody who learns must forget faster."""
SIZES = (0.85, 0.92, 1.0, 1.09, 1.18)
"""Of the painting that crops are taken from, or the judge would know each of them by heart."""


def finer(picture: Tensor) -> Tensor:
    """What strokes are: a picture (N, 3, H, W) less its ground, about -1 to 1."""
    ground = F.interpolate(F.avg_pool2d(picture, GROUND), size=picture.shape[2:], mode="bilinear", align_corners=False)
    return 4 * (picture - ground)


class Judge(nn.Module):
    """(N, 3, H, W) in [0, 1] -> for each scale (N, 1, H/4, W/4): above 0 where it takes strokes for the painting's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.eyes = nn.ModuleList(_eye(width) for _ in SCALES)

        self.eval()

    @torch.no_grad()
    def iterate(self) -> None:
        """Follow the weights' norms, by one power iteration: once a step, into however many parts its batch is cut."""
        self.train()
        for conv in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            _ = conv.weight  # made anew, with the iteration, whenever it is looked at
        self.eval()

    def forward(self, picture: Tensor) -> list[Tensor]:
        return [eye(finer(F.avg_pool2d(picture, scale))) for scale, eye in zip(SCALES, self.eyes, strict=True)]


def _eye(width: int) -> nn.Sequential:
    """Sees 34 px at a time."""
    layers: list[nn.Module] = []
    for cin, cout, stride in ((3, 1, 2), (1, 2, 2), (2, 4, 1), (4, 4, 1)):
        cin = cin if not layers else cin * width
        conv = nn.Conv2d(cin, cout * width, 4 if stride == 2 else 3, stride, padding=1)
        layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(4 * width, 1, 3, padding=1)))


def appeal(judged: list[Tensor]) -> Tensor:
    """What the painter makes small."""
    return -torch.stack([one.mean() for one in judged]).mean()


def doubt(judged: list[Tensor]) -> Tensor:
    """What the judge makes small, of a batch whose first half is painted by us: 2 where it can't tell, 0 at best."""
    halves = [one.chunk(2) for one in judged]
    return torch.stack([F.relu(1 + ours).mean() + F.relu(1 - its).mean() for ours, its in halves]).mean()


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


class Judging:
    """The judge of a training and what it keeps from step to step.

    Args:
        painting: see `objective.painting`.
        out: where the checkpoints are, for messages.
    """

    def __init__(self, config: StyleConfig, painting: Tensor, here: Place, *, out: Path) -> None:
        assert config.judge is not None
        self.config, self.here, self.out = config, here, out
        largest = max(stage.crop for stage in config.stages)
        self.crops = Crops(painting, largest=largest, seed=config.seed, source=config.painting)
        self.net = Judge(config.judge.width).to(here.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=config.judge.learning_rate, betas=BETAS)
        self.scaler = torch.amp.GradScaler(here.device.type, enabled=config.precision == "fp16")
        self.shared = here.share(self.net)
        self.seen: list[Tensor] = []
        self._parts: dict[str, Any] = {"net": self.net, "optimizer": self.optimizer, "scaler": self.scaler}

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state[name])

    def begin(self, first: int) -> None:
        """Before step `first`."""
        self.numbers = iter(photos.Share(self.config, first=first, rank=self.here.rank, world=self.here.world))

    def of(self, painted: Tensor) -> Tensor:
        """How the judge finds what was painted, `appeal`; it is kept to learn from."""
        self.seen.append(painted.detach())
        self.net.requires_grad_(False)  # or DDP would wait for what it learnt from this
        return appeal(self.net(painted))

    def learn(self, step: int) -> dict[str, Tensor]:
        """A step of the judge's own, from what it saw in this step; none while the net only copies."""
        assert self.config.judge is not None
        numbers = [next(self.numbers) for _ in range(self.config.accumulate)]
        if not self.seen:
            return {}
        self.net.iterate()
        self.net.requires_grad_(True)
        rate = learning_rate(step, self.config.steps, self.config.judge.learning_rate)
        return take(
            step, self._batches(numbers), self._loss, shared=self.shared, optimizer=self.optimizer, scaler=self.scaler,
            rate=rate, config=self.config, here=self.here, out=self.out,
        )  # fmt: skip

    def _batches(self, numbers: list[list[int]]) -> Iterator[Tensor]:
        seen, self.seen = self.seen, []
        for ours, part in zip(seen, numbers, strict=True):
            its = torch.stack([self.crops(number, ours.shape[-1]) for number in part])
            yield torch.cat([ours, its.to(ours)]).contiguous(memory_format=torch.channels_last)

    def _loss(self, both: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        lost = doubt(self.shared(both))
        return lost, {"judge": lost}
