"""The mobile net's own measures; what it shares with the other family is in test_lockable.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tsn.errors import InputError
from tsn.style import catalogue, loading
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.nets.mobile import MobileNet


def saved(path: Path, **metadata: str) -> tuple[MobileNet, Path]:
    """A net with random weights, as train_style.py exports it."""
    torch.manual_seed(3)
    net = MobileNet(width=2, blocks=2)
    facts = {"family": "mobile", "width": "2", "blocks": "2"} | metadata
    save_file({name: value.half().contiguous() for name, value in net.state_dict().items()}, path, metadata=facts)
    return net, path


def test_norms_are_named_in_the_order_they_run() -> None:
    net = MobileNet(width=2, blocks=2)

    inverted = [32, 32, 16]
    assert [layer.conv.out_channels for layer in net.norm_layers()] == [2, 6, 16, *inverted, *inverted, 6, 2, 2, 2]
    assert len(net.calibrate([torch.rand(1, 3, 16, 16)])) == 7 + 3 * 2


def test_a_depthwise_filter_sees_one_channel() -> None:
    layer = MobileNet(width=2, blocks=1).body[0].filter.conv
    x = torch.rand(1, 32, 8, 8)
    other = x.clone()
    other[:, 5] += 1
    changed = (layer(other) != layer(x)).flatten(2).any(2)[0]

    assert changed.nonzero().flatten().tolist() == [5]


def test_it_has_fewer_weights_than_the_slim_net_and_most_at_a_quarter_of_the_size() -> None:
    net = MobileNet()
    count = sum(value.numel() for value in net.parameters())
    body = sum(value.numel() for value in net.body.parameters())

    assert count < 424_000 / 2
    assert body > count / 2


def test_what_was_saved_is_loaded_in_float32(tmp_path: Path) -> None:
    net, path = saved(tmp_path / "wave.safetensors")
    info = catalogue.describe_weights(path)
    loaded = loading.load_style_net(info)

    assert info.family == "mobile"
    assert isinstance(loaded, MobileNet) and (loaded.width, loaded.blocks) == (2, 2) and not loaded.training
    expected = {name: value.half().float() for name, value in net.state_dict().items()}
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())


def test_weights_of_the_other_family_do_not_fit(tmp_path: Path) -> None:
    _, path = saved(tmp_path / "wave.safetensors", family="feedforward")

    with pytest.raises(InputError, match="the tensors do not fit width 2, blocks 2: "):
        loading.load_style_net(catalogue.describe_weights(path))


def test_a_painter_locks_and_tiles_it(picture) -> None:
    image = picture(90, 131)
    torch.manual_seed(0)
    net = MobileNet(width=2, blocks=1)
    whole, tiled = (FeedforwardPainter(net, name="mobile", weights="w", tile=tile) for tile in (0, 40))
    calibration = whole.calibrate([image])
    expected = whole.frozen(calibration).paint(image, 1)

    assert (expected - whole.paint(image, 1)).abs().max() < 1e-5
    assert (tiled.frozen(calibration).paint(image, 1) - expected).abs().max() < 1e-5
