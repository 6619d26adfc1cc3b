"""Any ONNX style net as a painter; needs onnxruntime (`pip install 'temporalstylenet[onnx]'`).

What is read from the file:

- the picture: the only input of four dimensions with three channels, (1, 3, H, W) or (1, H, W, 3), and the only such
  output, in either layout;
- its size: where the file fixes H or W, the frame is resized to that and back, which loses detail. A net of a fixed
  size may return a few lines and columns more than it was given, as those do that halve and double an odd size: they
  are cut off;
- its range: 0..1, or 0..255 for bytes, unless the file's metadata (`metadata_props`) say another for input and output
  (`onnx_range.py`). When the net is loaded it paints one picture, and is refused where what it returns can't be in
  the range of its output, with the lines that declare the right one;
- its stride: free sizes are padded to multiples of 8, or of what the metadata give as `stride`, as `tsn export`
  does: what it wrote is then shown the very picture that the engine shows the net;
- the style, for nets with several: one more input that takes a weight per style (N floats: a one-hot
  vector is fed) or the number of a style (an integer). `model.onnx:19` picks style 19.

Such nets normalise every frame by itself, so they are not tiled: a 4K frame takes all the memory it
takes, and `style.scale` is the way out. Nor can they be told what is void; they are shown none (`survey.mirrored`).
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
DEFAULT_STRIDE = 8
"""Free sizes are padded to multiples of this where a file says none; style nets halve two or three times."""
CANDIDATE_STRIDES = (16, 32, 64, 128)
"""What is tried to find one to advise."""
MAX_STRIDE = 1024
"""Of a stride; and a fixed side is at most sixteen times as long."""
MAX_SURPLUS_PX = 32
"""Lines or columns, fewer than this, that a net of a fixed size may return beyond those that it was given."""
ONE_OUTPUT_HINT = "Export the net with its painting, of three channels, as the only output."


def split_index(model: str) -> tuple[str, int | None]:
    """`"model.onnx:19"` -> `("model.onnx", 19)`; without a number, `(model, None)`."""
    match = re.fullmatch(r"(.+\.onnx):(\d+)", model, flags=re.IGNORECASE)
    return (match[1], int(match[2])) if match else (model, None)


@dataclass(frozen=True)
class _Output:
    """Where a net's painting is found."""

    name: str
    channels_first: bool

    def channels(self, result: np.ndarray) -> np.ndarray:
        return result if self.channels_first else np.moveaxis(result, -1, 1)


