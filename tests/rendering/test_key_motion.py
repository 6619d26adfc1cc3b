"""Keys carried through a shot: the same bits in any chunk and order, nothing across cuts, little memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from tsn import io
from tsn.flow.base import View
from tsn.keys import packed
from tsn.keys.frame import Key
from tsn.rendering import key_motion
from tsn.rendering.engine import Engine, make_engine
from tsn.rendering.key_motion import KeyGuides
from tsn.rendering.motion import SharedMotion
from tsn.rendering.plan import Plan

Shot = Callable[..., Path]
FRAMES = range(1001, 1013)


class Guided:
    """A shot of twelve frames with keys, whose guides are made anew for each chunk; `read` lists what was prepared."""

    def __init__(self, engine: Engine, plan: Plan, keys: Sequence[Key]) -> None:
        self.engine, self.plan, self.keys = engine, plan, keys
        self.paths = io.FrameSequence.parse(plan.shot.plate, base=Path())
        self.read: list[int] = []

    def guides(self) -> KeyGuides:
        self.read.clear()
        return KeyGuides(self.engine, self.plan, {key.number: key for key in self.keys}, self.prepared)

    def prepared(self, number: int):
        self.read.append(number)
        return self.engine.prepare(self.engine.read(self.paths.path(number), number))


@pytest.fixture
def guided(shot: Shot, planned) -> Callable[..., Guided]:
    """guided(numbers of keys, weights={}, **keys of the shot)."""

    def make(numbers: Sequence[int], weights: dict[int, torch.Tensor] | None = None, **keys: object) -> Guided:
        file = shot(**({"frames": FRAMES} | keys))
        plan = planned(file)
        engine = make_engine(plan, device="cpu")
        random = torch.Generator().manual_seed(7)
        made = [
            Key(
                number=number,
                paint=torch.rand(3, 48, 64, generator=random),
                weight=(weights or {}).get(number, torch.ones(1, 48, 64)),
            )
            for number in numbers
        ]
        return Guided(engine, plan, made)

    return make


KEYS = {
    "one at the start": [1001],
    "one inside": [1006],
    "two": [1001, 1012],
    "many": [1002, 1004, 1005, 1009, 1012],
}


@torch.inference_mode()
@pytest.mark.parametrize("case", KEYS)
def test_any_chunk_in_any_order_gives_the_same_bits(guided, case: str) -> None:
    made: Guided = guided(KEYS[case])
    straight = made.guides()
    whole = {number: straight.at(number) for number in FRAMES}
    for size in (1, 5):
        for start in range(1001, 1013, size):
            guides = made.guides()
            for number in range(start, min(start + size, 1013)):
                assert all(map(torch.equal, guides.at(number), whole[number]))
    for number in (1007, 1006, 1012, 1001, 1002, 1011):
        assert all(map(torch.equal, straight.at(number), whole[number]))


@torch.inference_mode()
def test_found_cuts_and_gaps_give_the_same_bits_too(guided) -> None:
    scenes = {number: 1 if number < 1006 else 2 for number in FRAMES}
    made: Guided = guided([1002, 1009], scenes=scenes, temporal="{window: 2}", flow="{method: dis}")
    straight = made.guides()
    whole = {number: straight.at(number) for number in FRAMES}
    for number in (1005, 1006, 1011):
        assert all(map(torch.equal, made.guides().at(number), whole[number]))
    assert not made.guides().carried_to(1006, without=1009)[1].any()
    assert not made.guides().carried_to(1005, without=1002)[1].any()
    assert made.guides().at(1005)[1].mean() > 0.5


@torch.inference_mode()
@pytest.mark.parametrize("cuts", ["[1006]", "[]"])
def test_keys_behind_a_listed_cut_are_not_even_read(guided, cuts: str) -> None:
    made: Guided = guided([1001], temporal=f"{{window: 2, cuts: {cuts}}}")
    _, confidence = made.guides().at(1006)
    assert bool(confidence.any()) == (cuts == "[]")
    assert set(made.read) == ({1006} if cuts != "[]" else set(range(1001, 1007)))


@torch.inference_mode()
def test_a_key_s_own_frame_is_the_key(guided) -> None:
    made: Guided = guided([1001, 1012])
    for key in made.keys:
        paint, confidence = made.guides().at(key.number)
        assert torch.equal(paint, key.paint)
        assert torch.equal(confidence, torch.ones(1, 48, 64))


@torch.inference_mode()
def test_paint_goes_along_with_the_vectors(guided, plate) -> None:
    made: Guided = guided([1001])
    guides = made.guides()
    guides.at(1003)
    paint, confidence = guides.at(1004)
    dx, dy = 3 * plate.DX, 3 * plate.DY
    inner = confidence[0, dy:, dx:] > 0.99
    same = (paint[:, dy:, dx:] - made.keys[0].paint[:, :-dy, :-dx]).abs().amax(0) < 1e-3
    assert inner.float().mean() > 0.7
    assert same[inner].all()


@torch.inference_mode()
def test_each_frame_is_read_once_on_either_side(guided) -> None:
    made: Guided = guided([1001, 1012])
    guides = made.guides()
    for number in FRAMES:
        guides.at(number)
    # 1001 and 1002 are left from the way back.
    assert [made.read.count(number) for number in FRAMES] == [1, 1, *[2] * 10]


@torch.inference_mode()
def test_a_key_left_out_is_shown_by_the_others(guided) -> None:
    made: Guided = guided([1001, 1005])
    paint, confidence = made.guides().carried_to(1005, without=1005)
    alone: Guided = Guided(made.engine, made.plan, made.keys[:1])
    assert all(map(torch.equal, (paint, confidence), alone.guides().at(1005)))


@torch.inference_mode()
def test_beyond_the_second_whole_key_none_counts(guided, monkeypatch: pytest.MonkeyPatch) -> None:
    part = torch.ones(1, 48, 64)
    part[:, :, 32:] = 0
    made: Guided = guided([1002, 1003, 1004, 1005], {1003: part})
    guides = made.guides()
    place = {number: index for index, number in enumerate(FRAMES)}
    assert guides._near(place[1001], None) == [place[n] for n in (1002, 1003, 1004)]
    assert guides._near(place[1008], None) == [place[n] for n in (1004, 1005)]
    assert guides._near(place[1004], place[1005]) == [place[n] for n in (1002, 1003, 1004)]


@torch.inference_mode()
def test_far_keys_are_neither_read_nor_kept(guided, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_motion, "REACH", 4)
    made: Guided = guided([1001, 1012])
    guides = made.guides()
    for number in FRAMES:
        guides.at(number)
        assert len(guides._views) <= 2
        assert len(guides._before) <= 1
        assert sum(map(len, guides._after.values())) <= 4
    assert made.read.count(1007) == 1


@torch.inference_mode()
def test_large_frames_are_kept_small(guided, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Guided = guided([1012])
    exact, _ = made.guides().at(1005)
    monkeypatch.setattr(packed, "FULL_SIZE_PIXELS", 48 * 64 / 4)
    small = made.guides()
    paint, confidence = small.at(1005)
    kept = small._after[11][4]
    assert kept is not None and kept.flow.shape == (2, 24, 32)
    assert (paint - exact)[:, (confidence > 0.9)[0]].abs().mean() < 0.02


@torch.inference_mode()
def test_a_pair_is_estimated_once_for_both(guided, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Guided = guided([1001])
    between = SharedMotion(made.engine, made.plan, pairs=2)
    asked: list[tuple[int, int]] = []
    pair = made.engine.flow.pair

    def counted(a: View, b: View):
        asked.append((a.number, b.number))
        return pair(a, b)

    monkeypatch.setattr(made.engine.flow, "pair", counted)
    keys = {key.number: key for key in made.keys}
    guides = KeyGuides(made.engine, made.plan, keys, made.prepared, between)
    for number in (1001, 1002, 1003):
        guides.at(number)
        if number > 1001:
            between.motion(made.prepared(number - 1).view, made.prepared(number).view)
    assert asked == [(1001, 1002), (1002, 1003)]
