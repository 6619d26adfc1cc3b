from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import mark, raises

from tsn.style.tiles import MAX_WHOLE_PIXELS, cut_tiles, pad_to_stride, paint_tiled, tile_side

multiples = st.integers(1, 60).map(lambda n: 4 * n)


@given(height=multiples, width=multiples, tile=st.integers(1, 90), overlap=st.integers(0, 50))
def test_tiles_cover_every_pixel_once_and_read_enough(height, width, tile, overlap):
    written = np.zeros((height, width), int)
    for cut in cut_tiles(height, width, tile=tile, overlap=overlap):
        written[cut.write] += 1
        for size, read, write in zip((height, width), cut.read, cut.write, strict=True):
            assert read.start == 0 or write.start - read.start >= overlap
            assert read.stop == size or read.stop - write.stop >= overlap
            assert read.start % 4 == read.stop % 4 == 0
            assert 0 <= read.start <= write.start < write.stop <= read.stop <= size
            assert write.stop - write.start <= max(4, -(-tile // 4) * 4)
    assert (written == 1).all()


def test_tiles_are_balanced():
    plan = cut_tiles(2160, 3840, tile=2048, overlap=68)
    assert {(w[0].stop - w[0].start, w[1].stop - w[1].start) for w in (cut.write for cut in plan)} == {(1080, 1920)}
    assert plan[3].read == (slice(1080 - 68, 2160), slice(1920 - 68, 3840))


def test_tiles_refuse_an_unpadded_frame():
    with raises(ValueError, match="multiples of 4, got 90 x 128"):
        cut_tiles(90, 128, tile=64, overlap=8)


def test_auto_paints_whole_until_the_limit():
    assert tile_side(1080, 1920, 0) >= 1920
    assert tile_side(2160, 3840, 0) ** 2 <= MAX_WHOLE_PIXELS
    assert tile_side(100, 100, 32) == 32


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150), tile=st.integers(8, 120), seed=st.integers(0, 99))
def test_a_tiled_frame_equals_the_untiled_one(height, width, tile, seed):
    net = _convolutions()
    image = pad_to_stride(torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed)), 4)
    plan = cut_tiles(*image.shape[-2:], tile=tile, overlap=net.radius)
    with torch.no_grad():
        whole = net(image[None])[0]
    assert (paint_tiled(net, image, plan) - whole).abs().max() < 1e-6


def test_a_margin_below_the_radius_shows():
    """The test above can fail: with less margin, tiles differ from the whole."""
    net, image = _convolutions(), torch.rand(3, 96, 96)
    with torch.no_grad():
        whole = net(image[None])[0]
    assert (paint_tiled(net, image, cut_tiles(96, 96, tile=48, overlap=8)) - whole).abs().max() > 1e-5


@mark.parametrize("size", [(1, 1), (1, 5), (7, 8), (9, 30), (16, 8)])
def test_pad_reflects_like_numpy(size):
    image = torch.rand(3, *size)
    height, width = (max(8, -(-n // 4) * 4) for n in size)
    expected = np.pad(image.numpy(), ((0, 0), (0, height - size[0]), (0, width - size[1])), mode="reflect")
    assert np.array_equal(pad_to_stride(image, 4).numpy(), expected)


def _convolutions():
    """A frozen net, at the statistics of noise."""
    from tsn.style.nets.johnson import JohnsonNet

    torch.manual_seed(0)
    net = JohnsonNet(width=4, blocks=1).eval()
    noise = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        return net.freeze([(mean.clone(), var.clone()) for mean, var in net.calibrate([noise])])
