"""Frames one after another: memory, order, and nothing painted twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tsn import io
from tsn.errors import InputError
from tsn.flow.base import View
from tsn.rendering.engine import make_engine
from tsn.rendering.stream import Stream

Shot = Callable[..., Path]


@pytest.fixture
def stream(shot: Shot, planned) -> Callable[..., Stream]:
    """stream(*sets): of a shot of twelve frames with window 2."""

    def make(*sets: str) -> Stream:
        file = shot(frames=range(1001, 1013))
        made = planned(file, *sets)
        engine = make_engine(made, device="cpu")
        paths = io.FrameSequence.parse(made.shot.plate, base=Path())
        return Stream(engine, made, lambda n: engine.prepare(engine.read(paths.path(n), n)))

    return make


def held(stream: Stream) -> int:
    return max(len(stream._painted), len(stream._motion))


@torch.inference_mode()
def test_memory_is_flat(stream) -> None:
    made: Stream = stream()
    sizes = []
    for number in range(1001, 1013):
        made.painted(number)
        sizes.append(held(made))
        assert len(made._motion) < len(made._painted)
    assert sizes == [3, 4, *[5] * 8, 4, 3]


@torch.inference_mode()
def test_each_frame_is_painted_once(stream, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Stream = stream()
    asked: list[int] = []
    paint = made._engine.painter.paint

    def counted(image: Tensor, number: int) -> Tensor:
        asked.append(number)
        return paint(image, number)

    monkeypatch.setattr(made._engine.painter, "paint", counted)
    for number in range(1001, 1013):
        made.painted(number)
    assert asked == list(range(1001, 1013))


@torch.inference_mode()
@pytest.mark.parametrize("window", [0, 2])
def test_paint_that_is_no_number_is_named_and_spreads_no_further(
    stream, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    made: Stream = stream(f"temporal.window={window}")
    paint = made._engine.painter.paint

    def broken(image: Tensor, number: int) -> Tensor:
        painted = paint(image, number).clone()
        if number == 1005:
            painted[1, 3, 4] = torch.nan
        return painted

    monkeypatch.setattr(made._engine.painter, "paint", broken)
    assert made.painted(1001).isfinite().all()
    with pytest.raises(InputError, match="Frame 1005: tiny painted what is no number"):
        made.painted(1005)


@torch.inference_mode()
def test_motion_that_is_no_number_is_named(stream, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Stream = stream()
    found = made._engine.flow.pair

    def broken(a: View, b: View) -> tuple[Tensor, Tensor]:
        there, back = found(a, b)
        return (there, back * torch.inf) if a.number == 1004 else (there, back)

    monkeypatch.setattr(made._engine.flow, "pair", broken)
    made.painted(1001)
    with pytest.raises(InputError, match=r"Frames 1004 to 1005: .* found motion that is no number"):
        made.painted(1004)


@torch.inference_mode()
@pytest.mark.parametrize("cuts", ["[]", "[1004, 1009]", "auto"])
def test_any_order_gives_the_same_bits(stream, cuts: str) -> None:
    made: Stream = stream(f"temporal.cuts={cuts}")
    straight = {number: made.painted(number) for number in range(1001, 1013)}
    order = [1007, 1006, 1007, 1007, 1001, 1012, 1011]  # back, again, far jumps, one back
    for number in order:
        assert torch.equal(made.painted(number), straight[number])
        assert held(made) <= 5
