"""Plate to style space and back, whatever the plate's space."""

import numpy as np
import PyOpenColorIO as ocio
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from tsn.colour import BUILTIN_CONFIG, CINEON, codec, nonfinite_mask, open_codec, srgb_decode, srgb_encode

LINEAR = ["lin_rec709", "ACEScg", "ACES2065-1", "lin_p3d65"]
LOG = ["acescct", "ACEScc", "arri_logc4", "ADX10", CINEON]
DISPLAY = ["srgb_tx", "camera_rec709", "srgb_displayp3", "Rec.1886 Rec.709 - Display"]
FULL_NAMES = [
    space.getName()
    for space in ocio.Config.CreateFromBuiltinConfig(BUILTIN_CONFIG).getColorSpaces()
    if not space.isData()
]


def row(*pixels: tuple[float, float, float]) -> Tensor:
    """(3, 1, N) of N pixels."""
    return torch.tensor(pixels, dtype=torch.float32).T[:, None].contiguous()


def grey(*values: float) -> Tensor:
    return row(*((value, value, value) for value in values))


HALVES = arrays(np.float16, (3, 2, 5), elements=st.floats(-65504, 65504, width=16) | st.floats(-0.5, 1.5, width=16))


@pytest.mark.parametrize("highlights", ["paint", "keep", "soft"])
@pytest.mark.parametrize("space", [*LINEAR, *LOG, *DISPLAY])
@settings(max_examples=10, deadline=None)
@given(values=HALVES)
def test_unpainted_plates_come_back_bit_for_bit(space: str, highlights: str, values: np.ndarray) -> None:
    plate = torch.from_numpy(values.astype(np.float32))
    way = codec(space, highlights=highlights)
    style, reference = way.to_style(plate)
    assert style.shape == plate.shape and style.dtype == torch.float32
    assert style.min() >= 0 and style.max() <= 1
    assert torch.equal(way.from_style(style, reference), plate)


@pytest.mark.parametrize("space", FULL_NAMES)
def test_every_space_of_the_config_survives_paint_on_anything(space: str) -> None:
    random = torch.Generator().manual_seed(7)
    plate = torch.randn(3, 8, 64, generator=random) * torch.logspace(-3, 6, 64)
    for highlights in ("paint", "keep", "soft"):
        way = codec(space, highlights=highlights)
        style, reference = way.to_style(plate)
        assert torch.equal(way.from_style(style, reference), plate)
        assert way.from_style(torch.rand(plate.shape, generator=random), reference).isfinite().all()


@pytest.mark.parametrize("highlights", ["paint", "keep", "soft"])
@pytest.mark.parametrize("space", ["lin_rec709", "ACEScg", "acescct", CINEON])
def test_almost_unpainted_is_almost_the_plate(space: str, highlights: str) -> None:
    way = codec(space, highlights=highlights)
    plate = grey(*torch.linspace(0.1, 1.0, 50).tolist())
    style, reference = way.to_style(plate)
    assert torch.allclose(way.from_style(style - 1e-6, reference), plate, rtol=1e-4, atol=0)


@pytest.mark.parametrize("highlights", ["keep", "soft"])  # paint as highlights has the plate's light again
@pytest.mark.parametrize("space", ["lin_rec709", "ACEScg", "acescct", CINEON, "srgb_tx", "srgb_displayp3"])
def test_paint_moves_the_plate_the_same_way(space: str, highlights: str) -> None:
    way = codec(space, highlights=highlights)
    plate = grey(*torch.linspace(0.2, 0.9, 40).tolist())
    style, reference = way.to_style(plate)
    assert (way.from_style(style * 0.9, reference) < plate).all()
    assert (way.from_style(style * 0.9 + 0.1, reference) >= plate).all()


@pytest.mark.parametrize("highlights", ["paint", "keep", "soft"])
def test_texture_on_highlights_makes_no_fireflies(highlights: str) -> None:
    plate = grey(*torch.linspace(-0.1, 100, 4001).tolist())
    way = codec("lin_rec709", highlights=highlights)
    style, reference = way.to_style(plate)
    bright = plate > 0.18
    for texture in (-0.1, 0.1):
        ratio = (way.from_style(style + texture, reference) / plate)[bright]
        assert ratio.min() > 1 / 1.7 and ratio.max() < 1.7
    assert way.from_style(style + 0.1, reference)[~bright].max() < 0.3


def test_middle_contrast_is_near_srgb() -> None:
    style, _ = codec("lin_rec709").to_style(grey(0.09, 0.18, 0.36))
    assert torch.allclose(style, srgb_encode(grey(0.09, 0.18, 0.36)))


def test_painted_highlight_is_the_documented_formula() -> None:
    way = codec("lin_rec709")
    plate = row((50, 10, 2), (0.5, 0.9, 0.1))
    _, reference = way.to_style(plate)
    painted = torch.rand(plate.shape, generator=torch.Generator().manual_seed(1))
    brightest = plate.amax(0, keepdim=True)
    u = (brightest - 0.6) / 0.4
    ratio = (0.6 + 0.4 * u / (1 + u)) / brightest
    assert torch.allclose(way.from_style(painted, reference), srgb_decode(painted) / ratio, rtol=1e-4)


def test_soft_paint_replaces_a_highlight() -> None:
    """Below its top the hybrid leaves no ratio behind: equal paint gives equal light, on dark plate or bright."""
    way = codec("lin_rec709", highlights="soft")
    _, reference = way.to_style(grey(0.02, 0.5, 2.0))
    painted = way.from_style(torch.full((3, 1, 3), 0.8), reference)
    assert torch.allclose(painted, painted[:1, :1, :1].expand_as(painted), rtol=1e-5)
    assert 0.8 < painted.mean() < 1.0


