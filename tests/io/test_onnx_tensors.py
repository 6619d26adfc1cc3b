"""Weights out of an ONNX file, as the package `onnx` wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest

from tsn.errors import InputError
from tsn.io.onnx_tensors import read_float_tensors


def test_reads_what_onnx_wrote(tmp_path: Path) -> None:
    values = {
        "kernel": np.random.default_rng(0).random((200, 3, 2, 1), np.float32),
        "scalar": np.float32(3).reshape(()),
        "empty": np.zeros((0, 4), np.float32),
    }
    held = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    held.append(onnx.numpy_helper.from_array(np.arange(3), "whole numbers"))
    node = onnx.helper.make_node("Selu", ["x"], ["y"], alpha=1.5, gamma=2.0)
    graph = onnx.helper.make_graph([node], "net", [], [], held, doc_string="some text")
    onnx.save(onnx.helper.make_model(graph, producer_name="test"), str(tmp_path / "net.onnx"))

    found = read_float_tensors(tmp_path / "net.onnx")

    assert list(found) == list(values)
    assert all(np.array_equal(found[name], value) for name, value in values.items())


@pytest.mark.parametrize("content", [b"no message at all", b"\x3a\xff\xff\xff\x7f", b"\x3a\x05\x2a"])
def test_damage_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"net\.onnx is damaged, or no ONNX file"):
        read_float_tensors(tmp_path / "net.onnx")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_float_tensors(tmp_path / "net.onnx")
