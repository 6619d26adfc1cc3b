from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tsn.errors import InputError, UsageError
from tsn.flow.base import RenderedVectors, motion_between
from tsn.flow.conventions import CONVENTIONS
from tsn.flow.nets import occlusion
from tsn.flow.vectors import VectorSource, invert_flow
from tsn.flow.vectors import decode as decode_frame
from tsn.flow.warp import warp

H, W = 4, 6


def decode(channels: dict[str, np.ndarray], layer: str, convention: str) -> RenderedVectors:
    return decode_frame(channels, layer, convention, frame=(W, H))


def plane(value: float, dtype: type = np.float16) -> np.ndarray:
    return np.full((H, W), value, dtype)


def blender_layer(x: float, y: float, z: float, w: float) -> dict[str, np.ndarray]:
    return {f"ViewLayer.Vector.{name}": plane(v) for name, v in zip("XYZW", (x, y, z, w), strict=True)}


def at(flow: torch.Tensor | None) -> tuple[float, float]:
    assert flow is not None and flow.shape == (2, H, W) and flow.dtype == torch.float32
    return float(flow[0, 1, 1]), float(flow[1, 1, 1])


def test_blender_is_y_up_and_its_second_pair_comes_from_the_frame_after() -> None:
    vectors = decode(blender_layer(1, 2, 3, 4), "ViewLayer.Vector", "blender")
    assert at(vectors.to_previous) == (1, -2)
    assert at(vectors.to_next) == (-3, 4)
    assert vectors.valid.shape == (1, H, W) and vectors.valid.min() == 1


def test_blender_signs_bring_the_neighbour_onto_this_frame() -> None:
    """An object that moves right and down by (2, 1) a frame: X, Y = (-2, +1) up-wards, Z, W likewise."""
    channels = {
        f"L.Vector.{name}": np.full((20, 20), v, np.float32) for name, v in zip("XYZW", (-2, 1, -2, 1), strict=True)
    }
    vectors = decode(channels, "L.Vector", "blender")
    assert vectors.to_previous is not None and vectors.to_next is not None
    pattern = torch.rand(1, 20, 20)
    moved = torch.roll(pattern, (1, 2), (1, 2))
    inner = (slice(None), slice(4, -4), slice(4, -4))
    torch.testing.assert_close(warp(pattern, vectors.to_previous)[inner], moved[inner], atol=1e-4, rtol=0)
    torch.testing.assert_close(warp(moved, vectors.to_next)[inner], pattern[inner], atol=1e-4, rtol=0)


def test_channels_that_nobody_asks_for_may_be_damaged() -> None:
    class Lazy(dict[str, np.ndarray]):
        def __getitem__(self, name: str) -> np.ndarray:
            assert name.startswith("ViewLayer.Vector."), f"{name} was decoded"
            return super().__getitem__(name)

        def items(self) -> Any:
            return [(name, self[name]) for name in self]

    channels = Lazy({"ViewLayer.AO.R": plane(0)} | blender_layer(1, 2, 3, 4))
    assert at(decode(channels, "ViewLayer.Vector", "blender").to_previous) == (1, -2)


def test_blender_without_w_has_one_direction() -> None:
    channels = blender_layer(1, 2, 3, 4)
    del channels["ViewLayer.Vector.W"]
    vectors = decode(channels, "ViewLayer.Vector", "blender")
    assert vectors.to_next is None and at(vectors.to_previous) == (1, -2)


@pytest.mark.parametrize("layer", ["motion", "forward", "left"])
def test_nuke_leads_to_the_named_frame_in_y_up(layer: str) -> None:
    root = "left." if layer == "left" else ""
    names = ("forward.u", "forward.v", "backward.u", "backward.v")
    channels = {root + name: plane(v) for name, v in zip(names, (1, 2, 3, 4), strict=True)}
    vectors = decode(channels, layer, "nuke")
    assert at(vectors.to_next) == (1, -2)
    assert at(vectors.to_previous) == (3, -4)


def test_nuke_with_one_direction() -> None:
    vectors = decode({"forward.u": plane(1), "forward.v": plane(2)}, "motion", "nuke")
    assert vectors.to_previous is None and at(vectors.to_next) == (1, -2)


