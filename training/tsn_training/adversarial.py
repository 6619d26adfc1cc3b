"""Adversarial training: the discriminator's own steps, beside those of the style net (`discriminator.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tsn_training import photos
from tsn_training.config import PaintingConfig
from tsn_training.discriminator import ADAM_BETAS, Discriminator, discriminator_loss, generator_loss
from tsn_training.parallel import Process
from tsn_training.schedule import learning_rate
from tsn_training.step import training_step

AVERAGE_DECAY = 0.99
"""Share of the average of the weights that stays at each step: it averages over about a hundred steps."""

Net = TypeVar("Net", bound=nn.Module)


class WeightAverage(AveragedModel, Generic[Net]):
    """The moving average of a net's weights, which is what an adversarial training keeps.

    Neither side of it converges: the net's strokes swing from one kind to another, and the average is at rest. Call
    `update_parameters` after each step.

    Attributes:
        module: the averaged net.
    """

    module: Net

    def __init__(self, net: Net) -> None:
        super().__init__(net, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY))


class Conditions(NamedTuple):
    """What the discriminator is given of two paintings, where it is trained on many; each (condition_channels,).

    Attributes:
        matching: of the painting that this step paints after.
        mismatched: of another one.
    """

    matching: Tensor
    mismatched: Tensor


class AdversarialTraining:
    """The discriminator of a training, its optimiser, and the painted pictures of the current step.

    Its state in a checkpoint is that of the net, the optimiser and the scaler.

    Args:
        crops: (n, size) -> crop number n of the painting, (3, size, size), a pure function of n.
        out: where the checkpoints are, for error messages.
        condition_channels: see `Discriminator`.
    """

    def __init__(
        self,
        config: PaintingConfig,
        crops: Callable[[int, int], Tensor],
        process: Process,
        *,
        out: Path,
        condition_channels: int = 0,
    ) -> None:
        assert config.judge is not None
        self.config, self.settings, self.crops, self.process, self.out = config, config.judge, crops, process, out
        self.net = process.move(Discriminator(self.settings.width, condition_channels=condition_channels))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.settings.learning_rate, betas=ADAM_BETAS)
        self.scaler = torch.amp.GradScaler(process.device.type, enabled=config.precision == "fp16")
        self.shared = process.data_parallel(self.net)
        self.painted: list[Tensor] = []
        self._parts: dict[str, Any] = {"net": self.net, "optimizer": self.optimizer, "scaler": self.scaler}

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Take over what a checkpoint kept."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])

    def start(self, first: int) -> None:
        """Draw the painting's crops from step `first` on."""
        self.numbers = iter(
            photos.ShardSampler(self.config, first=first, rank=self.process.rank, world_size=self.process.world_size)
        )

    def generator_loss(self, painted: Tensor, conditions: Conditions | None = None) -> Tensor:
        """Return the style net's loss for painted pictures (N, 3, H, W), and keep these for `train_discriminator`."""
        self.painted.append(painted.detach())
        self.net.requires_grad_(False)  # DDP would wait for the gradients of its parameters
        return generator_loss(self.net(painted, conditions and conditions.matching.expand(len(painted), -1)))

    def train_discriminator(self, step: int, conditions: Conditions | None = None) -> dict[str, Tensor]:
        """Take the discriminator's step on the pictures painted in this step, and return its loss for the log.

        Nothing happens, and nothing is returned, while the style net only copies and has painted none.
        """
        numbers = [next(self.numbers) for _ in range(self.config.accumulate)]
        if not self.painted:
            return {}
        self.net.update_spectral_norms()
        self.net.requires_grad_(True)

        def loss(pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            if conditions is None:
                value = discriminator_loss(self.shared(pictures))
            else:
                matching, mismatched = conditions
                given = torch.stack([matching, matching, mismatched]).repeat_interleave(len(pictures) // 3, 0)
                value = discriminator_loss(self.shared(pictures, given), parts=3)
            return value, {"judge": value}  # a column of `schedule.LOGGED`

        rate = learning_rate(step, self.config.steps, self.settings.learning_rate)
        return training_step(
            step, self._batches(numbers, mismatched=conditions is not None), loss, shared=self.shared,
            optimizer=self.optimizer, scaler=self.scaler, rate=rate, config=self.config, process=self.process,
            out=self.out,
        )  # fmt: skip

    def _batches(self, numbers: list[list[int]], *, mismatched: bool) -> Iterator[Tensor]:
        """Yield the parts of the batch: painted pictures, real crops, and these once more for mismatched pairs."""
        painted, self.painted = self.painted, []
        for fake, part in zip(painted, numbers, strict=True):
            real = torch.stack([self.crops(number, fake.shape[-1]) for number in part]).to(fake)
            pictures = [fake, real, real] if mismatched else [fake, real]
            yield torch.cat(pictures).contiguous(memory_format=torch.channels_last)
