"""How a net learns to paint, step by step: what is to become small, and how fast, in every training."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.families import NETS
from tsn.style.nets.layers import NORM_EPSILON, OPTIONAL_INPUTS, StyleNet, instance_norm
from tsn_training import losses, objective
from tsn_training.config import StyleConfig
from tsn_training.motion import Pair
from tsn_training.objective import Target
from tsn_training.step import decayed

SPIKES = 10.0
"""Weight of what keeps a net from shouting in one spot; it should find nothing to say."""
GROUND_RATE = 50.0
"""Of the last bias, the colour where no channel speaks. Adam moves it by a learning rate a step, and the sum of a 9x9
kernel by 81 of them: so kernels made darkness out of a grey ground, in red where the painting had some."""


class Lending:
    """The last `count` samples by the statistics of the first, all others by their own.

    So a net learns, in training, what a locked one must bear: frames that are darker than all that its survey saw.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        lent, own = x[-self.count :].float(), instance_norm(x[: -self.count], scale, shift)
        var, mean = torch.var_mean(x[: self.count].detach().float(), dim=(2, 3), correction=0, keepdim=True)
        by = (lent - mean) * torch.rsqrt(var + NORM_EPSILON) * scale[:, None, None] + shift[:, None, None]
        return torch.cat([own, by.to(own)])


def built(config: StyleConfig) -> StyleNet:
    """The net of a config, untrained."""
    shown = {key: getattr(config, key) for key in OPTIONAL_INPUTS}
    return NETS[config.family](width=config.width, blocks=config.blocks, **shown)


def learning_rate(step: int, total: int, peak: float) -> float:
    """Down to a twentieth of the peak."""
    return decayed(step, total, peak, floor=0.05)


def style_weight(step: int, total: int, low: float, high: float) -> float:
    """Geometric ramp over the first 40%: from the start at full weight, the net loses all structure."""
    return low * (high / low) ** min(1.0, step / (0.4 * total))


def loss_of(
    net: Callable[..., Tensor],
    pair: Pair,
    step: int,
    *,
    target: Target,
    teacher: torch.nn.Module | None,
    judged: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """What is to become small at this step, and its parts for the log.

    Args:
        net: pictures, and perhaps how they are normalised, to paint.
        judged: what a judge says of what is painted, where there is one.
    """
    config = target.config
    if step < config.copy_steps:
        with torch.no_grad():
            wanted = teacher(pair.now) if teacher else target.wanted_colours(pair.now)
        copy = F.mse_loss(net(pair.now), wanted)
        return 20 * copy, {"copy": copy}

    temporal = config.temporal
    steady = temporal is not None and step >= temporal.after * config.steps
    # All go through in one call: DDP wants one forward pass for each backward pass.
    pictures = [pair.now] + ([pair.then] if steady else []) + ([pair.lit] if config.light_weight else [])
    lending = (Lending(len(pair.now)),) if config.light_weight else ()
    now, *others = net(torch.cat(pictures), *lending).split(len(pair.now))
    parts = objective.parts(now, pair.now, target)
    weight = style_weight(step - config.copy_steps, config.steps - config.copy_steps, *config.style_weight)
    loss = objective.total(parts, config, weight)
    if judged is not None:
        assert config.judge is not None
        parts["appeal"] = judged(now)
        loss = loss + config.judge.weight * parts["appeal"]
    if steady:
        assert temporal is not None
        parts["temporal"] = losses.temporal_loss(now, others[0], pair.flow, pair.visible)
        loss = loss + temporal.weight * parts["temporal"]
    if config.light_weight:
        parts["light"] = losses.colour_loss(others[-1], target.wanted_colours(pair.lit))
        loss = loss + config.light_weight * parts["light"]
    return loss, parts
