"""Nets from elsewhere: each is painted with right, or refused with what to do. Most paint a negative."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.style.onnx import OnnxPainter

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

N = helper.make_node
FREE = (1, 3, "h", "w")
Save = Callable[..., Path]
Ends = tuple[float, float]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """save(nodes, constants, ...): a net from `x` to the outputs."""

    def make(
        nodes: list,
        constants: dict | None = None,
        shape: tuple = FREE,
        kind: int = TensorProto.FLOAT,
        outputs: dict | None = None,
        **declared: str,
    ) -> Path:
        inputs = [helper.make_tensor_value_info("x", kind, shape)]
        given = outputs or {"y": (TensorProto.FLOAT, (None,) * 4)}
        results = [helper.make_tensor_value_info(name, *what) for name, what in given.items()]
        fixed = [
            numpy_helper.from_array(v if isinstance(v, np.ndarray) else np.array(v, np.float32), k)
            for k, v in (constants or {}).items()
        ]
        graph = helper.make_graph(nodes, "net", inputs, results, fixed)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, declared)
        path = tmp_path / "net.onnx"
        onnx.save(model, path)
        return path

    return make


def negative(
    save: Save, taken: tuple[float, float], given: tuple[float, float], *, clip: bool = False, **declared: str
) -> Path:
    """A net that takes and gives these ranges; one that ends in a clip returns nothing beyond."""
    (a, b), (c, d) = taken, given
    nodes = [N("Sub", ["x", "a"], ["n"]), N("Mul", ["n", "k"], ["m"]), N("Add", ["m", "d"], ["o"])]
    nodes.append(N("Clip", ["o", "c", "d"], ["y"]) if clip else N("Identity", ["o"], ["y"]))
    constants = {"a": a, "k": (c - d) / (b - a), "c": c, "d": d}
    return save(nodes, {k: v for k, v in constants.items() if k != "c" or clip}, **declared)


UNIT, CODES, EVEN = (0, 1), (0, 255), (-1, 1)
WORDS = {UNIT: "0-1", CODES: "0-255", EVEN: "-1..1"}
PAIRS = [(taken, given) for taken in WORDS for given in WORDS]


def said_by(hint: str | None) -> dict[str, str]:
    return dict(re.findall(r'p\.key, p\.value = "(\w+)", "([^"]+)"', str(hint)))


@pytest.mark.parametrize(("taken", "given"), PAIRS)
def test_ranges_are_declared_apart(taken, given, save: Save, picture) -> None:
    image = picture(16, 24)
    path = negative(save, taken, given, input_range=WORDS[taken], output_range=WORDS[given])
    assert torch.allclose(OnnxPainter(path, sha256="x").paint(image, 1), 1 - image, atol=1e-5)


@pytest.mark.parametrize(
    "declared",
    [{"range": "-1..1"}, {"range": "-1-1"}, {"range": "-1.0 .. +1"}, {"range": "0-255", "input_range": "-1..1"}],
)
def test_a_range_can_be_declared_in_several_ways(declared: dict[str, str], save: Save, picture) -> None:
    given = CODES if "input_range" in declared else EVEN
    image = picture(16, 24)
    painted = OnnxPainter(negative(save, EVEN, given, **declared), sha256="x").paint(image, 1)
    assert torch.allclose(painted, 1 - image, atol=1e-5)


UNSEEN = {
    *((EVEN, UNIT, declared, clip) for declared in (None, "0-1") for clip in (False, True)),
    (UNIT, EVEN, "-1..1", True),
}
"""The result of such a net is possible in the declared range: it has half the contrast, or half the shades."""


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize(("taken", "given"), PAIRS)
@pytest.mark.parametrize("declared", [None, "0-1", "0-255", "-1..1"])
def test_a_wrong_declaration_is_refused_and_the_hint_is_right(
    taken, given, declared, clip, save: Save, picture
) -> None:
    path = negative(save, taken, given, clip=clip, **({"range": declared} if declared else {}))
    image = picture(16, 24)
    if taken == given and WORDS[taken] == (declared or "0-1"):
        assert torch.allclose(OnnxPainter(path, sha256="x").paint(image, 1), 1 - image, atol=1e-5)
        return
    if (taken, given, declared, clip) in UNSEEN:
        OnnxPainter(path, sha256="x")
        return
    with pytest.raises(InputError, match="tried on a picture: expected values in") as caught:
        OnnxPainter(path, sha256="x")
    if clip:  # then the hint may be wrong: what was cut off can't be seen
        return
    right = said_by(caught.value.hint)
    model = onnx.load(path)
    for key, value in right.items():  # as the hint says it
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)
    assert torch.allclose(OnnxPainter(path, sha256="x").paint(image, 1), 1 - image, atol=1e-5)


def test_dark_and_bright_frames_are_no_reason(save: Save) -> None:
    painter = OnnxPainter(negative(save, EVEN, CODES, input_range="-1..1", output_range="0-255"), sha256="x")
    for value in (0.0, 0.001, 1.0):
        image = torch.full((3, 16, 24), value)
        assert torch.allclose(painter.paint(image, 1), 1 - image, atol=1e-5)


def test_values_a_little_beyond_are_clipped(save: Save, picture) -> None:
    image = picture(16, 24)
    path = negative(save, UNIT, (-0.1, 1.1))
    painted = OnnxPainter(path, sha256="x").paint(image, 1)
    assert torch.allclose(painted, (1.1 - 1.2 * image).clamp(0, 1), atol=1e-5)


@pytest.mark.parametrize("key", ["Range", "output-range", "outputRange", "INPUT_RANGE", "Stride"])
def test_a_key_that_is_nearly_one_is_refused(key: str, save: Save) -> None:
    with pytest.raises(InputError, match=rf"the metadata have the key '{key}', expected '\w+'"):
        OnnxPainter(negative(save, UNIT, UNIT, **{key: "0-1"}), sha256="x")


def test_no_numbers_are_refused_by_their_frame(save: Save, picture) -> None:
    path = save([N("Sub", ["x", "dark"], ["n"]), N("Sqrt", ["n"], ["y"])], {"dark": -0.001})
    painter = OnnxPainter(path, sha256="x")
    painter.paint(picture(16, 16), 1)
    with pytest.raises(InputError, match=r"net\.onnx: frame 12: the net returns values that are not finite"):
        painter.paint(picture(16, 16) - 0.5, 12)
    path = save([N("Sub", ["x", "x"], ["n"]), N("Div", ["n", "n"], ["y"])])
    with pytest.raises(InputError, match="tried on a picture: the net returns values that are not finite"):
        OnnxPainter(path, sha256="x")


def test_bytes_are_codes(save: Save, picture) -> None:
    image, kind = picture(16, 24), TensorProto.UINT8
    outputs = {"y": (kind, FREE)}
    path = save([N("Sub", ["w", "x"], ["y"])], {"w": np.array(255, np.uint8)}, kind=kind, outputs=outputs)
    assert (OnnxPainter(path, sha256="x").paint(image, 1) - (1 - image)).abs().max() < 0.51 / 255
    path = save([N("Cast", ["x"], ["y"], to=1)], kind=kind, range="0-1")
    with pytest.raises(InputError, match="takes bytes, which are 0-255; its metadata declare 0-1"):
        OnnxPainter(path, sha256="x")


# --- sizes -----------------------------------------------------------------------------------------------


def by_32(save: Save, **declared: str) -> Path:
    scales = {"a": [1, 1, 1 / 32, 1 / 32], "b": [1, 1, 32, 32]}
    nodes = [
        N("Resize", ["x", "", "a"], ["m"], mode="nearest"),
        N("Resize", ["m", "", "b"], ["y"], mode="nearest"),
    ]
    return save(nodes, scales, **declared)


def test_the_stride_that_a_net_wants_is_found_and_named(save: Save, picture) -> None:
    painter = OnnxPainter(by_32(save), sha256="x")
    with pytest.raises(InputError, match=r"frame 7: expected a painting of 64 x 48 pixels.* found 64 x 32") as caught:
        painter.paint(picture(48, 64), 7)
    assert said_by(caught.value.hint) == {"stride": "32"}
    assert OnnxPainter(by_32(save, stride="32"), sha256="x").paint(picture(48, 64), 7).shape == (3, 48, 64)


def test_so_it_is_where_the_net_fails(save: Save, picture) -> None:
    """Skips meet what was halved five times and doubled again: no shapes that could be added."""
    scales = {"a": [1, 1, 1 / 32, 1 / 32], "b": [1, 1, 32, 32], "half": 0.5}
    nodes = [
        N("Resize", ["x", "", "a"], ["m"], mode="nearest"),
        N("Resize", ["m", "", "b"], ["o"], mode="nearest"),
        N("Add", ["o", "x"], ["s"]),
        N("Mul", ["s", "half"], ["y"]),
    ]
    painter = OnnxPainter(save(nodes, scales), sha256="x")
    with pytest.raises(InputError, match="frame 7: onnxruntime failed") as caught:
        painter.paint(picture(48, 64), 7)
    assert said_by(caught.value.hint) == {"stride": "32"}


def test_what_a_fixed_net_adds_below_is_cut_off(save: Save, picture) -> None:
    pads = np.array([0, 0, 0, 0, 0, 0, 2, 1], np.int64)
    path = save([N("Pad", ["x", "p"], ["y"])], {"p": pads}, shape=(1, 3, 50, 70))
    image = picture(50, 70)
    assert torch.equal(OnnxPainter(path, sha256="x").paint(image, 1), image)


@pytest.mark.parametrize("more", [-1, 32])
def test_a_fixed_net_of_another_size_is_refused(more: int, save: Save) -> None:
    pads = np.array([0, 0, 0, 0, 0, 0, more, 0], np.int64)
    path = save([N("Pad", ["x", "p"], ["y"])], {"p": pads}, shape=(1, 3, 50, 70))
    with pytest.raises(InputError, match=f"expected a painting of 70 x 50 pixels.* found 70 x {50 + more}") as caught:
        OnnxPainter(path, sha256="x")
    assert "height and width free" in str(caught.value.hint)


def test_a_net_that_enlarges_is_refused(save: Save) -> None:
    path = save([N("Resize", ["x", "", "a"], ["y"], mode="nearest")], {"a": [1, 1, 2, 2]})
    with pytest.raises(InputError, match=r"expected a painting of 256 x 256 pixels.* found 512 x 512") as caught:
        OnnxPainter(path, sha256="x")
    assert "resized to the size of its input" in str(caught.value.hint)


def test_a_net_of_one_fixed_side_is_padded_along_the_other(save: Save) -> None:
    scales = {"a": [1, 1, 1, 1 / 8], "b": [1, 1, 1, 8]}
    nodes = [
        N("Resize", ["x", "", "a"], ["m"], mode="nearest"),
        N("Resize", ["m", "", "b"], ["y"], mode="nearest"),
    ]
    painter = OnnxPainter(save(nodes, scales, shape=(1, 3, 50, "w")), sha256="x")
    ramp = torch.linspace(0, 1, 50)[:, None].expand(3, 50, 71)
    assert torch.allclose(painter.paint(ramp, 1), ramp, atol=1e-6)


def test_a_fixed_size_beyond_all_use_is_refused(save: Save) -> None:
    path = save([N("Identity", ["x"], ["y"])], shape=(1, 3, 100_000, 100_000))
    with pytest.raises(InputError, match="paints pictures of 100000 x 100000 pixels only"):
        OnnxPainter(path, sha256="x")


# --- outputs ---------------------------------------------------------------------------------------------


def test_the_picture_is_found_among_other_outputs_and_in_the_other_layout(save: Save, picture) -> None:
    image = picture(16, 24)
    nodes = [
        N("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
        N("ReduceMean", ["x"], ["grey"], axes=[1]),
        N("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1]),
    ]
    outputs = {name: (TensorProto.FLOAT, shape) for name, shape in {"mean": None, "grey": None, "y": None}.items()}
    assert torch.equal(OnnxPainter(save(nodes, outputs=outputs), sha256="x").paint(image, 1), image)


@pytest.mark.parametrize(
    ("nodes", "count"),
    [
        ([N("Identity", ["x"], ["y"]), N("Neg", ["x"], ["z"])], 2),
        ([N("Concat", ["x", "grey"], ["y"], axis=1)], 0),
        ([N("Identity", ["grey"], ["y"])], 0),
        ([N("Squeeze", ["x"], ["y"])], 0),
    ],
)
def test_outputs_that_are_not_one_picture_are_refused(nodes: list, count: int, save: Save) -> None:
    names = [name for node in nodes for name in node.output]
    outputs = {name: (TensorProto.FLOAT, None) for name in names}
    path = save([N("ReduceMean", ["x"], ["grey"], axes=[1]), *nodes], outputs=outputs)
    with pytest.raises(InputError, match=rf"expected one output .* found {count} among: y") as caught:
        OnnxPainter(path, sha256="x")
    assert "as the only output" in str(caught.value.hint)


@pytest.mark.parametrize(("shape", "kind"), [((4, 3, "h", "w"), 1), ((1, 3, "h", "w"), TensorProto.INT32)])
def test_inputs_that_are_not_one_picture_are_refused(shape: tuple, kind: int, save: Save) -> None:
    with pytest.raises(InputError, match="must be one frame of floats or bytes") as caught:
        OnnxPainter(save([N("Cast", ["x"], ["y"], to=1)], shape=shape, kind=kind), sha256="x")
    assert "batch of one" in str(caught.value.hint)


def test_a_file_too_large_to_open_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(InputError, match=r"net\.onnx has 3072 MiB, expected at most 1024"):
        OnnxPainter(path, sha256="x")


def test_ranges_do_not_depend_on_what_is_painted_first(save: Save, picture) -> None:
    path, dark = negative(save, UNIT, UNIT), 0.001 * picture(16, 16)
    first, second = OnnxPainter(path, sha256="x"), OnnxPainter(path, sha256="x")
    second.paint(picture(40, 40), 1)
    paintings: list[Tensor] = [painter.paint(dark, 2) for painter in (first, second)]
    assert torch.equal(*paintings)