def test_dark_paint_covers_what_is_out_of_gamut() -> None:
    """A saturated light of a wide gamut has negatives in Rec.709; they must not show through dark paint."""
    for space in ("ACEScg", "acescct"):
        way = codec(space)
        plate = row((0.0, 0.9, 0.05))
        style, reference = way.to_style(plate)
        dark = way.from_style(torch.full_like(style, 0.05), reference)
        assert dark.min() > -0.1
        assert dark.amax() < plate.amax()


def test_wide_gamut_is_converted() -> None:
    style, _ = codec("ACEScg").to_style(row((0.5, 0.5, 0.5), (0.3, 0.1, 0.1)))
    assert torch.allclose(style[..., 0], srgb_encode(torch.full((3, 1), 0.5)), atol=1e-5)
    assert style[0, 0, 1] > srgb_encode(torch.tensor(0.3)), "AP1 red is more saturated than Rec.709's"


def test_log_plates_look_like_their_linear_light() -> None:
    light = grey(0.01, 0.18, 0.5)
    code = (10 ** ((95 - 685) / 300) * (1 - light) + light).log10() * 300 / 1023 + 685 / 1023
    assert code[0, 0, 1] == pytest.approx(0.457, abs=0.003), "middle grey is near code 470"
    assert torch.allclose(codec(CINEON).to_style(code)[0], codec("lin_rec709").to_style(light)[0], atol=1e-5)


@pytest.mark.parametrize("space", ["srgb_tx", "sRGB - Display", "camera_rec709", "g24_rec709_tx"])
def test_display_referred_codes_are_style_values(space: str) -> None:
    plate = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(3))
    way = codec(space, highlights="soft")
    style, reference = way.to_style(plate)
    assert torch.equal(style, plate)
    assert torch.allclose(way.from_style(1 - plate, reference), 1 - plate, atol=1e-6)


def test_display_p3_becomes_srgb() -> None:
    style, reference = codec("srgb_displayp3").to_style(row((0.8, 0.3, 0.3), (0.5, 0.5, 0.5)))
    assert style[0, 0, 0] > 0.82 and torch.allclose(style[..., 1], torch.full((3, 1), 0.5), atol=1e-4)
    painted = codec("srgb_displayp3").from_style(torch.full((3, 1, 2), 0.25), reference)
    assert torch.allclose(painted, torch.full((3, 1, 2), 0.25), atol=2e-2)


def test_nan_and_infinity_give_finite_style_and_plate() -> None:
    plate = grey(0.5, 0.5, 0.5, 0.5)
    plate[0, 0, 1], plate[1, 0, 2], plate[2, 0, 3] = torch.nan, torch.inf, -torch.inf
    assert nonfinite_mask(plate).tolist() == [[[False, True, True, True]]]
    for space in ("lin_rec709", "ACEScg", "acescct", "srgb_tx"):
        way = codec(space)
        style, reference = way.to_style(plate)
        back = way.from_style(style, reference)
        assert style.isfinite().all() and back.isfinite().all()
        assert torch.equal(back[..., 0], plate[..., 0])


def test_a_lone_hole_looks_like_what_surrounds_it() -> None:
    """Black, it would be an edge to the painter."""
    y, x = torch.meshgrid(torch.linspace(0.2, 0.4, 30), torch.linspace(0, 0.3, 40), indexing="ij")
    whole = torch.stack([y, x + 0.1, y + x])
    holed = whole.clone()
    holed[0, 12, 20], holed[1, 3:6, 3:6], holed[2, 0, 39] = torch.nan, torch.inf, -torch.inf
    way = codec("lin_rec709")
    torch.testing.assert_close(way.to_style(holed)[0], way.to_style(whole)[0], atol=0.02, rtol=0)
    rest = ~nonfinite_mask(holed)[0]
    assert torch.equal(way.to_style(holed)[0][:, rest], way.to_style(whole)[0][:, rest])


def test_a_hole_beside_a_firefly_or_as_wide_as_the_plate_is_finite() -> None:
    plate = torch.full((3, 64, 64), torch.nan)
    assert codec("lin_rec709").to_style(plate)[0].max() == 0
    plate[:, 0, 0] = 3e38
    assert codec("lin_rec709").to_style(plate)[0].isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("space", ["ACEScg", "acescct", CINEON, "srgb_tx"])
def test_on_the_gpu(space: str) -> None:
    plate = torch.rand(3, 16, 16).cuda() * 20 - 1
    way = codec(space)
    style, reference = way.to_style(plate)
    assert style.is_cuda and torch.equal(way.from_style(style, reference), plate)
    assert torch.allclose(style.cpu(), way.to_style(plate.cpu())[0], atol=1e-5)


@pytest.mark.parametrize("space", [*LINEAR, *LOG, *DISPLAY])
def test_the_open_codec_keeps_all_light(space: str) -> None:
    made = open_codec(codec(space))
    linear = grey(0.0, 0.18, 1.0, 1.5, 8.0, 40.0)
    plate = made._transform.inverse(linear) if not made._transform.display else linear.clamp(max=1)
    style, reference = made.to_style(plate)
    assert torch.equal(made.from_style(style, reference), plate)
    painted = made.from_style(style.flip(2), reference)  # light goes where it is painted
    torch.testing.assert_close(painted, plate.flip(2), rtol=2e-3, atol=2e-3)
    if made._transform.display:
        assert style.max() <= 1
    else:
        torch.testing.assert_close(
            style[0, 0, 3:].double(), 1 + torch.tensor([1.5, 8, 40]).double().log(), rtol=1e-3, atol=0
        )