@pytest.mark.parametrize("endings", ["XY", "uv", "RG"])
def test_normalised_counts_in_frames_from_the_one_before(endings: str) -> None:
    channels = {f"Velocity.{e}": plane(v, np.float32) for e, v in zip(endings, (0.5, 0.25), strict=True)}
    vectors = decode(channels, "Velocity", "normalised")
    assert at(vectors.to_previous) == (-0.5 * W, 0.25 * H)
    assert vectors.to_next is None


@pytest.mark.parametrize("layer", ["motion", "motionFore", "motionBack", "forward", "beauty"])
@pytest.mark.parametrize("names", [("motionFore", "motionBack"), ("forward", "backward")])
@pytest.mark.parametrize("endings", ["xyz", "rgb", "RGB"])
def test_renderman_is_y_down_to_the_named_frame(layer: str, names: tuple[str, str], endings: str) -> None:
    root = "beauty." if layer == "beauty" else ""
    values = {names[0]: (1, 2, 9), names[1]: (3, 4, 9)}
    channels = {
        f"{root}{name}.{end}": plane(value)
        for name, parts in values.items()
        for end, value in zip(endings, parts, strict=True)
    }
    vectors = decode(channels, layer, "renderman")
    assert at(vectors.to_next) == (1, 2)
    assert at(vectors.to_previous) == (3, 4)


@pytest.mark.parametrize("layer", ["dPdtime", "beauty.dPcameradtime"])
def test_speeds_in_space_are_no_motion_on_screen(layer: str) -> None:
    with pytest.raises(InputError, match="no motion on the screen") as caught:
        decode({f"{layer}.{end}": plane(1) for end in "rgb"}, layer, "renderman")
    assert "motionFore" in (caught.value.hint or "")


@pytest.mark.parametrize("endings", ["XY", "uv", "RGB", ["red", "green", "blue"]])
@pytest.mark.parametrize(
    ("convention", "to_previous", "to_next"),
    [
        ("arnold", None, (0.5, -0.25)),
        ("vray", None, (0.5, -0.25)),
        ("karma", None, (0.5, -0.25)),
        ("pixels-next", None, (0.5, -0.25)),
        ("pixels-previous", (0.5, -0.25), None),
        ("ndc-next", None, (0.5 * W, -0.25 * H)),
    ],
)
def test_one_way_in_one_layer(convention, to_previous, to_next, endings) -> None:
    channels = {f"mv.{e}": plane(v, np.float32) for e, v in zip(endings, (0.5, 0.25, 9), strict=False)}
    vectors = decode(channels, "mv", convention)
    for flow, expected in ((vectors.to_previous, to_previous), (vectors.to_next, to_next)):
        assert (flow is None) == (expected is None)
        if expected is not None:
            assert at(flow) == expected


@pytest.mark.parametrize("rest", [0.5, 0.498, 0.51])
def test_a_clamped_velocity_is_no_motion_in_pixels(rest: float) -> None:
    channels = {f"velocity.{end}": plane(rest, np.float32) for end in "RGB"}
    channels["velocity.R"][0, :3] = 0, 1, 0.8
    with pytest.raises(InputError, match="clamped velocity") as caught:
        decode(channels, "velocity", "vray")
    assert "Clamp velocity off" in (caught.value.hint or "")
    channels["velocity.G"][1, 1] = -0.1
    assert decode(channels, "velocity", "vray").to_next is not None


@pytest.mark.parametrize("layer", ["left", "left.motion", "left.forward", "forward.left"])
@pytest.mark.parametrize("stem", ["left.{}", "{}.left"])
def test_one_view_of_a_stereo_file(layer: str, stem: str) -> None:
    channels = {
        f"{stem.replace('left', view).format(way)}.{end}": plane(value)
        for view, shift in (("left", 0), ("right", 10))
        for way, end, value in (
            ("forward", "u", 1 + shift),
            ("forward", "v", 2 + shift),
            ("backward", "u", 3 + shift),
            ("backward", "v", 4 + shift),
        )
    }
    vectors = decode(channels, layer, "nuke")
    assert (at(vectors.to_next), at(vectors.to_previous)) == ((1, -2), (3, -4))
    with pytest.raises(InputError, match="no motion channels for 'motion', but for left, right") as caught:
        decode(channels, "motion", "nuke")
    assert "'left'" in (caught.value.hint or "")


