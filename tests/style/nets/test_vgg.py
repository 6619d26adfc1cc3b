"""The perceptual net with random weights: its layers."""

from __future__ import annotations

import pytest
import torch

from tsn.style.nets.vgg import VGGFeatures, empty_convs

SHAPES = {
    "1_1": (64, 40, 48),
    "1_2": (64, 40, 48),
    "2_1": (128, 20, 24),
    "2_2": (128, 20, 24),
    "3_1": (256, 10, 12),
    "3_2": (256, 10, 12),
    "3_3": (256, 10, 12),
    "4_1": (512, 5, 6),
    "4_2": (512, 5, 6),
    "4_3": (512, 5, 6),
    "5_1": (512, 2, 3),
}


@pytest.fixture
def features() -> VGGFeatures:
    torch.manual_seed(0)
    return VGGFeatures(empty_convs(), torch.zeros(3), torch.ones(3))


def test_layers_and_their_shapes(features: VGGFeatures) -> None:
    maps = features(torch.rand(2, 3, 40, 48))

    assert {name: tuple(one.shape[1:]) for name, one in maps.items()} == SHAPES
    assert all(one.shape[0] == 2 and one.min() == 0 and one.max() > 0 for one in maps.values())
    assert list(maps) == list(SHAPES)


def test_only_the_picture_gets_a_gradient(features: VGGFeatures) -> None:
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    features(picture)["4_1"].sum().backward()

    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_it_goes_no_deeper_than_asked(features: VGGFeatures) -> None:
    picture = torch.rand(1, 3, 16, 16)
    deep = features(picture)
    run: list[torch.nn.Module] = []
    for conv in features.convs.values():
        conv.register_forward_hook(lambda module, _inputs, _output: run.append(module))

    shallow = features(picture, last="2_2")

    assert list(shallow) == ["1_1", "1_2", "2_1", "2_2"] and len(run) == 4
    assert all(torch.equal(shallow[name], deep[name]) for name in shallow)


def test_idle_channels_go_and_the_others_stay_as_they_are() -> None:
    torch.manual_seed(0)
    convs, cin = {}, 3
    for name, channels in zip(SHAPES, (6, 5, 8, 7, 9, 8, 6, 10, 7, 9, 8), strict=True):
        convs[name] = torch.nn.Conv2d(cin, cin := channels, 3, padding=1)
    idle = {"1_1": [0, 4], "2_2": [6], "3_3": [1, 2, 3], "4_1": [9]}
    with torch.no_grad():
        for name, conv in convs.items():
            conv.weight.uniform_(0, 0.2)  # of pictures above nothing, every channel that is not idle fires
            conv.bias.zero_()
            conv.bias[idle.get(name, [])] = -1e6
    whole = VGGFeatures(convs, torch.zeros(3), torch.ones(3))
    before = {name: value.clone() for name, value in whole.state_dict().items()}

    less = whole.without_idle_channels(torch.rand(2, 3, 24, 24))

    other = torch.rand(2, 3, 32, 40)  # not the pictures it was cut down for
    expected, found = whole(other), less(other)
    for name in SHAPES:
        kept = [i for i in range(expected[name].shape[1]) if i not in idle.get(name, [])]
        torch.testing.assert_close(found[name], expected[name][:, kept], rtol=1e-4, atol=1e-6)
    assert not any(parameter.requires_grad for parameter in less.parameters())
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())


def test_a_rare_channel_is_kept_or_not_by_its_share(features: VGGFeatures) -> None:
    pictures = torch.rand(2, 3, 24, 24)
    means = features(pictures)["1_1"].mean((0, 2, 3))
    for share in (0.0, 0.01, 0.5):
        kept = features.without_idle_channels(pictures, share=share).convs["1_1"]
        assert kept.out_channels == (means >= share * means.mean()).sum()


def test_pictures_are_normalised(features: VGGFeatures) -> None:
    mean, scale = torch.tensor((0.1, 0.2, 0.3)), torch.tensor((2.0, 3.0, 4.0))
    other = VGGFeatures(dict(features.convs.items()), mean, scale)
    picture = torch.rand(1, 3, 16, 16)

    expected = features((picture - mean.view(1, 3, 1, 1)) * scale.view(1, 3, 1, 1))["2_1"]
    torch.testing.assert_close(other(picture)["2_1"], expected)
