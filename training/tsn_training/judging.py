"""A judge in a training: what it learns of each step, beside the net that it judges (`judge.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tsn_training import photos
from tsn_training.config import PaintingConfig
from tsn_training.discriminator import BETAS, Discriminator, appeal, doubt
from tsn_training.parallel import Place
from tsn_training.schedule import learning_rate
from tsn_training.step import take

MEAN = 0.99
"""Of a judged net's weights, how much stays of the mean of those before at each step: the mean is what is kept."""


def running_mean(net: nn.Module) -> AveragedModel:
    """The mean of a judged net's weights, of some hundred steps, once it is shown the net after each."""
    return AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(MEAN))


class Told(NamedTuple):
    """What a judge is told where there are many paintings, each (told,): the one that is meant, and a strange one."""

    meant: Tensor
    strange: Tensor


class Judging:
    """The judge of a training and what it keeps from step to step.

    Args:
        crops: crop number n of what the painter did, (3, size, size), a pure function of n: `judge.Crops`.
        out: where the checkpoints are, for messages.
        told: see `Discriminator`.
    """

    def __init__(
        self,
        config: PaintingConfig,
        crops: Callable[[int, int], Tensor],
        here: Place,
        *,
        out: Path,
        told: int = 0,
    ) -> None:
        assert config.judge is not None
        self.config, self.judge, self.crops, self.here, self.out = config, config.judge, crops, here, out
        self.net = Discriminator(self.judge.width, told=told).to(here.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.judge.learning_rate, betas=BETAS)
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

    def of(self, painted: Tensor, told: Told | None = None) -> Tensor:
        """How the judge finds what was painted, `appeal`; it is kept to learn from."""
        self.seen.append(painted.detach())
        self.net.requires_grad_(False)  # or DDP would wait for what it learnt from this
        return appeal(self.net(painted, told and told.meant.expand(len(painted), -1)))

    def learn(self, step: int, told: Told | None = None) -> dict[str, Tensor]:
        """A step of the judge's own, from what it saw in this step; none while the net only copies."""
        numbers = [next(self.numbers) for _ in range(self.config.accumulate)]
        if not self.seen:
            return {}
        self.net.iterate()
        self.net.requires_grad_(True)

        def loss(pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            if told is None:
                lost = doubt(self.shared(pictures))
            else:
                said = torch.stack([told.meant, told.meant, told.strange]).repeat_interleave(len(pictures) // 3, 0)
                lost = doubt(self.shared(pictures, said), parts=3)
            return lost, {"judge": lost}

        rate = learning_rate(step, self.config.steps, self.judge.learning_rate)
        return take(
            step, self._batches(numbers, strange=told is not None), loss, shared=self.shared,
            optimizer=self.optimizer, scaler=self.scaler, rate=rate, config=self.config, here=self.here, out=self.out,
        )  # fmt: skip

    def _batches(self, numbers: list[list[int]], *, strange: bool) -> Iterator[Tensor]:
        seen, self.seen = self.seen, []
        for ours, part in zip(seen, numbers, strict=True):
            its = torch.stack([self.crops(number, ours.shape[-1]) for number in part]).to(ours)
            pictures = [ours, its, its] if strange else [ours, its]
            yield torch.cat(pictures).contiguous(memory_format=torch.channels_last)
