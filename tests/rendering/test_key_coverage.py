"""Coverage of shots on disk: read once, small, with or without vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tsn.rendering.engine import Engine, make_engine
from tsn.rendering.key_coverage import ShotCoverage, object_of, survey_coverage
from tsn.rendering.plan import Plan

Shot = Callable[..., Path]


def engine_of(plan: Plan) -> Engine:
    return make_engine(plan, device="cpu", calibrated=False)


@pytest.fixture
def coverage(shot: Shot, planned) -> Callable[..., ShotCoverage]:
    """coverage(**keys of the shot): of frames 1001 to 1008."""

    def make(**keys: object) -> ShotCoverage:
        plan = planned(shot(**keys))
        return survey_coverage(engine_of(plan), plan)

    return make


@pytest.mark.parametrize("method", ["vectors", "dis"])
def test_a_pan_uncovers_its_trailing_edge(coverage, method: str) -> None:
    found = coverage(
        flow=f"{{method: {method}, vectors: {{layer: Vector}}}}" if method == "vectors" else "{method: dis}"
    )
    missing = found.missing([1001])
    assert missing[1001] == 0
    assert missing[1008] == pytest.approx(0.3, abs=0.12)  # by 14 of 64 columns and 7 of 48 lines
    assert found.missing([1001, 1008])[1004] < 0.12
    assert len(found.choose()) == 1
    nothing = found.missing([1001], {1001: torch.zeros(1, 48, 64)})
    assert set(nothing.values()) == {1.0}


def test_cuts_divide_what_keys_show(coverage) -> None:
    scenes = {n: 1 if n < 1005 else 2 for n in range(1001, 1009)}
    found = coverage(scenes=scenes, temporal="{window: 2}", flow="{method: dis}")
    first, second = found.choose()
    assert first < 1005 <= second
    missing = found.missing([1002])
    assert all(missing[number] == 1 for number in range(1005, 1009))
    (suggestion, *_) = found.suggest([1002])
    assert suggestion.number >= 1005
    assert (suggestion.first, suggestion.last) == (1005, 1008)
    assert suggestion.missing == 1


def test_only_the_matte_counts(coverage) -> None:
    found = coverage(matte="{channel: mask.V}")  # the right half: the pan uncovers the left edge
    assert found.missing([1001])[1008] < 0.15


def test_the_object_that_is_missing_is_named(shot: Shot, planned, add_cryptomatte) -> None:
    scenes = {n: 1 if n < 1005 else 2 for n in range(1001, 1009)}
    file = shot(
        scenes=scenes, temporal="{window: 2}", flow="{method: dis}", matte="{cryptomatte: CryptoObject, names: [wall]}"
    )
    wall = np.zeros((48, 64), bool)
    wall[:, 10:] = True
    add_cryptomatte({n: {"wall": wall, "rest": ~wall} for n in range(1001, 1009)})
    plan = planned(file)
    found = survey_coverage(engine_of(plan), plan)
    (suggestion, *_) = found.suggest([1002])
    assert object_of(engine_of(plan), plan, suggestion) == "wall"
    without = planned(file, "matte=null")
    assert object_of(engine_of(without), without, suggestion) is None