def test_motion_in_two_spellings_is_a_question() -> None:
    twice = {f"mv.{end}": plane(1) for end in ("X", "Y", "u", "v")}
    with pytest.raises(InputError, match="could be X, Y or U, V"):
        decode(twice, "mv", "pixels-next")
    with pytest.raises(InputError, match=r"ViewLayer\.Vector\.X and ViewLayer\.Vector\.x are one channel"):
        decode(blender_layer(1, 2, 3, 4) | {"ViewLayer.Vector.x": plane(5)}, "ViewLayer.Vector", "blender")
    both = {f"{stem}.{end}": plane(1) for stem in ("motionFore", "forward") for end in "xy"}
    with pytest.raises(InputError, match="any of motionFore, forward"):
        decode(both, "motion", "renderman")


def test_normalised_by_the_whole_frame_where_the_channels_cover_a_part_of_it() -> None:
    channels = {f"Velocity.{e}": plane(v, np.float32) for e, v in zip("XY", (0.5, 0.25), strict=True)}
    found = decode_frame(channels, "Velocity", "normalised", frame=(100, 40))
    assert at(found.to_previous) == (-50, 10)


def test_endings_of_any_case() -> None:
    channels = {name[:-1] + name[-1].lower(): v for name, v in blender_layer(1, 2, 3, 4).items()}
    assert at(decode(channels, "ViewLayer.Vector", "blender").to_previous) == (1, -2)


@pytest.mark.parametrize(
    ("dtype", "far", "name"),
    [
        (np.float16, 65504, "Depth.Z"),
        (np.float32, 1e10, "Depth.V"),
        (np.float32, 65504, "Depth.Z"),
        (np.float32, np.inf, "Depth.Z"),
        (np.float16, np.nan, "Depth.Z"),
    ],
)
def test_world_background_by_depth(dtype: type, far: float, name: str) -> None:
    """With a depth, a zero vector on an object is true rest, and a vector on the world is not believed."""
    channels = blender_layer(1, 2, 3, 4)
    for values in channels.values():
        values[0, 0] = 0
    depth = plane(12, dtype)
    depth[0, 1] = far
    vectors = decode(channels | {f"ViewLayer.{name}": depth}, "ViewLayer.Vector", "blender")
    assert vectors.valid[0, 0, 1] == 0 and vectors.valid.sum() == H * W - 1
    assert vectors.to_next is not None and vectors.to_next[:, 0, 1].abs().sum() == 0


def test_where_the_background_stands_still_its_zeros_are_true_and_what_is_no_number_is_not() -> None:
    channels = blender_layer(1, 2, 3, 4)
    channels["ViewLayer.Vector.X"][0, 1] = np.nan
    depth = plane(65504)
    assert decode(channels | {"ViewLayer.Depth.Z": depth}, "ViewLayer.Vector", "blender").valid.sum() == 0
    still = decode_frame(
        channels | {"ViewLayer.Depth.Z": depth}, "ViewLayer.Vector", "blender", frame=(W, H), still=True
    )
    assert still.valid[0, 0, 1] == 0 and still.valid.sum() == H * W - 1
    assert at(still.to_previous) == (1, -2)


def test_depth_of_another_view_layer_does_not_count() -> None:
    channels = blender_layer(1, 2, 3, 4) | {"Other.Depth.Z": plane(65504)}
    assert decode(channels, "ViewLayer.Vector", "blender").valid.min() == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_not_valid(bad: float) -> None:
    channels = blender_layer(1, 2, 3, 4)
    channels["ViewLayer.Vector.Z"][2, 3] = bad
    vectors = decode(channels, "ViewLayer.Vector", "blender")
    assert vectors.valid.sum() == H * W - 1 and vectors.valid[0, 2, 3] == 0
    assert vectors.to_next is not None and torch.isfinite(vectors.to_next).all()


@given(st.sampled_from(["Vector", "viewlayer.vector", "ViewLayer.Vectr", "ViewLayer.Vector.X"]))
def test_unknown_layer_names_the_nearest(layer: str) -> None:
    with pytest.raises(InputError, match="no layer") as caught:
        decode(blender_layer(1, 2, 3, 4), layer, "blender")
    assert caught.value.hint == "Perhaps you meant 'ViewLayer.Vector'?"


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_layer_without_motion_says_what_it_has(convention: str) -> None:
    with pytest.raises(InputError, match=r"expected the motion channels .*, found Mist\.Q"):
        decode({"Mist.Q": plane(1)}, "Mist", convention)


