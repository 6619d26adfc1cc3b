"""Highlights that are painted: what the painter sees of them, and the light of the paint."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tsn.colour import LUMA, codec, srgb_decode, srgb_encode
from tsn.colour.painted_highlights import KNEE, WHITE

H, W = 72, 96
WAY = codec("lin_rec709", highlights="paint")
seeds = st.integers(0, 2**31)


def smooth_noise(seed: int, cells: int, channels: int = 3) -> Tensor:
    """(C, H, W) in about -2 to 2, of the size of H / cells."""
    small = torch.randn(1, channels, cells, cells, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, size=(H, W), mode="bilinear", align_corners=False)[0]


def plate_of(seed: int, stops: float) -> Tensor:
    """Scene-linear, whose middle is `stops` above 1, with lights and shadows."""
    return (smooth_noise(seed, 5) * 0.3 + smooth_noise(seed + 1, 4, 1) * 1.5 + stops).exp2()


def lamp(x: int = 48, radius: float = 14, light: float = 10.0, wall: float = 0.2) -> Tensor:
    down, across = torch.meshgrid(torch.arange(H) - 36.0, torch.arange(W) - float(x), indexing="ij")
    inside = ((radius - (down**2 + across**2).sqrt()) + 0.5).clamp(0, 1)
    return torch.tensor([1.0, 0.8, 0.5])[:, None, None] * (wall + (light - wall) * inside)


def energy(rgb: Tensor) -> float:
    """The sum of luminance above 1."""
    return float(((rgb * torch.tensor(LUMA)[:, None, None]).sum(0) - 1).clamp(min=0).sum())


@settings(max_examples=12, deadline=None)
@given(seed=seeds, stops=st.floats(-1, 4), lightness=st.floats(0.65, 0.95), contrast=st.floats(0, 0.1))
def test_paint_has_the_energy_of_the_plate(seed: int, stops: float, lightness: float, contrast: float) -> None:
    plate = plate_of(seed, stops)
    _, reference = WAY.to_style(plate)
    paint = (lightness + contrast * smooth_noise(seed + 2, 24)).clamp(0, 1)
    painted = WAY.from_style(paint, reference)
    if energy(plate) > 0.05 * H * W:
        assert 0.9 < energy(painted) / energy(plate) < 1.07
    assert painted.max() < 2 * plate.max() and painted.min() >= 0, "no fireflies"


@settings(max_examples=12, deadline=None)
@given(seed=seeds, stops=st.floats(-2, 6))
def test_no_hue_flips(seed: int, stops: float) -> None:
    """The channels of the paint keep their order."""
    plate = plate_of(seed, stops)
    style, reference = WAY.to_style(plate)
    assert (style.diff(dim=0)[plate.diff(dim=0) >= 0] >= -1e-5).all(), "nor does what the painter sees flip"
    paint = torch.rand(3, H, W, generator=torch.Generator().manual_seed(seed))
    painted = WAY.from_style(paint, reference)
    # Where style space clips, the plate's glints stay over the paint.
    held = (style < 1).all(0)
    assert (painted.diff(dim=0)[:, held] * paint.diff(dim=0)[:, held] >= -1e-4 * plate.max()).all()


def test_dark_plates_are_srgb() -> None:
    plate = plate_of(1, -6).clamp(max=KNEE)
    style, reference = WAY.to_style(plate)
    assert torch.allclose(style, srgb_encode(plate), atol=1e-6)
    assert torch.allclose(WAY.from_style(1 - style, reference), srgb_decode(1 - style), atol=1e-5)


def test_the_painter_sees_the_texture_of_a_lamp_on_a_level_that_can_be_painted() -> None:
    texture = 1 + 0.2 * smooth_noise(3, 24, 1).clamp(-1, 1)
    contrasts = {}
    for name in ("paint", "keep"):
        style, _ = codec("lin_rec709", highlights=name).to_style(torch.full((3, H, W), 12.0) * texture)
        contrasts[name] = float(style.std())
        if name == "paint":
            assert float(style.mean()) == pytest.approx(float(srgb_encode(torch.tensor(WHITE))), abs=0.05)
    assert contrasts["paint"] > 4 * contrasts["keep"]


def test_a_lamp_has_no_halo() -> None:
    """The wall around it is painted as without the lamp, right up to its rim, and the lamp up to it from within."""
    plate, paint = lamp(), torch.tensor([0.7, 0.55, 0.2])[:, None, None].expand(3, H, W)
    style, reference = WAY.to_style(plate)
    painted = WAY.from_style(paint, reference)
    wall, inside = plate[0] < 0.21, plate[0] > 9.99
    assert torch.allclose(style[:, wall], srgb_encode(plate)[:, wall], atol=0.01)
    assert torch.allclose(painted[:, wall], srgb_decode(paint)[:, wall], rtol=0.02)
    light = painted[0][inside]
    assert light.min() / light.max() > 0.9, "flat paint on a flat lamp is flat"
    assert painted[2].max() < 0.4 * painted[0].max(), "and has its hue"


def test_a_lamp_that_moves_does_not_pump() -> None:
    paint = torch.tensor([0.4, 0.55, 0.7])[:, None, None].expand(3, H, W)
    lights = []
    for x in range(40, 56):
        _, reference = WAY.to_style(lamp(x))
        painted = WAY.from_style(paint, reference)
        lights.append(float(painted[2, 30:42, x - 6 : x + 6].mean()))
    assert max(lights) / min(lights) < 1.01


def test_a_sun_does_not_lift_the_sky_around_it() -> None:
    """Dark paint over the sun only."""
    plate = torch.full((3, H, W), 1.5)
    plate[:, 34:38, 46:50] = 500.0
    style, reference = WAY.to_style(plate)
    paint = style.clone()
    paint[:, 34:38, 46:50] *= 0.5
    painted = WAY.from_style(paint, reference)
    sky = plate[0] == 1.5
    assert torch.allclose(painted[:, sky], plate[:, sky], rtol=0.02)
    assert painted[0, 36, 48] > 100


def test_white_walls_are_no_lights() -> None:
    """Where the plate has no energy above 1, paint has none, and grey paint stays grey."""
    _, reference = WAY.to_style(torch.full((3, H, W), 0.8))
    for light, expected in ((0.3, 0.37), (1.0, 1.0)):
        painted = WAY.from_style(torch.full((3, H, W), float(srgb_encode(torch.tensor(light)))), reference)
        assert torch.allclose(painted, torch.tensor(expected), rtol=0.05)


def test_paint_over_a_clipped_view_of_the_plate_has_its_light() -> None:
    plate = plate_of(6, 0.5)
    _, reference = WAY.to_style(plate)
    clipped = srgb_encode(plate.clamp(max=1))
    painted = WAY.from_style(clipped, reference)
    assert 0.95 < energy(painted) / energy(plate) < 1.1
    below = plate.amax(0) < 0.8
    assert torch.allclose(painted[:, below], plate[:, below], rtol=0.2)


def test_wide_gamut_paint_is_the_same_light() -> None:
    plate = plate_of(4, 1)
    aces = codec("ACEScg", highlights="paint")
    there = aces._transform.inverse(plate)
    paint = smooth_noise(5, 24).mul(0.15).add(0.6).clamp(0, 1)
    as_rec709 = WAY.from_style(paint, WAY.to_style(plate)[1])
    as_acescg = aces._transform.forward(aces.from_style(paint, aces.to_style(there)[1]))
    assert torch.allclose(as_acescg, as_rec709, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("light", [3.0, 50.0, 20000.0, 60000.0])
@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_no_stroke_is_far_brighter_than_the_lamp(light: float, share: float) -> None:
    """Not even among dark ones, which miss its energy."""
    plate = lamp(radius=30, light=light)
    style, reference = WAY.to_style(plate)
    strokes = (0.5 + 0.35 * smooth_noise(8, 24)).clamp(0, 1)
    painted = WAY.from_style(style + share * (strokes - style), reference)
    assert painted.max() < 1.9 * plate.max()
    assert torch.isfinite(painted.half()).all()
    lit = painted[:, plate[0] > 0.99 * light]
    assert lit.std() > 0.15 * share * lit.mean(), "and the bound is soft: strokes do not merge into flat white"
    if share < 0.3 and light < 60000:
        assert energy(painted) == pytest.approx(energy(plate), rel=0.05)


def test_a_lamp_half_painted_has_no_seam_to_what_is_left_alone() -> None:
    plate = lamp(radius=30, light=50.0)
    style, reference = WAY.to_style(plate)
    left = torch.arange(W) < W // 2

    def painted_with(change: float) -> Tensor:
        return WAY.from_style(torch.where(left, 0.2 * style, style + change), reference)[:, :, ~left]

    alone = painted_with(0)
    assert torch.equal(alone, plate[:, :, ~left])
    assert torch.allclose(painted_with(1e-5), alone, rtol=1e-3)
    shades = [float(painted_with(change)[0, 36, 2]) for change in torch.linspace(0, 0.03, 31).tolist()]
    steps = torch.tensor(shades).diff() / 50
    assert steps.abs().max() < 0.12, "from there on it changes bit by bit"


def test_what_is_painted_lightly_stays_where_it_was() -> None:
    plate = plate_of(11, 2)
    style, reference = WAY.to_style(plate)
    painted = WAY.from_style((style + 1e-4 * smooth_noise(12, 24)).clamp(0, 1), reference)
    assert torch.allclose(painted, plate, rtol=0.02, atol=0.01)


def test_same_bits_at_any_number_of_threads_in_pictures_with_blocks() -> None:
    """Above 540 lines energies are pooled."""
    size = (601, 333)
    noise = torch.nn.functional.interpolate(smooth_noise(13, 24)[None], size=size, mode="bilinear")[0]
    plate = (2 * noise).exp2()
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            style, reference = WAY.to_style(plate)
            results.append((style, WAY.from_style(style.flip(1) * 0.9, reference)))
    finally:
        torch.set_num_threads(threads)
    for style, painted in results[1:]:
        assert torch.equal(style, results[0][0]) and torch.equal(painted, results[0][1])
