"""Reads safetensors files and checks their headers before any tensor is loaded.

A broken header may state anything: a length of exabytes, a net of a million layers, a name twice. So it is read alone
first, up to a limit; each tensor's size must match its shape, and all of them the file's size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsn.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MAX_HEADER_BYTES = 1 << 20
"""The longest header that is read: that of some ten thousand tensors."""
BITS_PER_ELEMENT = {
    **{"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "U64": 64, "I32": 32, "U32": 32, "I16": 16, "U16": 16},
    **{"I8": 8, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "C64": 64},
}
FLOAT_DTYPES = {"F64", "F32", "F16", "BF16"}
PICKLE_MAGIC = (b"PK\x03\x04", b"\x80\x02", b"\x80\x04", b"\x80\x05")
"""First bytes of files of torch.save and pickle; as the length of a header they are absurd."""


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """Type and shape of a tensor, from the header."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def element_count(self) -> int:
        """How many numbers the tensor holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class SafetensorsHeader:
    """A file's header.

    Attributes:
        metadata: free text by key.
        tensors: by name; with the header they are as large as the file.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]

    @property
    def element_count(self) -> int:
        """How many numbers all tensors hold."""
        return sum(entry.element_count for entry in self.tensors.values())


def read_header(path: Path) -> SafetensorsHeader:
    """Read the header of a safetensors file, without its tensors.

    Raises:
        InputError: the file can't be read, is damaged, or is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            begin = file.read(8)
            length = int.from_bytes(begin, "little")
            if len(begin) < 8 or length > min(size - 8, MAX_HEADER_BYTES):
                if begin.startswith(PICKLE_MAGIC):
                    raise _damaged(path, "it is a pickle, as torch.save writes it")
                raise _damaged(
                    path, f"a header of {length} bytes in a file of {size}, expected {MAX_HEADER_BYTES} at most"
                )
            text = file.read(length)
    except OSError as error:
        raise InputError(f"Cannot read the weights {path}: {error.strerror}.") from error
    try:
        content = json.loads(text, object_pairs_hook=_without_duplicates)
        metadata = content.pop("__metadata__", {})
        if not all(isinstance(fact, str) for fact in metadata.values()):
            raise ValueError("its metadata are no texts")
        tensors = {name: _tensor_info(name, entry) for name, entry in content.items()}
        end = max((int(entry["data_offsets"][1]) for entry in content.values()), default=0)
        if 8 + length + end != size:
            raise ValueError(f"its tensors end at {8 + length + end}, the file at {size}")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    return SafetensorsHeader(metadata=metadata, tensors=tensors)


def read_state_dict(path: Path, expected: Mapping[str, Tensor], *, net_name: str, hint: str) -> dict[str, Tensor]:
    """Load the weights of a net on the CPU; floats become float32.

    Args:
        expected: the net's own state_dict, for names and shapes; it may be on the device `meta`.
        net_name: the net in error messages.

    Raises:
        InputError: the file is damaged, its tensors are not the net's, or they hold NaN or infinity.
    """
    require_matching_tensors(path, read_header(path), expected, net_name=net_name, hint=hint)

    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        found = load(path.read_bytes())  # loading by path demands a name in UTF-8
    except OSError as error:
        raise InputError(f"Cannot read the weights {path}: {error.strerror}.") from error
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.items()}
    require_finite(path, state)
    return state


def require_matching_tensors(
    path: Path, header: SafetensorsHeader, expected: Mapping[str, Tensor], *, net_name: str, hint: str
) -> None:
    """Raise InputError unless the tensors have the names, shapes and types of a net's."""
    for name in sorted(expected.keys() | header.tensors.keys()):
        wanted, entry = expected.get(name), header.tensors.get(name)
        shapes = [None if one is None else tuple(one.shape) for one in (wanted, entry)]
        if wanted is None or entry is None or shapes[0] != shapes[1]:
            raise InputError(
                f"{path}: the tensors do not fit {net_name}: {name} expected {_describe_shape(shapes[0])},"
                f" found {_describe_shape(shapes[1])}.",
                hint=hint,
            )
        kinds = FLOAT_DTYPES if wanted.is_floating_point() else {"I64"}
        if entry.dtype not in kinds:
            raise InputError(
                f"{path}: the tensors do not fit {net_name}: {name} expected {' or '.join(sorted(kinds))},"
                f" found {entry.dtype}.",
                hint=hint,
            )


def require_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    """Raise InputError where a tensor holds NaN or infinity."""
    import torch

    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: {name} holds values that are no numbers.", hint="The training diverged.")


def _describe_shape(shape: tuple[int, ...] | None) -> str:
    return "nothing" if shape is None else str(shape)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict. Raises ValueError for a name that occurs twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"{twice!r} stands in its header twice")
    return content


def _tensor_info(name: str, entry: Mapping[str, Any]) -> TensorInfo:
    """Check a tensor's entry in the header. Raises ValueError, or what its missing or wrong values raise."""
    dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in BITS_PER_ELEMENT:
        raise ValueError(f"{name} is of the type {dtype!r}, which is not known")
    if not all(type(size) is int and size >= 0 for size in [*shape, begin, end]):
        raise ValueError(f"{name} has the shape {shape} at {begin} to {end}")
    info = TensorInfo(dtype=dtype, shape=tuple(shape))
    if info.element_count * BITS_PER_ELEMENT[dtype] != 8 * (end - begin):
        raise ValueError(f"{name} of the shape {info.shape} has {end - begin} bytes")
    return info


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path} is damaged, or no safetensors file: {why}.", hint="Copy or download it again.")