def test_unknown_convention() -> None:
    with pytest.raises(UsageError, match="blendr") as caught:
        decode({}, "L", "blendr")
    assert caught.value.hint == "Perhaps you meant 'blender'?"


def rendered(
    forward: float | None, backward: float | None, size: torch.Size, holes: slice | None = None
) -> RenderedVectors:
    valid = torch.ones(1, *size)
    if holes is not None:
        valid[:, holes] = 0

    def full(value: float | None) -> torch.Tensor | None:
        return None if value is None else torch.full((2, *size), float(value))

    return RenderedVectors(to_previous=full(backward), to_next=full(forward), valid=valid)


def test_true_motion_everywhere_asks_nobody(moving, constant) -> None:
    fallback = constant()
    size = moving()[0].image.shape[1:]
    a, b = moving(vectors=(rendered(1, 7, size), rendered(7, -1, size)))
    forward, backward = VectorSource(fallback, fallback).pair(a, b)
    assert forward.eq(1).all() and backward.eq(-1).all()
    assert fallback.calls == 0


def test_background_comes_from_the_fallback(moving, constant) -> None:
    size = moving()[0].image.shape[1:]
    a, b = moving(vectors=(rendered(1, 7, size, slice(0, 3)), rendered(7, -1, size, slice(5, 6))))
    forward, backward = VectorSource(constant(9, -9), constant()).pair(a, b)
    assert forward[:, :3].eq(9).all() and forward[:, 3:].eq(1).all()
    assert backward[:, 5].eq(-9).all() and backward[:, 6:].eq(-1).all()


def test_pairs_that_the_renderer_says_nothing_of_are_estimated(moving, constant) -> None:
    size = moving()[0].image.shape[1:]
    both = (rendered(1, 7, size), rendered(7, -1, size))
    away = (rendered(None, 7, size), rendered(7, None, size))  # each tells the other direction only
    for views in (moving(step=2, vectors=both), moving(vectors=(both[0], None)), moving(vectors=away)):
        fills, estimates = constant(1, -1), constant(9, -9)
        forward, backward = VectorSource(fills, estimates).pair(*views)
        assert forward.eq(9).all() and backward.eq(-9).all() and (fills.calls, estimates.calls) == (0, 1)


def test_what_a_stepped_range_hides_is_told_by_the_net(moving, constant, monkeypatch) -> None:
    size = moving()[0].image.shape[1:]
    both = (rendered(1, 7, size), rendered(7, -1, size))
    asked = []
    monkeypatch.setattr(
        occlusion,
        "estimate_visibility",
        lambda pictures, flows, places: asked.append(1) or (flows[0][:1] * 0, flows[1][:1] * 0),
    )
    source = VectorSource(constant(1, -1), constant(1, -1))
    assert motion_between(source, *moving(vectors=both)).visibility_forward.any() and not asked
    motion = motion_between(source, *moving(step=2, vectors=both))
    assert asked and not motion.visibility_forward.any() and not motion.visibility_backward.any()


def test_a_missing_direction_is_the_other_one_inverted(moving, constant) -> None:
    size = moving()[0].image.shape[1:]
    for present in ("forward", "backward"):
        vectors = (
            rendered(3 if present == "forward" else None, None, size),
            rendered(None, -3 if present == "backward" else None, size),
        )
        forward, backward = VectorSource(constant(2.5, -2), constant()).pair(*moving(vectors=vectors))
        assert (forward - 3).abs().max() < 1e-4 and (backward + 3).abs().max() < 1e-4


def test_fingerprint_follows_both_others(constant) -> None:
    other = constant()
    other.fingerprint = "constant-2"
    same = VectorSource(constant(), constant()).fingerprint
    assert same not in (VectorSource(other, constant()).fingerprint, VectorSource(constant(), other).fingerprint)


def test_invert_of_a_smooth_field_and_where_it_folds(texture) -> None:
    flow = (texture(3, 64, 96)[:2] - 0.5) * 2
    inverse = invert_flow(flow, start=torch.zeros_like(flow))
    there_and_back = (inverse + warp(flow, inverse)).norm(dim=0)
    assert there_and_back[8:-8, 8:-8].max() < 0.1
    tear = torch.zeros(2, 32, 32)
    tear[0, :, 16:] = 8.0  # the right half leaves: columns 16..24 of the other frame are uncovered
    assert invert_flow(tear, start=torch.full((2, 32, 32), 0.25))[0, :, 19:22].eq(0.25).all()
