"""Any ONNX style net as a painter; needs onnxruntime (`pip install 'temporalstylenet[onnx]'`).

What is read from the file:

- the picture: the only input of four dimensions with three channels, (1, 3, H, W) or (1, H, W, 3);
- its size: where the file fixes H or W, the frame is resized to that and back, which loses detail;
- its range: 0..1, unless the file's metadata (`metadata_props`) says `range` = `0-255`. It is not guessed
  from what the net returns, as a guess could differ between frames; a net that plainly works in 0..255
  is refused with the lines that declare it;
- its stride: free sizes are padded to multiples of 8, or of what the metadata gives as `stride`, as `tsn export`
  does: what it wrote is then shown the very picture that the engine shows the net;
- the style, for nets with several: one more input that takes a weight per style (N floats: a one-hot
  vector is fed) or the number of a style (an integer). `model.onnx:19` picks style 19.

Such nets normalise every frame by itself, so they are not tiled: a 4K frame takes all the memory it
takes, and `style.scale` is the way out. Nor can they be told what is void; they are shown none (`survey.mirrored`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsn.errors import InputError, UsageError
from tsn.style.base import digest
from tsn.style.scale import resize
from tsn.style.tiles import pad

METHOD = "onnx-3"
STRIDE = 8
"""Free sizes are padded to multiples of this where a file says none; style nets halve two or three times."""

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
RANGES = {"0-1": 1.0, "0-255": 255.0}
DECLARE = (
    "Declare it in Python: m = onnx.load(FILE); p = m.metadata_props.add();"
    ' p.key, p.value = "range", "0-255"; onnx.save(m, FILE)'
)


def split_index(model: str) -> tuple[str, int | None]:
    """`"model.onnx:19"` -> `("model.onnx", 19)`; without a number, `(model, None)`."""
    match = re.fullmatch(r"(.+\.onnx):(\d+)", model, flags=re.IGNORECASE)
    return (match[1], int(match[2])) if match else (model, None)


class OnnxPainter:
    """A net in onnxruntime, on one device.

    Args:
        path: of the .onnx file.
        sha256: of the same.
        index: which style, for a net with several.
        device: `cuda` uses onnxruntime's CUDA provider where it is there, else the CPU.

    Raises:
        InputError: the file is damaged, or its inputs or output are not those of a style net.
        UsageError: onnxruntime is missing; a style number is missing, out of range, or given in vain.
    """

    def __init__(
        self, path: Path, *, sha256: str, index: int | None = None, device: torch.device | str = "cpu"
    ) -> None:
        self.path = path
        self.name = path.stem if index is None else f"{path.stem}:{index}"
        self._session, provider = _session(path, torch.device(device))
        self._image = _image_input(self._session, path)
        self._channels_first = self._image.shape[1] == 3
        height, width = self._image.shape[2:] if self._channels_first else self._image.shape[1:3]
        self._fixed = tuple(size if isinstance(size, int) and size > 0 else None for size in (height, width))
        others = [i for i in self._session.get_inputs() if i.name != self._image.name]
        self._style = _style_input(others, index, path)
        said = self._session.get_modelmeta().custom_metadata_map
        self._stride = _stride(said.get("stride", str(STRIDE)), path)
        declared = said.get("range")
        if declared is not None and declared not in RANGES:
            raise InputError(f"{path}: the metadata `range` must be one of {', '.join(RANGES)}, found {declared!r}.")
        self._declared = declared is not None
        self._white = RANGES[declared or "0-1"]
        self.fingerprint = digest(METHOD, sha256, str(index), provider)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        height, width = image.shape[-2:]
        picture = resize(image, self._fixed[0] or height, self._fixed[1] or width)
        free = self._fixed == (None, None)
        if free:
            picture = pad(picture, self._stride)
        given = (picture * self._white)[None]
        if not self._channels_first:
            given = given.permute(0, 2, 3, 1)
        feed = {self._image.name: np.ascontiguousarray(given.cpu().numpy()).astype(TYPES[self._image.type], copy=False)}
        try:
            result = self._session.run([self._session.get_outputs()[0].name], feed | self._style)[0]
        except Exception as error:  # onnxruntime has no exception base of its own
            raise InputError(f"{self.path}: frame {number}: onnxruntime failed: {error}") from error
        if not self._channels_first:
            result = np.moveaxis(result, -1, 1)
        if result.shape != (1, *picture.shape):
            raise InputError(
                f"{self.path}: frame {number}: expected a painting of {(1, *picture.shape)}, found {result.shape}."
            )
        if not self._declared and result.max() > 2:
            raise InputError(
                f"{self.path}: frame {number}: expected values in 0..1, found {result.max():.4g};"
                " the net seems to work in 0..255.",
                hint=DECLARE,
            )
        painted = torch.from_numpy(np.ascontiguousarray(result, dtype=np.float32))[0].to(image.device) / self._white
        if free:
            painted = painted[:, :height, :width]
        return resize(painted.clamp(0, 1), height, width)


def _session(path: Path, device: torch.device) -> tuple[Any, str]:
    """The onnxruntime session and the name of its provider."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise UsageError(
            f"{path}: ONNX styles need onnxruntime, which is not installed.",
            hint="pip install 'temporalstylenet[onnx]'",
        ) from error
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    # Waiting threads sleep: on a farm host, other workers want the cores that they would spin on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights beside the file would be in no plan and no frame's mark. Nothing lies below a file, so none are found.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path / "none"))
    cuda = device.type == "cuda" and "CUDAExecutionProvider" in ort.get_available_providers()
    providers: list[Any] = ["CPUExecutionProvider"]
    if cuda:
        # By default each worker would choose its convolutions by timing them.
        said = {"device_id": device.index or 0, "cudnn_conv_algo_search": "DEFAULT", "use_tf32": "0"}
        providers.insert(0, ("CUDAExecutionProvider", said))
    try:
        session = ort.InferenceSession(path.read_bytes(), options, providers=providers)
    except Exception as error:  # onnxruntime has no exception base of its own
        if "external data" in str(error).lower():
            raise InputError(
                f"{path} keeps weights in files of their own, which no plan would name.",
                hint="Save it as one file: onnx.save(onnx.load(FILE), NEW).",
            ) from error
        raise InputError(f"{path} is damaged, or no ONNX net: {error}", hint="Export or download it again.") from error
    return session, session.get_providers()[0]