class OnnxPainter:
    """A net in onnxruntime, on one device.

    Args:
        path: of the .onnx file.
        sha256: of the same.
        index: which style, for a net with several.
        device: `cuda` uses onnxruntime's CUDA provider where it is there, else the CPU.

    Raises:
        InputError: the file is damaged, its inputs or outputs are not those of a style net, or its ranges are not
            those that it declares.
        UsageError: onnxruntime is missing; a style number is missing, out of range, or given in vain.
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
        if any(size and size > 16 * MAX_STRIDE for size in self._fixed):
            raise InputError(
                f"{path} paints pictures of {width} x {height} pixels only, expected {16 * MAX_STRIDE} a side at most.",
                hint="Export it with height and width free.",
            )
        others = [i for i in self._session.get_inputs() if i.name != self._image.name]
        self._style = make_style_feed(others, index, path)
        said = self._session.get_modelmeta().custom_metadata_map
        taken, given = declared_ranges(said, path)
        self._stride = _stride(said.get("stride", str(DEFAULT_STRIDE)), path)
        self._bytes = INPUT_TYPES[self._image.type] is np.uint8
        if self._bytes and taken not in (None, BYTE_RANGE):
            raise InputError(f"{path} takes bytes, which are 0-255; its metadata declare {taken}.")
        self._taken = taken or (BYTE_RANGE if self._bytes else UNIT_RANGE)
        self._given = self._tried(given, narrow=bool(said.keys() & {"input_range", "output_range"}))
        self.fingerprint = digest(METHOD, sha256, str(index), provider)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        where = f"{self.path}: frame {number}"
        height, width = image.shape[-2:]
        picture = self._sized(image, self._stride)
        result = self._fitted(self._run(picture, [self._output.name], self._taken, where)[0], picture, where)
        painted = torch.from_numpy(np.ascontiguousarray(result, dtype=np.float32))[0].to(image.device)
        if not torch.isfinite(painted).all():
            raise InputError(f"{where}: the net returns values that are no numbers.", hint="Export it in float32.")
        if self._given.low:
            painted = painted - self._given.low
        painted = painted / self._given.width
        sides = (fixed or side for fixed, side in zip(self._fixed, (height, width), strict=True))
        painted = painted[(slice(None), *(slice(0, side) for side in sides))]
        return resize(painted.clamp(0, 1), height, width)

    def _sized(self, image: Tensor, stride: int) -> Tensor:
        """A frame as the net is shown it: at its fixed size, padded where its size is free."""
        rows, columns = self._fixed
        picture = resize(image, rows or image.shape[-2], columns or image.shape[-1])
        return picture if rows and columns else pad_to_stride(picture, stride)[:, :rows, :columns]

    def _run(self, picture: Tensor, outputs: list[str], taken: Range, where: str) -> list[np.ndarray]:
        given = (picture * taken.width + taken.low if taken.low else picture * taken.width)[None]
        if not self._channels_first:
            given = given.permute(0, 2, 3, 1)
        if self._bytes:
            given = given.round()
        feed = {
            self._image.name: np.ascontiguousarray(given.cpu().numpy()).astype(
                INPUT_TYPES[self._image.type], copy=False
            )
        }
        try:
            found: list[np.ndarray] = self._session.run(outputs, feed | self._style)
        except Exception as error:  # onnxruntime has no exception base of its own
            raise InputError(f"{where}: onnxruntime failed: {error}", hint=self._stride_hint()) from error
        return found

    def _fitted(self, result: np.ndarray, picture: Tensor, where: str) -> np.ndarray:
        """The painting, (1, 3, H, W), without what it has beyond the picture that the net was given."""
        result = self._output.channels(result)
        found, expected = result.shape[2:], picture.shape[1:]
        # A net that may be given any size is put right by a stride. What it has added, and where, isn't known.
        beyond = [MAX_SURPLUS_PX if fixed else 1 for fixed in self._fixed]
        if not all(0 <= side - given < most for side, given, most in zip(found, expected, beyond, strict=True)):
            enlarged = found[0] * expected[1] == found[1] * expected[0] and found[0] % expected[0] == 0
            raise InputError(
                f"{where}: expected a painting of {expected[1]} x {expected[0]} pixels, as the net was given, found"
                f" {found[1]} x {found[0]}.",
                hint="Export it with its result resized to the size of its input." if enlarged else self._stride_hint(),
            )
        return result[..., : expected[0], : expected[1]]

    def _tried(self, declared: Range | None, *, narrow: bool) -> Range:
        """Range of the output, which is chosen, by what the net makes of a picture of nothing in particular.

        Args:
            narrow: the file has keys for one side, which count before the one for both.

        Raises:
            InputError: none is, or more than one; or what it holds can't be in its range.
        """
        where = f"{self.path}, tried on a picture"
        picture = self._sized(natural_noise(), self._stride)
        names = [output.name for output in self._session.get_outputs()]
        results = dict(zip(names, self._run(picture, names, self._taken, where), strict=True))
        shapes = {name: tuple(getattr(result, "shape", ())) for name, result in results.items()}
        found = [name for name, shape in shapes.items() if len(shape) == 4 and shape[0] == 1 and 3 in shape[1::2]]
        if len(found) != 1:
            said = "; ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise InputError(
                f"{self.path}: expected one output (1, 3, H, W) or (1, H, W, 3), found {len(found)} among: {said}.",
                hint=ONE_OUTPUT_HINT,
            )
        self._output = _Output(found[0], channels_first=shapes[found[0]][1] == 3)
        values = self._fitted(results[found[0]], picture, where)
        if not np.isfinite(values).all():
            raise InputError(f"{where}: the net returns values that are no numbers.", hint="Export it in float32.")
        if values.dtype == np.uint8:
            declared = declared or BYTE_RANGE
        given = declared or UNIT_RANGE
        fault = range_mismatch(values, given)
        if fault:
            raise InputError(f"{where}: {fault}.", hint=self._range_hint(picture, where, narrow))
        return given

    def _range_hint(self, picture: Tensor, where: str, narrow: bool) -> str:
        """How to declare the ranges with which most is seen of what the net paints."""
        best, most = None, 0.0
        for taken, given in COMMON_RANGES:
            if taken != BYTE_RANGE and self._bytes:
                continue
            values = self._run(picture, [self._output.name], taken, where)[0]
            if not np.isfinite(values).all() or range_mismatch(values, given) is not None:
                continue
            if contrast(values, given) > most * MIN_GAIN:
                best, most = range_declaration_hint(taken, given, narrow=narrow), contrast(values, given)
        return best or declaration_hint(input_range="0-255", output_range="-1..1") + ", with the net's own ranges."

    def _stride_hint(self) -> str:
        """How to declare a stride with which the net returns the size that it was given."""
        if all(self._fixed):
            return "Export it with height and width free, or with both as multiples of 32."
        for stride in (one for one in CANDIDATE_STRIDES if one > self._stride):
            if self._takes_multiples_of(stride):
                return f"It takes sizes in multiples of {stride}. " + declaration_hint(stride=str(stride))
        return f"It may take sizes in multiples of another number than {self._stride}. " + declaration_hint(stride="N")

    def _takes_multiples_of(self, stride: int) -> bool:
        picture = np.zeros((1, 3, 3 * stride, 5 * stride), INPUT_TYPES[self._image.type])
        feed = {self._image.name: picture if self._channels_first else np.moveaxis(picture, 1, -1)}
        try:
            found = self._session.run(None, feed | self._style)
        except Exception:  # onnxruntime has no exception base of its own
            return False
        return any({3 * stride, 5 * stride} <= set(getattr(result, "shape", ())) for result in found)


def _stride(text: str, path: Path) -> int:
    if not re.fullmatch("[1-9][0-9]{0,3}", text) or int(text) > MAX_STRIDE:
        raise InputError(
            f"{path}: the metadata `stride` must be a whole number from 1 to {MAX_STRIDE}, found {text[:40]!r}."
        )
    return int(text)
