from __future__ import annotations

import contextlib
import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tsn.errors import InputError
from tsn.frames import sample_frames
from tsn.style.calibration import (
    MAX_PIXELS,
    _crops,
    _crops_by_coverage,
    crop_mosaic,
    mirror_into_void,
    natural_noise,
    usable_frames,
)
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.painter import Calibration, digest
from tsn.style.tiles import pad_to_stride


def test_sample_frames_takes_the_middles_of_equal_stretches():
    assert sample_frames(range(1001, 1051), 5) == (1006, 1016, 1026, 1036, 1046)
    assert sample_frames((1, 2, 3, 10), 1) == (3,)


@given(
    frames=st.lists(st.integers(-9999, 9999), unique=True, max_size=80).map(sorted).map(tuple), count=st.integers(1, 12)
)
def test_sample_frames_are_frames_of_the_shot_in_order(frames, count):
    sampled = sample_frames(frames, count)
    assert len(sampled) == min(count, len(frames))
    assert list(sampled) == sorted(set(sampled) & set(frames))


def stats_of(net, image):
    return torch.cat([value for pair in net.calibrate([image[None]]) for value in pair])


def test_mosaic_of_a_small_frame_is_the_frame(picture):
    image = picture(60, 80)
    assert crop_mosaic(image, stride=4, limit=60 * 80) is image


