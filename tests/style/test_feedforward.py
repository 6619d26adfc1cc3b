from __future__ import annotations

import pytest
import torch
from pytest import approx, raises
from torch.nn.functional import pad as torch_pad

from tsn.errors import InputError
from tsn.style.feedforward import FeedforwardPainter, FrozenPainter
from tsn.style.nets.johnson import JohnsonNet
from tsn.style.painter import Calibration, Uncalibrated


def test_frozen_at_a_frame_it_paints_that_frame_as_uncalibrated(painter, picture):
    image = picture(40, 52)
    frozen = painter.frozen(painter.calibrate([image]))
    assert frozen.paint(image, 1).std() > 0.01
    assert (frozen.paint(image, 1) - painter.paint(image, 1)).abs().max() < 1e-5


def test_a_highlight_entering_changes_nothing_far_away_once_locked(painter, picture):
    dark = 0.5 * picture(64, 160)
    lit = dark.clone()
    lit[:, :, :16] = 1.0
    frozen = painter.frozen(painter.calibrate([dark]))
    far = (slice(None), slice(None), slice(16 + painter.net.radius, None))
    assert (painter.paint(lit, 1) - painter.paint(dark, 2))[far].abs().max() > 1e-3
    assert (frozen.paint(lit, 1) - frozen.paint(dark, 2))[far].abs().max() < 1e-6


def test_any_size_is_painted_by_reflection_and_cropped_back(painter, picture):
    frozen = painter.frozen(painter.calibrate([picture(32, 32)]))
    for height, width in [(1, 1), (1, 9), (3, 70), (8, 8), (33, 35)]:
        assert frozen.paint(picture(height, width), 1).shape == (3, height, width)
    image = picture(33, 38)
    by_hand = frozen.net(torch_pad(image[None], (0, 2, 0, 3), mode="reflect")).detach()[0, :, :33, :38]
    assert torch.allclose(frozen.paint(image, 1), by_hand, atol=1e-6)


def test_painting_is_repeatable_to_the_bit_and_free_to_change(painter, picture):
    image = picture(40, 40)
    frozen = painter.frozen(painter.calibrate([image]))
    once, again = frozen.paint(image, 1), frozen.paint(image, 7)
    assert torch.equal(once, again)
    once.mul_(2)  # an inference tensor would refuse
    assert image.max() <= 1


def test_tiles_agree_with_the_whole(net, picture):
    image = picture(90, 131)
    whole = FeedforwardPainter(net, name="tiny", weights="w")
    calibration = whole.calibrate([image])
    frozen = whole.frozen(calibration)
    tiled = FeedforwardPainter(net, name="tiny", weights="w", tile=40).frozen(calibration)
    assert (tiled.paint(image, 1) - frozen.paint(image, 1)).abs().max() < 1e-5
    assert tiled.fingerprint != frozen.fingerprint


def test_a_calibration_is_the_mean_of_its_frames(painter, picture):
    a, b = picture(32, 48, seed=1), picture(32, 48, seed=2)
    both, first, second = painter.calibrate(iter([a, b])), painter.calibrate([a]), painter.calibrate([b])
    assert both.tensors.keys() == first.tensors.keys()
    for name, value in both.tensors.items():
        assert torch.allclose(value, (first.tensors[name] + second.tensors[name]) / 2)
    assert both.fingerprint not in (first.fingerprint, second.fingerprint)


def test_fingerprints_follow_weights_and_calibration(net, picture):
    one, other = (FeedforwardPainter(net, name="tiny", weights=w) for w in ("w", "v"))
    assert one.fingerprint != other.fingerprint
    calibrations = [one.calibrate([picture(32, 32, seed)]) for seed in (1, 1, 2)]
    prints = [one.frozen(calibration).fingerprint for calibration in calibrations]
    assert prints[0] == prints[1] != prints[2]
    assert isinstance(one, Uncalibrated)
    assert not isinstance(one.frozen(calibrations[0]), Uncalibrated)


def test_a_foreign_calibration_is_refused(painter, picture):
    other = FeedforwardPainter(JohnsonNet(width=4, blocks=1), name="other", weights="others")
    with raises(InputError, match="another painter than 'tiny'") as caught:
        painter.frozen(other.calibrate([picture(32, 32)]))
    assert caught.value.exit_code == 3
    assert "plan it again" in caught.value.hint


def test_a_calibration_without_a_layer_is_refused(painter, picture):
    calibration = painter.calibrate([picture(32, 32)])
    tensors = dict(calibration.tensors)
    del tensors["00.mean"]
    with raises(InputError, match="expected 16 statistics of 80 channels, found 15 of 78"):
        painter.frozen(Calibration(painter_fingerprint=calibration.painter_fingerprint, tensors=tensors))


def test_a_frozen_painter_needs_no_calibration(painter, picture):
    frozen = painter.frozen(painter.calibrate([picture(32, 32)]))
    assert isinstance(frozen, FrozenPainter)
    assert frozen.name == "tiny"
    assert frozen.paint(picture(32, 32), 1).mean().item() == approx(0.5, abs=0.5)


@pytest.mark.parametrize(
    ("name", "value"), [("01.mean", float("nan")), ("01.variance", float("inf")), ("01.variance", -1.0)]
)
def test_a_calibration_of_impossible_statistics_is_refused(painter, picture, name, value):
    calibration = painter.calibrate([picture(32, 48)])
    calibration.tensors[name][0] = value
    with raises(InputError, match=f"holds values in {name} that are no statistics"):
        painter.frozen(calibration)


def test_a_calibration_of_other_shapes_is_refused(painter, picture):
    calibration = painter.calibrate([picture(32, 48)])
    tensors = {name: tensor[None] for name, tensor in calibration.tensors.items()}
    with raises(InputError, match="does not fit the net"):
        painter.frozen(Calibration(painter_fingerprint=calibration.painter_fingerprint, tensors=tensors))
