"""What the encoder of any painting learns from: crops by number, and components of the perceptual net."""

from __future__ import annotations

import pytest
import torch
from thin_training import thin_features

from tsn_training import distill


def test_a_crop_is_a_pure_function_of_its_number(looked_at) -> None:
    crops, again = distill.EncoderCrops(*looked_at), distill.EncoderCrops(*looked_at)
    for number in (3, 17, 0):
        assert torch.equal(crops[number], again[number])
    assert not torch.equal(crops[0], crops[1])


def test_components_are_orthogonal_axes_of_most_variance(looked_at) -> None:
    features, crops = thin_features(8), distill.EncoderCrops(*looked_at)
    pictures = torch.stack([crops[number] for number in range(8)])
    components = distill.PrincipalComponents(features, 3)
    components.fit(features, pictures)
    maps = components(features(pictures))
    for level, count in ((1, 3), (2, 6), (3, 12)):
        inner = distill._without_rim(maps[level], level)
        flat = inner.transpose(0, 1).flatten(1)
        spread = torch.cov(flat)
        assert spread.shape == (count, count)
        variances = spread.diagonal()
        assert variances.mean().item() == pytest.approx(1, rel=0.01)
        assert (variances[:-1] >= variances[1:] - 1e-4).all()
        assert (spread - torch.diag(variances)).abs().max() < 0.01
