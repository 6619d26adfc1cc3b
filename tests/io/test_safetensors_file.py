"""Weights in a file: nothing that its header claims is believed before it was looked at."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tsn.errors import InputError
from tsn.io.safetensors_file import MAX_HEADER_BYTES, TensorInfo, read_header, read_state_dict

NET = {"a": torch.zeros(2, 3), "b": torch.zeros(4)}
F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """written(header, data): a file of a header, as bytes or to be, and what follows it."""

    def write(header: bytes | dict[str, Any], data: bytes = bytes(8)) -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "w.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return path

    return write


def state(path: Path) -> dict[str, Tensor]:
    return read_state_dict(path, NET, net_name="width 2", hint="Train it.")


def test_a_header_tells_what_there_is(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")  # no UTF-8
    folder.mkdir()
    save_file({"a": torch.ones(2, 3).half(), "b": torch.ones(4)}, folder / "w.safetensors", metadata={"width": "2"})
    header = read_header(folder / "w.safetensors")
    assert header.metadata == {"width": "2"}
    assert header.tensors == {"a": TensorInfo(dtype="F16", shape=(2, 3)), "b": TensorInfo(dtype="F32", shape=(4,))}
    assert header.element_count == 10
    found = state(folder / "w.safetensors")
    assert all(tensor.dtype == torch.float32 and (tensor == 1).all() for tensor in found.values())


@pytest.mark.parametrize("length", [0x280, 0x480])
def test_a_header_whose_length_begins_like_a_pickle_is_one(length: int, written: Callable[..., Path]) -> None:
    text = json.dumps({"a": F32}).encode().ljust(length)
    assert list(read_header(written(text)).tensors) == ["a"]


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"{", "Expecting property name"),
        (b"[1]", "w.safetensors"),
        (b"\xff\xfe", "w.safetensors"),
        (b"[" * 100_000, "recursion"),
        ({"a": F32 | {"dtype": "Q9"}}, "type 'Q9'"),
        ({"a": F32 | {"dtype": ["F32"]}}, "w.safetensors"),
        ({"a": F32 | {"shape": [-2, -1]}}, r"shape \[-2, -1\]"),
        ({"a": F32 | {"shape": [2.0]}}, r"shape \[2.0\]"),
        ({"a": F32 | {"shape": [10**30]}}, "has 8 bytes"),
        ({"a": F32 | {"data_offsets": [0]}}, "w.safetensors"),
        ({"a": F32 | {"shape": [200], "data_offsets": [0, 800]}}, "its tensors end at"),
        ({"a": 7}, "w.safetensors"),
        ({"a": F32, "__metadata__": {"width": 16}}, "its metadata are no texts"),
        ({"a": F32, "__metadata__": ["width"]}, "w.safetensors"),
        (b'{"__metadata__": {"width": "2", "width": "3"}}', "'width' stands in its header twice"),
        (f'{{"a": {json.dumps(F32)}, "a": {json.dumps(F32)}}}'.encode(), "'a' stands in its header twice"),
    ],
)
def test_a_header_that_is_none_is_refused(header: Any, why: str, written: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=why) as caught:
        read_header(written(header))
    assert "w.safetensors is damaged, or no safetensors file" in str(caught.value)


def test_a_length_that_cannot_be_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match=rf"a header of {1 << 60} bytes in a file of 10"):
        read_header(path)
    path.write_bytes((100 << 20).to_bytes(8, "little") + b"{}")
    os.truncate(path, 200 << 20)
    with pytest.raises(InputError, match=f"a header of {100 << 20} bytes .* expected {MAX_HEADER_BYTES} at most"):
        read_header(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_called_one(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    torch.save(NET, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="it is a pickle"):
        read_header(path)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"a": torch.zeros(3, 2), "b": torch.zeros(4)}, r"a expected \(2, 3\), found \(3, 2\)"),
        ({"a": torch.zeros(2, 3)}, r"b expected \(4,\), found nothing"),
        ({**NET, "c": torch.zeros(1)}, r"c expected nothing, found \(1,\)"),
        ({"a": torch.zeros(2, 3), "b": torch.zeros(4, 0)}, r"b expected \(4,\), found \(4, 0\)"),
        ({"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.int32)}, "b expected BF16 or F16 or F32 or F64"),
        ({"a": torch.zeros(2, 3), "b": torch.zeros(4).to(torch.float8_e4m3fn)}, "b expected .* found F8_E4M3"),
        ({"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bool)}, "b expected .* found BOOL"),
    ],
)
def test_tensors_of_another_net_are_refused(tensors: dict[str, Tensor], why: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(tensors, path)
    with pytest.raises(InputError, match=f"the tensors do not fit width 2: {why}") as caught:
        state(path)
    assert caught.value.hint == "Train it."


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_what_is_no_number_is_refused(value: float, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(2, 3), "b": torch.tensor([0, value, 0, 0], dtype=torch.float64)}, path)
    with pytest.raises(InputError, match="b holds values that are no numbers"):
        state(path)


def test_a_whole_number_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    count = torch.tensor(2**40 + 1)
    save_file({"n": count}, path)
    assert torch.equal(read_state_dict(path, {"n": count}, net_name="it", hint="")["n"], count)
    save_file({"n": count.double()}, path)
    with pytest.raises(InputError, match="n expected I64, found F64"):
        read_state_dict(path, {"n": count}, net_name="it", hint="")
