"""The loss of a step, and the statistics that it paints with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import torch

from tsn.style.nets.families import NETS
from tsn.style.nets.vgg import VGGFeatures
from tsn_training import losses, objective, photos, schedule
from tsn_training.config import StyleConfig
from tsn_training.motion import FramePair


def test_reused_statistics_paint_as_frozen_ones_do() -> None:
    net = NETS["feedforward"](width=8, blocks=1, recolours=True).eval()
    first, other = torch.rand(1, 3, 32, 40), 0.1 * torch.rand(1, 3, 32, 40)
    with torch.inference_mode():
        painted = net(torch.cat([first, other.flip(2), other]), schedule.ReuseStatistics(1))
        frozen = net.freeze(net.calibrate([first]))(other)
        torch.testing.assert_close(painted[2:], frozen, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(painted[:2], net(torch.cat([first, other.flip(2)])), rtol=1e-4, atol=1e-5)
    assert (painted[2:] - net(other)).abs().max() > 0.01


def test_what_is_painted_in_another_light_is_held_to_its_colours(
    training: SimpleNamespace, thin: VGGFeatures, settings_of: Callable[..., StyleConfig]
) -> None:
    """... by the statistics of the light that the sample was seen in first."""
    config = settings_of(light_weight=7.0, temporal=None)
    target = objective.style_target(config, thin, photos.find_pictures(config.photos, config.held_back)[0])
    pair = FramePair(*(x[None] for x in photos.Samples(photos.find_pictures(config.photos, 1)[0], config)[3]))
    net = schedule.build_net(config)
    inputs: list[torch.Tensor] = []

    def paint(pictures: torch.Tensor, *by: schedule.ReuseStatistics) -> torch.Tensor:
        inputs.append(pictures)
        painted: torch.Tensor = net(pictures, *by)
        return painted

    with torch.no_grad():
        loss, parts = schedule.painting_loss(paint, pair, 4, target=target, teacher=None)
        without, _ = schedule.painting_loss(
            net, pair, 4, target=replace(target, config=settings_of(temporal=None)), teacher=None
        )
        both = torch.cat([pair.now, pair.relit])
        expected = losses.colour_loss(net(both, schedule.ReuseStatistics(1))[1:], target.recolour(pair.relit))
    assert torch.equal(inputs[0], both)
    torch.testing.assert_close(parts["light"], expected)
    torch.testing.assert_close(loss, without + 7 * expected)
