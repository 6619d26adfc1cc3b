"""Reads the weights out of an ONNX file, without the package `onnx`.

An ONNX file is a protobuf message: fields of a number and a kind, one after the other. Of all its fields we need five
(onnx/onnx.proto): ModelProto.graph = 7, GraphProto.initializer = 5, and in TensorProto dims = 1, data_type = 2,
name = 8 and raw_data = 9. The others are skipped. `onnx` itself is an extra that nobody needs to paint a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tsn.errors import InputError

GRAPH, INITIALIZER, DIMS, DATA_TYPE, NAME, RAW_DATA = 7, 5, 1, 2, 8, 9
FLOAT = 1
"""TensorProto.DataType of float32."""
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


def read_float_tensors(path: Path) -> dict[str, np.ndarray]:
    """The float32 weights of a model by name, stored as raw bytes (as all exporters do); others are left out.

    Raises:
        InputError: the file can't be read, or is no such message.
    """
    try:
        content = memoryview(path.read_bytes())
        graphs = [value for number, value in _fields(content) if number == GRAPH and isinstance(value, memoryview)]
        tensors = (_tensor(value) for graph in graphs for number, value in _fields(graph) if number == INITIALIZER)
        return {name: values for name, values in tensors if values is not None}
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(f"{path} is damaged, or no ONNX file: {error}", hint="Download it again.") from error


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """A message's fields: number, and an integer or the bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == LENGTH_DELIMITED:
            size, at = _varint(message, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if at + size > len(message):
            raise ValueError(f"a field of {size} bytes where {len(message) - at} are left")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer in groups of seven bits, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _tensor(message: int | memoryview) -> tuple[str, np.ndarray | None]:
    """Name and values of a TensorProto; None unless it holds float32 as raw bytes."""
    if isinstance(message, int):
        raise ValueError("a tensor that is a number")
    shape: list[int] = []
    name, kind, raw = "", 0, None
    for number, value in _fields(message):
        if number == DIMS:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == DATA_TYPE and isinstance(value, int):
            kind = value
        elif number == NAME and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif number == RAW_DATA and isinstance(value, memoryview):
            raw = value
    if raw is None or kind != FLOAT:
        return name, None
    return name, np.frombuffer(raw, "<f4").reshape(shape)


def _packed(message: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(message):
        value, at = _varint(message, at)
        values.append(value)
    return values
