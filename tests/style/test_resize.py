from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tsn.errors import InputError, UsageError
from tsn.style.painter import Uncalibrated
from tsn.style.resize import ScaledPainter, resize, scale_painter


class Spy:
    """Paints the negative and notes the sizes it was asked for."""

    name = "spy"
    fingerprint = "spy"

    def __init__(self):
        self.sizes = []

    def paint(self, image, number):
        self.sizes.append(tuple(image.shape[-2:]))
        return 1 - image


def test_scale_one_is_the_painter_itself():
    spy = Spy()
    assert scale_painter(spy, 1.0) is spy


@pytest.mark.parametrize(("scale", "size"), [(0.5, (23, 40)), (2.0, (90, 160)), (0.001, (1, 1))])
def test_it_paints_at_the_scaled_size_and_returns_the_plates(picture, scale, size):
    spy = Spy()
    painted = scale_painter(spy, scale).paint(picture(45, 80), 1)
    assert spy.sizes == [(round(45 * scale) or 1, round(80 * scale) or 1)] == [(size[0] - (scale == 0.5), size[1])]
    assert painted.shape == (3, 45, 80)
    assert 0 <= painted.min() <= painted.max() <= 1


def test_a_ramp_survives_there_and_back():
    ramp = torch.linspace(0.1, 0.9, 128).expand(3, 64, 128)
    painted = scale_painter(Spy(), 0.5).paint(ramp, 1)
    assert (painted - (1 - ramp))[:, :, 4:-4].abs().max() < 2e-3


def test_down_is_antialiased():
    stripes = torch.tensor([0.0, 1.0]).repeat(32).expand(3, 32, 64)
    assert (resize(stripes, 16, 32)[:, :, 2:-2] - 0.5).abs().max() < 0.05


def test_an_uncalibrated_painter_is_calibrated_at_the_painted_size(painter, picture):
    image = picture(64, 96)
    half = scale_painter(painter, 0.5)
    assert isinstance(half, Uncalibrated)
    calibration = half.calibrate([image])
    direct = painter.calibrate([resize(image, 32, 48)])
    assert all(torch.equal(calibration.tensors[k], v) for k, v in direct.tensors.items())
    frozen = half.frozen(calibration)
    expected = resize(painter.frozen(direct).paint(resize(image, 32, 48), 1), 64, 96)
    assert torch.equal(frozen.paint(image, 1), expected)
    assert isinstance(frozen, ScaledPainter)
    assert not isinstance(frozen, Uncalibrated)


def test_a_calibration_at_another_scale_is_refused(painter, picture):
    with pytest.raises(InputError, match="another painter"):
        scale_painter(painter, 0.5).frozen(scale_painter(painter, 0.25).calibrate([picture(64, 64)]))


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_nonsense_is_refused(scale):
    with pytest.raises(UsageError, match=r"style\.scale"):
        scale_painter(Spy(), scale)


@pytest.mark.parametrize("scale", [0.5, 0.75, 2])
def test_void_beside_an_element_is_not_mixed_into_the_calibration(painter, picture, scale):
    """Resized with the void, its border would be a dark frame, and the cropped element would have none."""
    found = torch.cat([0.2 + 0.8 * picture(240, 320), torch.ones(1, 240, 320)])
    void = (40, 120, 20, 60)
    alone, around = (scale_painter(painter, scale).calibrate([image]).tensors for image in (found, F.pad(found, void)))
    size = round(320 * scale), round(480 * scale)
    mixed = painter.calibrate([resize(F.pad(found, void), *size)]).tensors

    def apart(other):
        return sum((other[name] - alone[name]).abs().sum() for name in alone) / sum(
            t.abs().sum() for t in alone.values()
        )

    assert apart(around) < 0.05 < 0.1 < apart(mixed)