def test_mosaic_of_a_texture_has_its_statistics(net, picture):
    image = picture(16, 16).repeat(1, 60, 72)
    small = crop_mosaic(image, stride=4, limit=960 * 1152 // 3)
    assert small.shape[-2] * small.shape[-1] <= 960 * 1152 // 3
    whole = stats_of(net, image)
    assert (stats_of(net, small) - whole).abs().max() < 0.06 * whole.abs().max()


def test_mosaic_counts_a_dull_sky_by_its_area_where_separate_crops_blow_it_up(net, picture):
    image = picture(768, 768)
    image[:, :384] = 0.6 + 0.001 * image[:, :384]
    limit = 768 * 768 // 3
    whole = stats_of(net, image)
    error = (stats_of(net, crop_mosaic(image, stride=4, limit=limit)) - whole).abs().mean()
    crops = [image[:, r : r + 256, c : c + 256] for r, c in [(0, 0), (0, 512), (512, 0), (512, 512), (256, 256)]]
    separate = torch.stack([stats_of(net, crop) for crop in crops]).mean(0)
    assert error < 0.4 * (separate - whole).abs().mean()


@pytest.mark.parametrize("size", [(2160, 3840), (4320, 7680), (2160, 2048), (100, 45000)])
def test_mosaic_stays_below_the_limit_and_close_to_it(size):
    small = crop_mosaic(torch.zeros(1, 1, 1).expand(3, *size), stride=4)
    assert 0.9 * MAX_PIXELS < small.shape[-2] * small.shape[-1] <= min(MAX_PIXELS, size[0] * size[1])
    assert small.shape[-2] % 4 == small.shape[-1] % 4 == 0


def test_a_saved_calibration_comes_back_bit_for_bit(tmp_path):
    calibration = Calibration(
        painter_fingerprint="a painter", tensors={"00.mean": torch.rand(4), "00.variance": torch.rand(4)}
    )
    calibration.save(tmp_path / "calibration.safetensors")
    back = Calibration.load(tmp_path / "calibration.safetensors")
    assert back.painter_fingerprint == calibration.painter_fingerprint
    assert back.fingerprint == calibration.fingerprint
    assert all(torch.equal(back.tensors[k], v) for k, v in calibration.tensors.items())


def test_a_bit_of_difference_changes_the_fingerprint():
    value = torch.rand(4)
    near = torch.nextafter(value, torch.tensor(2.0))
    prints = {
        Calibration(painter_fingerprint="p", tensors={"x": v}).fingerprint for v in (value, near, value.reshape(2, 2))
    }
    assert len(prints | {Calibration(painter_fingerprint="q", tensors={"x": value}).fingerprint}) == 4
    assert digest("ab", "c") != digest("a", "bc")


def test_a_path_that_is_no_utf8_has_a_digest():
    assert digest(os.fsdecode(b"caf\xe9")) == digest(b"caf\xe9")


def test_a_damaged_or_foreign_calibration_file_is_an_input_error(tmp_path, weights_file):
    path = tmp_path / "calibration.safetensors"
    with pytest.raises(InputError, match="Cannot read the calibration"):
        Calibration.load(path)
    path.write_bytes(b"no calibration")
    with pytest.raises(InputError, match="Cannot read the calibration"):
        Calibration.load(path)
    with pytest.raises(InputError, match="is not a calibration"):
        Calibration.load(weights_file())


def test_any_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "calibration.safetensors"
    Calibration(painter_fingerprint="a painter", tensors={"00.mean": torch.ones(2)}).save(path)
    content = path.read_bytes()
    believed = []
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            with contextlib.suppress(InputError):
                found = Calibration.load(path)
                believed.append((found.painter_fingerprint, found.tensors["00.mean"].tolist()))
    assert set(map(str, believed)) <= {str(("a painter", [1.0, 1.0]))}, "nothing but what was written"


def test_a_calibration_needs_a_frame():
    with pytest.raises(ValueError, match="at least one frame"):
        Calibration.mean([])


def test_an_empty_frame_is_not_in_the_calibration(net, picture):
    painter = FeedforwardPainter(net, name="net", weights="x")
    frame, other, dark = picture(48, 64), picture(32, 96), torch.zeros(3, 48, 64)
    alone = painter.calibrate([frame, other])
    fading = painter.calibrate([dark, dark + 0.002 * frame, frame, dark + 0.5, other])
    assert fading.fingerprint == alone.fingerprint
    assert list(usable_frames([dark, frame])) == [frame]


def test_a_shot_of_black_frames_is_calibrated_on_natural_noise(net, picture):
    """And what enters late is painted as if it had been there."""
    painter = FeedforwardPainter(net, name="net", weights="x")
    calibration = painter.calibrate([torch.zeros(3, 48, 64)] * 5)
    assert calibration.fingerprint == painter.calibrate([natural_noise()]).fingerprint
    frame = picture(48, 64)
    late, known = (painter.frozen(s).paint(frame, 1) for s in (calibration, painter.calibrate([frame])))
    assert torch.isfinite(late).all()
    assert (late - known).abs().mean() < 0.15


def test_a_picture_of_nothing_in_particular_is_the_same_on_any_number_of_threads(threads):
    made = []
    for count in (1, 2, 5, 8):
        threads(count)
        natural_noise.cache_clear()
        made.append(natural_noise())
    assert all(torch.equal(other, made[0]) for other in made)
    assert list(usable_frames([])) == []


def test_a_picture_of_nothing_in_particular_is_like_a_photo():
    found = natural_noise()
    assert found.shape == (3, 256, 256) and 0 <= found.min() < 0.1 and 0.9 < found.max() <= 1
    assert 0.15 < found.std() < 0.25 and found.mean((1, 2)).sub(0.48).abs().max() < 0.03
    near, far = ((found[:, :, step:] - found[:, :, :-step]).square().mean() for step in (1, 32))
    assert far > 10 * near


# --- void --------------------------------------------------------------------------------------------


def element(picture, height=72, width=96, seed=0):
    """An ellipse of something, (4, H, W), straight colours on black void: its cover is soft for two pixels."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    away = (((x - width / 2) / (width / 2)) ** 2 + ((y - height / 2) / (height / 2)) ** 2).sqrt()
    cover = ((1 - away) * min(height, width) / 4).clamp(0, 1)[None]
    return torch.cat([picture(height, width, seed) * (cover > 0), cover])


ELEMENTS = st.tuples(*[st.integers(0, 90)] * 4)


@settings(max_examples=15, deadline=None)
@given(sides=ELEMENTS, family=st.sampled_from(["plain", "all"]))
def test_the_calibration_of_an_element_has_the_same_bits_whatever_the_void_around_it(tiny, sides, family):
    kinds = {} if family == "plain" else {"recolours": True, "simplifies": True, "seeded": True}
    painter = FeedforwardPainter(tiny(**kinds), name="net", weights="x")
    torch.manual_seed(1)
    found = element(lambda height, width, seed: torch.rand(3, height, width))
    alone = painter.calibrate([found])
    assert painter.calibrate([F.pad(found, sides)]).fingerprint == alone.fingerprint


@pytest.mark.parametrize("shift", [4, 8, 60])
def test_an_element_is_painted_alike_whatever_the_void_around_it(painter, picture, shift):
    """By what every layer sees of it, not by what is around: statistics of all pixels would be others."""
    found = element(picture)
    around = F.pad(found, (shift, 100, 4 * shift, 60))
    near, far = (painter.frozen(painter.calibrate([image])).paint(image[:3], 1) for image in (found, around))
    core = F.pad(-F.max_pool2d(-F.pad(found[3:], (1,) * 4), 17, 1, 8), (-1,) * 4)[0] >= 1
    assert core.sum() > 1000
    far = far[:, 4 * shift : 4 * shift + 72, shift : shift + 96]
    assert (near - far).abs()[:, core].mean() < 0.01
    by_all = painter.frozen(painter.calibrate([around[:3]])).paint(around[:3], 1)
    by_all = by_all[:, 4 * shift : 4 * shift + 72, shift : shift + 96]
    assert (near - by_all).abs()[:, core].mean() > 0.02


def test_full_coverage_changes_no_calibration(painter, picture):
    """Three channels: to the bit by the plain formula. Four with a cover of 1: the same numbers but for rounding."""
    frames = [picture(48, 64, seed) for seed in (1, 2)]
    found = painter.calibrate(frames)

    class Plain:
        def __init__(self):
            self.stats = []

        def __call__(self, x, scale, shift):
            var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
            self.stats += [mean, var]
            return F.instance_norm(x, weight=scale, bias=shift, eps=1e-5)

    each = []
    for frame in frames:
        plain = Plain()
        with torch.inference_mode():
            painter.net(pad_to_stride(frame, 4)[None].contiguous(memory_format=torch.channels_last), plain)
        each.append(plain.stats)
    for index, (one, other) in enumerate(zip(*each, strict=True)):
        name = f"{index // 2:02}.{('mean', 'variance')[index % 2]}"
        assert torch.equal(found.tensors[name], torch.stack([one, other]).mean(0))
    covered = painter.calibrate([torch.cat([frame, torch.ones(1, 48, 64)]) for frame in frames])
    for name, tensor in found.tensors.items():
        torch.testing.assert_close(covered.tensors[name], tensor, rtol=1e-4, atol=1e-5)


def test_frames_before_the_element_enters_are_not_in_the_calibration(painter, picture):
    found, void = element(picture), torch.zeros(4, 72, 96)
    speck = void.clone()
    speck[:, 10:14, 10:14] = element(picture)[:, 30:34, 40:44]  # autocropped to hardly anything
    alone = painter.calibrate([found])
    assert painter.calibrate([void, found, speck, void]).fingerprint == alone.fingerprint
    assert painter.calibrate([void, void]).fingerprint == painter.calibrate([natural_noise()]).fingerprint
    assert painter.calibrate([speck]).fingerprint == painter.calibrate([natural_noise()]).fingerprint


@pytest.mark.parametrize("cover", [False, True])
@pytest.mark.parametrize("colour", [(0.8, 0.1, 0.1), (0.0, 0.7, 0.2), (0.5, 0.5, 0.5)])
def test_a_card_of_one_colour_is_painted(painter, colour, cover):
    """Of no variance at all, whether void surrounds it or not: no net can be normalised by that."""
    card = torch.tensor(colour).view(3, 1, 1).expand(3, 48, 64)
    seen = F.pad(torch.cat([card, torch.ones(1, 48, 64)]), (40, 20, 12, 8)) if cover else card
    assert torch.isfinite(painter.frozen(painter.calibrate([seen])).paint(seen[:3].contiguous(), 1)).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (1, 40), (200, 1), (5, 7), (8, 8), (9, 8)])
@pytest.mark.parametrize("cover", [False, True])
def test_what_is_too_small_to_have_statistics_is_painted(painter, picture, size, cover):
    image = picture(200, 200)[:, : size[0], : size[1]]
    seen = torch.cat([image, torch.ones(1, *size)]) if cover else image
    painted = painter.frozen(painter.calibrate([seen])).paint(image, 1)
    assert torch.isfinite(painted).all() and painted.shape == image.shape


def test_cells_of_a_large_element_lie_in_it_whatever_the_void_around_it(picture):
    found = element(picture, 300, 400)
    limit = 300 * 400 // 4
    cells = crop_mosaic(found, stride=4, limit=limit)
    assert 0.8 * limit < cells[0].numel() <= limit
    assert torch.equal(crop_mosaic(F.pad(found, (701, 30, 95, 1203)), stride=4, limit=limit), cells)
    assert cells[3].mean() > 0.9 * found[3].mean()


def test_cells_find_two_elements_in_far_corners(picture):
    """By the middles of equal cells, nothing of either would be seen."""
    found = torch.zeros(4, 400, 600)
    one = element(picture, 40, 40)
    found[:, :40, :40] = found[:, -40:, -40:] = one
    cells = crop_mosaic(found, stride=4, limit=400 * 600 // 20)
    assert cells[3].sum() > 1.5 * one[3].sum()


@given(
    profile=st.lists(st.integers(0, 9), min_size=24, max_size=300).filter(any),
    kept=st.floats(0.05, 1),
    stride=st.sampled_from([4, 8]),
)
def test_cells_by_what_they_hold_do_not_overlap_and_lie_in_the_picture(profile, kept, stride):
    windows = _crops_by_coverage(np.asarray(profile, float), kept, stride)
    edges = [edge for window in windows for edge in (window.start, window.stop)]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= len(profile)
    assert all(window.start % stride == 0 for window in windows)
    assert len({window.stop - window.start for window in windows}) == 1


def test_where_all_lines_hold_as_much_the_cells_are_those_of_a_plate():
    for size, kept in ((960, 0.5), (2160, 0.7), (3840, 0.4)):
        for ours, plain in zip(_crops_by_coverage(np.ones(size), kept, 4), _crops(size, kept, 4), strict=True):
            assert abs(ours.start - plain.start) <= 4 and ours.stop - ours.start == plain.stop - plain.start


def test_statistics_by_cover_are_the_same_on_any_number_of_threads(threads, painter, picture):
    found, seen = [], element(picture, 200, 300)
    for count in (1, 2, 5):
        threads(count)
        found.append(painter.calibrate([seen]).fingerprint)
    assert len(set(found)) == 1


def test_void_around_an_element_is_filled_with_its_mirror_image(picture):
    found = F.pad(picture(5, 7), (9, 20, 3, 0))
    cover = F.pad(torch.ones(1, 5, 7), (9, 20, 3, 0))
    shown = mirror_into_void(found, cover)
    box = found[:, 3:8, 9:16]
    assert torch.equal(shown[:, 3:8, 9:16], box)
    wanted = np.pad(box.numpy(), ((0, 0), (3, 0), (9, 20)), mode="reflect")
    assert np.array_equal(shown.numpy(), wanted)
    assert mirror_into_void(found, cover * 0) is found
    one = F.pad(torch.ones(1, 1, 1), (4, 2, 1, 1))
    assert (mirror_into_void(one.expand(3, -1, -1) * 0.3, one) == torch.tensor(0.3)).all()
