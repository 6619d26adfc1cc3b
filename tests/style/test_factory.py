from __future__ import annotations

import pytest

from tsn.errors import InputError, UsageError
from tsn.style.blend import BlendPainter
from tsn.style.factory import painter
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.painter import Uncalibrated
from tsn.style.resize import ScaledPainter


def test_a_model_is_an_uncalibrated_painter_with_its_tile(weights_file, tmp_path):
    weights_file("mine")
    chosen = painter(model="mine.safetensors", tile=512, base=tmp_path)
    assert isinstance(chosen, FeedforwardPainter)
    assert (chosen.name, chosen.tile) == ("mine", 512)


def test_scale_wraps_it(weights_file):
    chosen = painter(model=str(weights_file()), scale=0.5)
    assert isinstance(chosen, ScaledPainter)
    assert isinstance(chosen, Uncalibrated)


def test_a_blend_paints_from_file_to_picture(weights_file, picture):
    files = [str(weights_file(name, seed=seed)) for seed, name in enumerate(("one", "two"))]
    chosen = painter(blend={files[0]: 0.7, files[1]: lambda number: 0.3})
    assert isinstance(chosen, BlendPainter)
    image = picture(24, 30)
    frozen = chosen.frozen(chosen.calibrate([image]))
    assert frozen.paint(image, 1001).shape == image.shape
    assert chosen.name == "one+two"


def test_an_onnx_file_goes_to_onnxruntime(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "bad.onnx").write_bytes(b"not a net")
    with pytest.raises(InputError, match="no ONNX net"):
        painter(model="bad.onnx:3", base=tmp_path)


@pytest.mark.parametrize("given", [{}, {"model": "a", "frames": "b.####.png"}, {"model": "a", "blend": {"b": 1}}])
def test_exactly_one_kind(given):
    with pytest.raises(UsageError, match="exactly one of model, adain, blend and frames"):
        painter(**given)


def test_impossible_settings(tmp_path):
    with pytest.raises(UsageError, match="cannot be painted at another size"):
        painter(frames="p.####.png", scale=0.5)
    with pytest.raises(UsageError, match=r"style\.tile"):
        painter(model="auvers", tile=-1)
    with pytest.raises(InputError, match="No painted frames found"):
        painter(frames="p.####.png", base=tmp_path)
