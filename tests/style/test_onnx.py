from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch

from tsn.errors import InputError, UsageError
from tsn.style.onnx import OnnxPainter, split_index

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

NCHW, NHWC = (1, 3, "h", "w"), (1, "h", "w", 3)


@pytest.fixture
def net(tmp_path):
    """net(shape, ...): a file that paints (white - picture) * gain; a chosen style is the gain, n / count or n / 10."""

    def make(shape=NCHW, *, white=1.0, declared=None, styles=None, index_type=None, out=None, stride=None):
        floats = TensorProto.FLOAT
        inputs = [helper.make_tensor_value_info("picture", floats, shape)]
        constants = [helper.make_tensor("white", floats, [], [white])]
        nodes = [helper.make_node("Sub", ["white", "picture"], ["negative"])]
        if styles:
            inputs.append(helper.make_tensor_value_info("style_weights", floats, styles))
            count = int(np.prod(styles))
            gains = [n / count for n in range(count)]
            constants.append(helper.make_tensor("gains", floats, styles, gains))
            nodes.append(helper.make_node("Mul", ["gains", "style_weights"], ["chosen"]))
            nodes.append(helper.make_node("ReduceSum", ["chosen"], ["gain"], keepdims=0))
        elif index_type:
            inputs.append(helper.make_tensor_value_info("style", index_type, [1]))
            nodes.append(helper.make_node("Cast", ["style"], ["number"], to=floats))
            constants.append(helper.make_tensor("tenth", floats, [], [0.1]))
            nodes.append(helper.make_node("Mul", ["number", "tenth"], ["gain"]))
        else:
            constants.append(helper.make_tensor("gain", floats, [], [1.0]))
        nodes.append(helper.make_node("Mul", ["negative", "gain"], ["painted"]))
        outputs = [helper.make_tensor_value_info("painted", floats, out or shape)]
        graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, {k: v for k, v in (("range", declared), ("stride", stride)) if v is not None})
        path = tmp_path / "net.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.mark.parametrize("shape", [NCHW, NHWC, ("n", 3, "h", "w")])
@pytest.mark.parametrize("size", [(17, 30), (16, 16), (1, 3)])
def test_it_paints_either_layout_at_any_size(net, picture, shape, size):
    image = picture(*size)
    painted = OnnxPainter(net(shape), sha256="x").paint(image, 1)
    assert torch.allclose(painted, 1 - image, atol=1e-6)
    painted.mul_(2)


def test_a_fixed_size_is_reached_by_resizing_and_left_again(net):
    ramp = torch.linspace(0.1, 0.9, 50).expand(3, 30, 50)
    painted = OnnxPainter(net((1, 3, 60, 100)), sha256="x").paint(ramp, 1)
    assert painted.shape == ramp.shape
    assert (painted - (1 - ramp))[:, :, 3:-3].abs().max() < 0.01


def test_a_net_in_0_255_is_painted_when_it_says_so(net, picture):
    image = picture(16, 24)
    painter = OnnxPainter(net(white=255.0, declared="0-255"), sha256="x")
    assert torch.allclose(painter.paint(image, 1), 1 - image, atol=1e-6)


def test_a_net_in_0_255_that_does_not_say_so_is_refused_with_what_to_do(net):
    with pytest.raises(
        InputError, match=r"net\.onnx, tried on a picture: expected values in 0\.\.1, found 25"
    ) as caught:
        OnnxPainter(net(white=255.0), sha256="x")
    assert '"range", "0-255"' in caught.value.hint


@pytest.mark.parametrize("declared", ["0", "1-0", "0 to 255", "[0, 255]", "nan..1", "0..1e9", "0-0", "", "0..9999999"])
def test_an_impossible_range_is_refused(net, declared):
    with pytest.raises(InputError, match=r"net\.onnx: the metadata `range` must be black and white") as caught:
        OnnxPainter(net(declared=declared), sha256="x")
    assert repr(declared) in str(caught.value)