def _stride(text: str, path: Path) -> int:
    if not re.fullmatch("[1-9][0-9]{0,3}", text):
        raise InputError(f"{path}: the metadata `stride` must be a whole number from 1 to 9999, found {text!r}.")
    return int(text)


def _image_input(session: Any, path: Path) -> Any:
    """The picture's input, checked: one picture of three channels in a float type."""
    inputs = session.get_inputs()
    found = "; ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
    pictures = [i for i in inputs if len(i.shape) == 4 and (i.shape[1] == 3 or i.shape[3] == 3)]
    if len(pictures) != 1:
        raise InputError(
            f"{path}: expected one input (1, 3, H, W) or (1, H, W, 3), found {len(pictures)} among: {found}.",
            hint="Export the net with the number of channels fixed to 3.",
        )
    image = pictures[0]
    if image.type not in TYPES or (isinstance(image.shape[0], int) and image.shape[0] not in (1, -1)):
        raise InputError(
            f"{path}: the picture must be one frame of floats, found {image.name} {image.shape} {image.type}."
        )
    return image


def _style_input(others: list[Any], index: int | None, path: Path) -> dict[str, np.ndarray]:
    """What to feed beside the picture: nothing, or which style."""
    if not others:
        if index is not None:
            raise UsageError(f"{path} has one style only, so it takes no number; found :{index}.")
        return {}
    style = others[0]
    fixed = all(isinstance(size, int) for size in style.shape)
    count = int(np.prod(style.shape)) if fixed else 0
    one_hot = style.type in TYPES and count > 1 and max(style.shape) == count and len(style.shape) <= 2
    number = style.type in ("tensor(int64)", "tensor(int32)") and (count == 1 or len(style.shape) <= 1)
    if len(others) > 1 or not (one_hot or number):
        found = "; ".join(f"{i.name} {i.shape} {i.type}" for i in others)
        raise InputError(
            f"{path}: beside the picture, expected at most a weight per style or the number of a style,"
            f" found: {found}.",
            hint="Export the net with its style fixed.",
        )
    choices = f" of {count}" if one_hot else ""
    if index is None:
        raise UsageError(
            f"{path} holds several styles: say which one{choices}.", hint=f"style: {{model: {path.name}:0}}"
        )
    if one_hot:
        if index >= count:
            raise UsageError(f"{path} holds the styles 0 to {count - 1}, found :{index}.")
        return {style.name: np.eye(count, dtype=TYPES[style.type])[index].reshape(style.shape)}
    shape = [1] * len(style.shape)
    return {style.name: np.full(shape, index, dtype=np.int64 if style.type == "tensor(int64)" else np.int32)}
