"""The score of paint, on pictures whose score is known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import paint_score

from tsn.style.nets.vgg import VGGFeatures


def test_the_distance_of_gaussians() -> None:
    torch.manual_seed(0)
    maps = torch.randn(1, 3, 40, 50)
    assert paint_score.wasserstein(maps, maps) == pytest.approx(0, abs=1e-5)
    assert paint_score.wasserstein(maps, maps + 2) == pytest.approx(12**0.5, rel=1e-5)
    centred = maps - maps.mean((2, 3), keepdim=True)
    spread = torch.cov(centred[0].flatten(1).double()).trace()
    assert paint_score.wasserstein(centred, 3 * centred) == pytest.approx(float(4 * spread) ** 0.5, rel=1e-5)


def test_a_grade_scores_0_and_the_painting_itself_1(thin_vgg: VGGFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    painting, plate = torch.rand(3, 48, 60), torch.rand(3, 12, 15).repeat_interleave(4, 1).repeat_interleave(4, 2)
    monkeypatch.setattr(paint_score, "load_perceptual", lambda: thin_vgg)
    monkeypatch.setattr(paint_score, "blind_features", lambda: None)
    monkeypatch.setattr(paint_score, "LINES", 48)
    graded = paint_score._graded(plate, painting)

    nothing, everything, still = paint_score.score(painting, plate, [graded, painting, plate])

    assert nothing.vgg16 == pytest.approx(0, abs=1e-4) and everything.vgg16 == pytest.approx(1, abs=1e-3)
    assert still.content == 0 < nothing.content < everything.content and still.blind is None
    assert "  -  " in paint_score.line(still)
