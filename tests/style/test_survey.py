from __future__ import annotations

import contextlib
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tsn.errors import InputError
from tsn.frames import sample_frames
from tsn.style.base import Survey, digest
from tsn.style.locked import FeedforwardPainter
from tsn.style.survey import PIXEL_LIMIT, anything, mosaic, shows


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
    return torch.cat([value for pair in net.survey([image[None]]) for value in pair])


def test_mosaic_of_a_small_frame_is_the_frame(picture):
    image = picture(60, 80)
    assert mosaic(image, stride=4, limit=60 * 80) is image


def test_mosaic_of_a_texture_has_its_statistics(net, picture):
    image = picture(16, 16).repeat(1, 60, 72)
    small = mosaic(image, stride=4, limit=960 * 1152 // 3)
    assert small.shape[-2] * small.shape[-1] <= 960 * 1152 // 3
    whole = stats_of(net, image)
    assert (stats_of(net, small) - whole).abs().max() < 0.06 * whole.abs().max()


def test_mosaic_counts_a_dull_sky_by_its_area_where_separate_crops_blow_it_up(net, picture):
    image = picture(768, 768)
    image[:, :384] = 0.6 + 0.001 * image[:, :384]
    limit = 768 * 768 // 3
    whole = stats_of(net, image)
    error = (stats_of(net, mosaic(image, stride=4, limit=limit)) - whole).abs().mean()
    crops = [image[:, r : r + 256, c : c + 256] for r, c in [(0, 0), (0, 512), (512, 0), (512, 512), (256, 256)]]
    separate = torch.stack([stats_of(net, crop) for crop in crops]).mean(0)
    assert error < 0.4 * (separate - whole).abs().mean()


@pytest.mark.parametrize("size", [(2160, 3840), (4320, 7680), (2160, 2048), (100, 45000)])
def test_mosaic_stays_below_the_limit_and_close_to_it(size):
    small = mosaic(torch.zeros(1, 1, 1).expand(3, *size), stride=4)
    assert 0.9 * PIXEL_LIMIT < small.shape[-2] * small.shape[-1] <= min(PIXEL_LIMIT, size[0] * size[1])
    assert small.shape[-2] % 4 == small.shape[-1] % 4 == 0


def test_a_saved_survey_comes_back_bit_for_bit(tmp_path):
    survey = Survey(of="a painter", tensors={"00.mean": torch.rand(4), "00.variance": torch.rand(4)})
    survey.save(tmp_path / "survey.safetensors")
    back = Survey.load(tmp_path / "survey.safetensors")
    assert back.of == survey.of
    assert back.fingerprint == survey.fingerprint
    assert all(torch.equal(back.tensors[k], v) for k, v in survey.tensors.items())


def test_a_bit_of_difference_changes_the_fingerprint():
    value = torch.rand(4)
    near = torch.nextafter(value, torch.tensor(2.0))
    prints = {Survey(of="p", tensors={"x": v}).fingerprint for v in (value, near, value.reshape(2, 2))}
    assert len(prints | {Survey(of="q", tensors={"x": value}).fingerprint}) == 4
    assert digest("ab", "c") != digest("a", "bc")


def test_a_path_that_is_no_utf8_has_a_digest():
    assert digest(os.fsdecode(b"caf\xe9")) == digest(b"caf\xe9")


def test_a_damaged_or_foreign_survey_file_is_an_input_error(tmp_path, weights_file):
    path = tmp_path / "survey.safetensors"
    with pytest.raises(InputError, match="Cannot read the survey"):
        Survey.load(path)
    path.write_bytes(b"no survey")
    with pytest.raises(InputError, match="Cannot read the survey"):
        Survey.load(path)
    with pytest.raises(InputError, match="is not a survey"):
        Survey.load(weights_file())


def test_any_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "survey.safetensors"
    Survey(of="a painter", tensors={"00.mean": torch.ones(2)}).save(path)
    content = path.read_bytes()
    believed = []
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            with contextlib.suppress(InputError):
                found = Survey.load(path)
                believed.append((found.of, found.tensors["00.mean"].tolist()))
    assert set(map(str, believed)) <= {str(("a painter", [1.0, 1.0]))}, "nothing but what was written"


def test_a_survey_needs_a_frame():
    with pytest.raises(ValueError, match="one frame at least"):
        Survey.mean([])


def test_a_frame_in_which_there_is_nothing_is_not_surveyed(net, picture):
    painter = FeedforwardPainter(net, name="net", weights="x")
    frame, other, dark = picture(48, 64), picture(32, 96), torch.zeros(3, 48, 64)
    alone = painter.survey([frame, other])
    fading = painter.survey([dark, dark + 0.002 * frame, frame, dark + 0.5, other])
    assert fading.fingerprint == alone.fingerprint
    assert list(shows([dark, frame])) == [frame]


def test_a_shot_of_black_frames_is_surveyed_by_a_picture_of_nothing_in_particular(net, picture):
    """And what enters late is painted as if it had been there."""
    painter = FeedforwardPainter(net, name="net", weights="x")
    survey = painter.survey([torch.zeros(3, 48, 64)] * 5)
    assert survey.fingerprint == painter.survey([anything()]).fingerprint
    frame = picture(48, 64)
    late, known = (painter.locked(s).paint(frame, 1) for s in (survey, painter.survey([frame])))
    assert torch.isfinite(late).all()
    assert (late - known).abs().mean() < 0.15


def test_a_picture_of_nothing_in_particular_is_the_same_on_any_number_of_threads(threads):
    made = []
    for count in (1, 2, 5, 8):
        threads(count)
        anything.cache_clear()
        made.append(anything())
    assert all(torch.equal(other, made[0]) for other in made)
    assert list(shows([])) == []


def test_a_picture_of_nothing_in_particular_is_like_a_photo():
    found = anything()
    assert found.shape == (3, 256, 256) and 0 <= found.min() < 0.1 and 0.9 < found.max() <= 1
    assert 0.15 < found.std() < 0.25 and found.mean((1, 2)).sub(0.48).abs().max() < 0.03
    near, far = ((found[:, :, step:] - found[:, :, :-step]).square().mean() for step in (1, 32))
    assert far > 10 * near
