from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from tsn.errors import InputError, UsageError
from tsn.style.blend import WeightedPainter, blend_painters, normalised_weights
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.nets.johnson import JohnsonNet
from tsn.style.painter import Uncalibrated


@dataclass
class Flat:
    """Paints one value everywhere."""

    value: float
    asked: int = 0

    @property
    def name(self):
        return f"flat{self.value}"

    fingerprint = name

    def paint(self, image, number):
        self.asked += 1
        return torch.full_like(image, self.value)


@dataclass(frozen=True)
class Ramp:
    """A curve as the shot file's: a value over frames, with its values in the repr."""

    start: int

    def __call__(self, number):
        return min(1.0, max(0.0, (number - self.start) / 10))


GREY = torch.full((3, 4, 4), 0.5)


def mix(*pairs):
    return blend_painters([WeightedPainter(painter=painter, weight=weight) for painter, weight in pairs])


def test_weights_count_by_their_share():
    assert torch.allclose(mix((Flat(0.0), 3), (Flat(1.0), 1)).paint(GREY, 1), torch.tensor(0.25))
    assert mix((Flat(0.0), 3), (Flat(1.0), 1)).name == "flat0.0+flat1.0"


def test_weights_move_over_frames_and_a_painter_without_weight_is_not_asked():
    black, white = Flat(0.0), Flat(1.0)
    mixed = mix((black, 1), (white, Ramp(1001)))
    assert mixed.paint(GREY, 1001).max() == 0
    assert white.asked == 0
    assert mixed.paint(GREY, 1011)[0, 0, 0] == 0.5


def test_one_painter_alone_is_untouched():
    assert torch.equal(mix((Flat(0.3), 0.7)).paint(GREY, 1), Flat(0.3).paint(GREY, 1))


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_impossible_weights_name_the_painter_and_frame(weight):
    with pytest.raises(UsageError, match=r"Frame 7: the blend weight of 'flat1.0' must be 0 or more"):
        normalised_weights(
            [WeightedPainter(painter=Flat(0.0), weight=1), WeightedPainter(painter=Flat(1.0), weight=weight)], 7
        )


def test_no_weight_at_all_names_the_frame():
    with pytest.raises(UsageError, match=r"Frame 1001: all blend weights are 0") as caught:
        mix((Flat(0.0), Ramp(1001)), (Flat(1.0), 0)).paint(GREY, 1001)
    assert "style.strength" in caught.value.hint
    with pytest.raises(UsageError, match="at least one style"):
        blend_painters([])


def test_fingerprint_follows_painters_and_weights():
    parts = [
        [(Flat(0.0), 1), (Flat(1.0), 1)],
        [(Flat(0.0), 1), (Flat(1.0), 2)],
        [(Flat(0.0), 1), (Flat(1.0), Ramp(1))],
        [(Flat(0.0), 1), (Flat(1.0), Ramp(2))],
        [(Flat(0.0), 1), (Flat(0.9), 1)],
    ]
    assert len({mix(*pairs).fingerprint for pairs in parts}) == len(parts)
    assert mix(*parts[2]).fingerprint == mix(*parts[2]).fingerprint


def test_each_uncalibrated_part_is_frozen_at_its_own_calibration(painter, picture):
    torch.manual_seed(1)
    other = FeedforwardPainter(JohnsonNet(width=2, blocks=1), name="other", weights="others")
    image = picture(32, 40)
    mixed = mix((painter, 1), (Flat(0.5), 2), (other, 1))
    assert isinstance(mixed, Uncalibrated)
    calibration = mixed.calibrate(iter([image, picture(32, 40, seed=3)]))
    frozen = mixed.frozen(calibration)
    assert not isinstance(frozen, Uncalibrated)
    images = [image, picture(32, 40, seed=3)]
    expected = sum(
        share * part.frozen(part.calibrate(images)).paint(image, 1) for share, part in ((0.25, painter), (0.25, other))
    )
    assert torch.allclose(frozen.paint(image, 1), expected + 0.25, atol=1e-6)
    assert not isinstance(mix((Flat(0.1), 1)), Uncalibrated)
    with pytest.raises(InputError, match="another painter"):
        mix((painter, 2), (other, 1)).frozen(calibration)
