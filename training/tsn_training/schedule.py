"""What a style net learns at which step of a training: the loss, its weights, and the learning rate."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.families import NETS
from tsn.style.nets.layers import NORM_EPSILON, OPTIONAL_INPUTS, StyleNet, instance_norm
from tsn_training import losses, objective
from tsn_training.config import StyleConfig
from tsn_training.motion import FramePair
from tsn_training.objective import StyleTarget
from tsn_training.step import cosine_decay

LOGGED = ("copy", "content", "style", "colour", "smooth", "temporal", "light", "spikes", "appeal", "judge")
"""Columns of log.csv for a net that paints. A resumed run appends to them, so they keep their names.

"appeal" is the generator loss, "judge" the discriminator's own.
"""
COPY_WEIGHT = 20.0
SPIKE_WEIGHT = 10.0
"""Weight of `losses.spike_loss`, which is 0 for a net that behaves."""
LAST_BIAS_RATE = 50.0
"""Factor on the learning rate of the last bias, the colour that a net paints where all its channels are 0.

Adam moves a bias by one learning rate a step, and the sum of a 9x9 kernel by 81 of them: without the factor, kernels
painted darkness over a grey bias, in red where the painting had some.
"""


class ReuseStatistics:
    """Instance norm in which the last `count` samples of a batch get the statistics of the first `count`.

    So a training shows the net what frozen statistics bring in a shot: frames darker than all those of the calibration.
    The other samples are normalised by their own statistics. A `Normalise` of `tsn.style.nets.layers`.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Normalise features (N, C, H, W), then scale and shift them, each (C,)."""
        last, others = x[-self.count :].float(), instance_norm(x[: -self.count], scale, shift)
        var, mean = torch.var_mean(x[: self.count].detach().float(), dim=(2, 3), correction=0, keepdim=True)
        normalised = (last - mean) * torch.rsqrt(var + NORM_EPSILON) * scale[:, None, None] + shift[:, None, None]
        return torch.cat([others, normalised.to(others)])


def build_net(config: StyleConfig) -> StyleNet:
    """Return the net of a config with random weights."""
    inputs = {key: getattr(config, key) for key in OPTIONAL_INPUTS}
    return NETS[config.family](width=config.width, blocks=config.blocks, **inputs)


def learning_rate(step: int, total: int, peak: float) -> float:
    """Return the learning rate of a step, which decays to a twentieth of the peak."""
    return cosine_decay(step, total, peak, floor=0.05)


def style_weight(step: int, total: int, low: float, high: float) -> float:
    """Return the style weight of a step: it rises by equal factors over the first 40% of the steps.

    At full weight from the start, a net loses all structure of the photos.
    """
    return low * (high / low) ** min(1.0, step / (0.4 * total))


def painting_loss(
    net: Callable[..., Tensor],
    pair: FramePair,
    step: int,
    *,
    target: StyleTarget,
    teacher: torch.nn.Module | None,
    adversary: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a step, and its parts for the log.

    Up to `copy_steps` the net learns to copy the teacher's picture, or the plate in the painting's colours. Then the
    painting's strokes, steadiness and other light are learnt.

    Args:
        net: pictures, and perhaps a `Normalise` -> painted pictures.
        pair: a batch.
        adversary: painted pictures -> the generator loss, where there is a discriminator.
    """
    config = target.config
    if step < config.copy_steps:
        with torch.no_grad():
            wanted = teacher(pair.now) if teacher else target.recolour(pair.now)
        copy = F.mse_loss(net(pair.now), wanted)
        return COPY_WEIGHT * copy, {"copy": copy}

    temporal = config.temporal if config.temporal and step >= config.temporal.after * config.steps else None
    # All pictures in one call, because DDP wants one forward pass for each backward pass.
    pictures = [pair.now] + ([pair.then] if temporal else []) + ([pair.relit] if config.light_weight else [])
    normalise = (ReuseStatistics(len(pair.now)),) if config.light_weight else ()
    now, *others = net(torch.cat(pictures), *normalise).split(len(pair.now))
    parts = objective.loss_parts(now, pair.now, target)
    weight = style_weight(step - config.copy_steps, config.steps - config.copy_steps, *config.style_weight)
    loss = objective.weighted_sum(parts, config, weight)
    if adversary is not None:
        assert config.judge is not None
        parts["appeal"] = adversary(now)
        loss = loss + config.judge.weight * parts["appeal"]
    if temporal:
        parts["temporal"] = losses.temporal_loss(now, others[0], pair.flow, pair.visible)
        loss = loss + temporal.weight * parts["temporal"]
    if config.light_weight:
        parts["light"] = losses.colour_loss(others[-1], target.recolour(pair.relit))
        loss = loss + config.light_weight * parts["light"]
    return loss, parts