@pytest.mark.parametrize("stride", ["0", "-4", "four", "4.0", "", "1025", "10000"])
def test_a_stride_that_is_none_is_refused(net, stride):
    with pytest.raises(InputError, match=r"net\.onnx: the metadata `stride` must be a whole number") as caught:
        OnnxPainter(net(stride=stride), sha256="x")
    assert repr(stride) in str(caught.value)


@pytest.mark.parametrize("styles", [[26], [1, 26]])
def test_a_number_picks_the_style_of_a_net_with_weights(net, picture, styles):
    image = picture(16, 16)
    painter = OnnxPainter(net(styles=styles), sha256="x", index=13)
    assert painter.name == "net:13"
    assert torch.allclose(painter.paint(image, 1), (1 - image) / 2, atol=1e-6)


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32])
def test_a_number_is_handed_to_a_net_that_takes_one(net, picture, kind):
    image = picture(16, 16)
    painted = OnnxPainter(net(index_type=kind), sha256="x", index=3).paint(image, 1)
    assert torch.allclose(painted, 0.3 * (1 - image), atol=1e-6)


def test_the_number_must_fit_the_net(net):
    with pytest.raises(UsageError, match="has one style only"):
        OnnxPainter(net(), sha256="x", index=3)
    path = net(styles=[26])
    with pytest.raises(UsageError, match="holds several styles: give the number of one of 26") as caught:
        OnnxPainter(path, sha256="x")
    assert caught.value.hint == "style: {model: net.onnx:0}"
    with pytest.raises(UsageError, match="holds the styles 0 to 25, found :26"):
        OnnxPainter(path, sha256="x", index=26)


def test_fingerprint_follows_file_and_style(net):
    path = net(styles=[26])
    painters = [OnnxPainter(path, sha256=sha, index=i) for sha, i in (("x", 1), ("x", 1), ("x", 2), ("y", 1))]
    prints = [painter.fingerprint for painter in painters]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (1, 1, "h", "w")}, "expected one input"),
        ({"shape": (4, 3, "h", "w")}, r"must be one frame of floats"),
        ({"styles": [1, 1, 1, 100]}, "beside the picture, expected at most"),
    ],
)
def test_what_is_no_style_net_is_refused_with_its_inputs(net, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        OnnxPainter(net(**arguments), sha256="x", index=0 if "styles" in arguments else None)
    assert "style_weights" in str(caught.value) or "picture" in str(caught.value)


def test_a_damaged_file_is_an_input_error(tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"not a net")
    with pytest.raises(InputError, match=r"bad\.onnx is damaged, or no ONNX net"):
        OnnxPainter(path, sha256="x")


def test_weights_in_files_of_their_own_are_refused_wherever_one_stands(net, monkeypatch):
    path = net(styles=[26])
    apart = path.with_name("apart.onnx")
    model = onnx.load(path)
    for constant in model.graph.initializer:  # only raw bytes are put into files of their own
        constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant), constant.name))
    onnx.save_model(model, apart, save_as_external_data=True, location="apart.onnx.data", size_threshold=0)
    assert apart.with_name("apart.onnx.data").stat().st_size
    monkeypatch.chdir(path.parent)
    with pytest.raises(InputError, match="weights in other files") as caught:
        OnnxPainter(apart, sha256="x", index=3)
    assert "one file" in str(caught.value.hint)
    OnnxPainter(path, sha256="x", index=3)


def test_without_onnxruntime_the_extra_is_named(net, monkeypatch):
    real = builtins.__import__

    def fake(name, *args, **kwargs):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    path = net()
    monkeypatch.setattr(builtins, "__import__", fake)
    with pytest.raises(UsageError, match="not installed") as caught:
        OnnxPainter(path, sha256="x")
    assert caught.value.hint == "pip install 'temporalstylenet[onnx]'"


def test_split_index():
    assert split_index("styles.onnx:19") == ("styles.onnx", 19)
    assert split_index("C:\\styles.ONNX") == ("C:\\styles.ONNX", None)
    assert split_index("auvers") == ("auvers", None)
