"""Any ONNX style net as a painter; needs onnxruntime (`pip install 'temporalstylenet[onnx]'`).

The file determines:

- the picture: the only input of four dimensions with three channels, (1, 3, H, W) or (1, H, W, 3), and the only such
  output, in either layout;
- its size: if the file fixes H or W, the frame is resized to that size and back, which loses detail. A net of a fixed
  size may return a few more rows and columns than it was given, as nets do that halve and double an odd size; they
  are cut off;
- its range: 0..1, or 0..255 for bytes, unless the file's metadata (`metadata_props`) give other ranges of input and
  output (`onnx_range.py`). When the net is loaded it paints a test picture; if the result can't be in the range of the
  output, the net is refused with the lines that declare the right one;
- its stride: if H and W are free, frames are padded to multiples of 8, or of `stride` in the metadata. `tsn export`
  writes the stride of the net, so that an exported net gets the same picture as the net in the engine;
- the style, for nets of several: one more input, which takes a weight per style (N floats; it gets a one-hot vector)
  or the number of a style (an integer). `model.onnx:19` chooses style 19.

Such nets normalise each frame by itself, so they are not tiled: if a 4K frame needs too much memory, use `style.scale`.
They have no input for coverage, so void is filled before they see it (`calibration.mirror_into_void`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.style.calibration import natural_noise
from tsn.style.onnx_range import (
    BYTE_RANGE,
    COMMON_RANGES,
    MIN_GAIN,
    UNIT_RANGE,
    Range,
    contrast,
    declaration_hint,
    declared_ranges,
    range_declaration_hint,
    range_mismatch,
)
from tsn.style.onnx_session import INPUT_TYPES, find_image_input, make_style_feed, open_session
from tsn.style.painter import digest
from tsn.style.resize import resize
from tsn.style.tiles import pad_to_stride

METHOD = "onnx-3"
"""Part of the fingerprint. Increase the number when the same weights give other pixels."""
DEFAULT_STRIDE = 8
"""Pixels: the stride of files that give none; style nets halve the size two or three times."""
CANDIDATE_STRIDES = (16, 32, 64, 128)
"""Strides that error messages may recommend."""
MAX_STRIDE = 1024
"""Pixels."""
MAX_FIXED_SIDE = 16 * MAX_STRIDE
"""Pixels: limit for a size that is fixed by the file."""
MAX_SURPLUS_PX = 32
"""A net of a fixed size may return fewer than this many rows or columns more than it was given."""
ONE_OUTPUT_HINT = "Export the net with its painting, of three channels, as the only output."


def split_index(model: str) -> tuple[str, int | None]:
    """Split the number of a style from a file: `"model.onnx:19"` -> `("model.onnx", 19)`; without one, None."""
    match = re.fullmatch(r"(.+\.onnx):(\d+)", model, flags=re.IGNORECASE)
    return (match[1], int(match[2])) if match else (model, None)


@dataclass(frozen=True)
class _Output:
    """The output of a net that holds the painting."""

    name: str
    channels_first: bool

    def to_channels_first(self, result: np.ndarray) -> np.ndarray:
        """(1, 3, H, W) from either layout."""
        return result if self.channels_first else np.moveaxis(result, -1, 1)


class OnnxPainter:
    """A net in onnxruntime, on one device.

    Args:
        path: of the .onnx file.
        sha256: of the file.
        index: number of the style, for a net of several.
        device: `cuda` uses onnxruntime's CUDA provider if it is installed, else the CPU.

    Raises:
        InputError: the file is damaged, its inputs or outputs are not those of a style net, or its result is not in
            the declared range.
        UsageError: onnxruntime is missing; the number of a style is missing, out of range, or not needed.
    """

    def __init__(
        self, path: Path, *, sha256: str, index: int | None = None, device: torch.device | str = "cpu"
    ) -> None:
        self.path = path
        self.name = path.stem if index is None else f"{path.stem}:{index}"
        self._session, provider = open_session(path, torch.device(device))
        self._image = find_image_input(self._session, path)
        self._channels_first = self._image.shape[1] == 3
        height, width = self._image.shape[2:] if self._channels_first else self._image.shape[1:3]
        self._fixed = tuple(size if isinstance(size, int) and size > 0 else None for size in (height, width))
        if any(size and size > MAX_FIXED_SIDE for size in self._fixed):
            raise InputError(
                f"{path} paints pictures of {width} x {height} pixels only, expected at most {MAX_FIXED_SIDE} a side.",
                hint="Export it with height and width free.",
            )
        others = [i for i in self._session.get_inputs() if i.name != self._image.name]
        self._style = make_style_feed(others, index, path)
        metadata = self._session.get_modelmeta().custom_metadata_map
        taken, returned = declared_ranges(metadata, path)
        self._stride = _parse_stride(metadata.get("stride", str(DEFAULT_STRIDE)), path)
        self._bytes = INPUT_TYPES[self._image.type] is np.uint8
        if self._bytes and taken not in (None, BYTE_RANGE):
            raise InputError(f"{path} takes bytes, which are 0-255; its metadata declare {taken}.")
        self._input_range = taken or (BYTE_RANGE if self._bytes else UNIT_RANGE)
        both_keys = bool(metadata.keys() & {"input_range", "output_range"})
        self._output, self._output_range = self._try_out(returned, both_keys=both_keys)
        self.fingerprint = digest(METHOD, sha256, str(index), provider)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        where = f"{self.path}: frame {number}"
        height, width = image.shape[-2:]
        picture = self._fit_input(image, self._stride)
        result = self._output.to_channels_first(self._run(picture, [self._output.name], self._input_range, where)[0])
        result = self._crop_surplus(result, picture, where)
        painted = torch.from_numpy(np.ascontiguousarray(result, dtype=np.float32))[0].to(image.device)
        if not torch.isfinite(painted).all():
            raise InputError(f"{where}: the net returns values that are not finite.", hint="Export it in float32.")
        if self._output_range.low:
            painted = painted - self._output_range.low
        painted = painted / self._output_range.width
        sides = (fixed or side for fixed, side in zip(self._fixed, (height, width), strict=True))
        painted = painted[(slice(None), *(slice(0, side) for side in sides))]
        return resize(painted.clamp(0, 1), height, width)

    def _fit_input(self, image: Tensor, stride: int) -> Tensor:
        """Resize a frame along fixed sides of the net, and pad it along free ones."""
        rows, columns = self._fixed
        picture = resize(image, rows or image.shape[-2], columns or image.shape[-1])
        return picture if rows and columns else pad_to_stride(picture, stride)[:, :rows, :columns]

    def _run(self, picture: Tensor, outputs: list[str], taken: Range, where: str) -> list[np.ndarray]:
        """Run the net on a picture (3, H, W) in [0, 1], given in the range `taken`; `where` is for messages."""
        values = (picture * taken.width + taken.low if taken.low else picture * taken.width)[None]
        if not self._channels_first:
            values = values.permute(0, 2, 3, 1)
        if self._bytes:
            values = values.round()
        array = np.ascontiguousarray(values.cpu().numpy()).astype(INPUT_TYPES[self._image.type], copy=False)
        try:
            results: list[np.ndarray] = self._session.run(outputs, {self._image.name: array} | self._style)
        except Exception as error:  # onnxruntime has no exception base of its own
            raise InputError(f"{where}: onnxruntime failed: {error}", hint=self._stride_hint()) from error
        return results

    def _crop_surplus(self, result: np.ndarray, picture: Tensor, where: str) -> np.ndarray:
        """Cut off the rows and columns that a result (1, 3, H, W) has more than the picture that the net got."""
        found, expected = result.shape[2:], picture.shape[1:]
        # Along a free side no surplus is accepted: there a stride is the remedy, and without one it is unknown where
        # the net added pixels.
        limits = [MAX_SURPLUS_PX if fixed else 1 for fixed in self._fixed]
        if not all(0 <= side - given < limit for side, given, limit in zip(found, expected, limits, strict=True)):
            is_multiple = found[0] * expected[1] == found[1] * expected[0] and found[0] % expected[0] == 0
            raise InputError(
                f"{where}: expected a painting of {expected[1]} x {expected[0]} pixels, as the net was given, found"
                f" {found[1]} x {found[0]}.",
                hint="Export it with its result resized to the size of its input."
                if is_multiple
                else self._stride_hint(),
            )
        return result[..., : expected[0], : expected[1]]

    def _try_out(self, declared: Range | None, *, both_keys: bool) -> tuple[_Output, Range]:
        """Paint `natural_noise`; find the output with the painting, and its range.

        Args:
            declared: range of the output, by the metadata.
            both_keys: the file has a key for one side; a hint must then give a key for each side.

        Raises:
            InputError: none or several outputs can be the painting, or its values can't be in its range.
        """
        where = f"{self.path}, tried on a picture"
        picture = self._fit_input(natural_noise(), self._stride)
        names = [output.name for output in self._session.get_outputs()]
        results = dict(zip(names, self._run(picture, names, self._input_range, where), strict=True))
        shapes = {name: tuple(getattr(result, "shape", ())) for name, result in results.items()}
        found = [name for name, shape in shapes.items() if len(shape) == 4 and shape[0] == 1 and 3 in shape[1::2]]
        if len(found) != 1:
            outputs = "; ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise InputError(
                f"{self.path}: expected one output (1, 3, H, W) or (1, H, W, 3), found {len(found)} among: {outputs}.",
                hint=ONE_OUTPUT_HINT,
            )
        output = _Output(found[0], channels_first=shapes[found[0]][1] == 3)
        values = self._crop_surplus(output.to_channels_first(results[output.name]), picture, where)
        if not np.isfinite(values).all():
            raise InputError(f"{where}: the net returns values that are not finite.", hint="Export it in float32.")
        returned = declared or (BYTE_RANGE if values.dtype == np.uint8 else UNIT_RANGE)
        mismatch = range_mismatch(values, returned)
        if mismatch:
            raise InputError(f"{where}: {mismatch}.", hint=self._range_hint(picture, output, where, both_keys))
        return output, returned

    def _range_hint(self, picture: Tensor, output: _Output, where: str, both_keys: bool) -> str:
        """How to declare the pair of ranges with which the painting has the most contrast."""
        best, most = None, 0.0
        for taken, returned in COMMON_RANGES:
            if taken != BYTE_RANGE and self._bytes:
                continue
            values = self._run(picture, [output.name], taken, where)[0]
            if not np.isfinite(values).all() or range_mismatch(values, returned) is not None:
                continue
            if contrast(values, returned) > most * MIN_GAIN:
                best = range_declaration_hint(taken, returned, both_keys=both_keys)
                most = contrast(values, returned)
        return best or declaration_hint(input_range="0-255", output_range="-1..1") + ", with the net's own ranges."

    def _stride_hint(self) -> str:
        """How to declare a stride with which the net returns the size that it was given."""
        if all(self._fixed):
            return "Export it with height and width free, or with both as multiples of 32."
        for stride in (one for one in CANDIDATE_STRIDES if one > self._stride):
            if self._keeps_size_at(stride):
                return f"It takes sizes in multiples of {stride}. " + declaration_hint(stride=str(stride))
        return f"It may take sizes in multiples of another number than {self._stride}. " + declaration_hint(stride="N")

    def _keeps_size_at(self, stride: int) -> bool:
        """Whether the net returns a picture of odd multiples of `stride` at its size."""
        picture = np.zeros((1, 3, 3 * stride, 5 * stride), INPUT_TYPES[self._image.type])
        feed = {self._image.name: picture if self._channels_first else np.moveaxis(picture, 1, -1)}
        try:
            results = self._session.run(None, feed | self._style)
        except Exception:  # onnxruntime has no exception base of its own
            return False
        return any({3 * stride, 5 * stride} <= set(getattr(result, "shape", ())) for result in results)


def _parse_stride(text: str, path: Path) -> int:
    """Read a stride from metadata, 1 to `MAX_STRIDE`."""
    if not re.fullmatch("[1-9][0-9]{0,3}", text) or int(text) > MAX_STRIDE:
        raise InputError(
            f"{path}: the metadata `stride` must be a whole number from 1 to {MAX_STRIDE}, found {text[:40]!r}."
        )
    return int(text)
