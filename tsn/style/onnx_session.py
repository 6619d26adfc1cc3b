"""Open an ONNX file in onnxruntime, and find its inputs: the picture, and for some nets the number of a style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tsn.errors import InputError, UsageError

INPUT_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
FLOAT_TYPES = ("tensor(float)", "tensor(float16)")
MAX_FILE_BYTES = 1 << 30
"""Of an ONNX file. Style nets have 1 to 100 MB, and to open a file of 2 GiB takes 6 GiB of memory."""


def open_session(path: Path, device: torch.device) -> tuple[Any, str]:
    """Open a net in onnxruntime; return the session and the name of its execution provider.

    Raises:
        InputError: the file is missing, damaged or too large, or its weights are in other files.
        UsageError: onnxruntime is missing.
    """
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise UsageError(
            f"{path}: ONNX styles need onnxruntime, which is not installed.",
            hint="pip install 'temporalstylenet[onnx]'",
        ) from error
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"{path} has {size >> 20} MiB, expected at most {MAX_FILE_BYTES >> 20}.",
                hint="A style net has 1 to 100 MiB.",
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read the net {path}: {error.strerror}.") from error
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    # Waiting threads sleep instead of spinning: on a farm host, other workers need the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights in other files would not be in the frames' hashes. A folder below a file can't exist, so none are found.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path / "none"))
    cuda = device.type == "cuda" and "CUDAExecutionProvider" in ort.get_available_providers()
    providers: list[Any] = ["CPUExecutionProvider"]
    if cuda:
        # The default search would let each worker choose its convolution algorithms by their time.
        settings = {"device_id": device.index or 0, "cudnn_conv_algo_search": "DEFAULT", "use_tf32": "0"}
        providers.insert(0, ("CUDAExecutionProvider", settings))
    try:
        session = ort.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime has no exception base of its own
        if "external data" in str(error).lower():
            raise InputError(
                f"{path} keeps its weights in other files, which a plan does not include.",
                hint="Save it as one file: onnx.save(onnx.load(FILE), NEW).",
            ) from error
        raise InputError(f"{path} is damaged, or no ONNX net: {error}", hint="Export or download it again.") from error
    return session, session.get_providers()[0]


def find_image_input(session: Any, path: Path) -> Any:
    """Find the input for the picture: the only one of four dimensions with three channels.

    Raises:
        InputError: there is none or more than one, or it is not for one picture of floats or bytes.
    """
    inputs = session.get_inputs()
    found = "; ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
    pictures = [i for i in inputs if len(i.shape) == 4 and (i.shape[1] == 3 or i.shape[3] == 3)]
    if len(pictures) != 1:
        raise InputError(
            f"{path}: expected one input (1, 3, H, W) or (1, H, W, 3), found {len(pictures)} among: {found}.",
            hint="Export the net with the number of channels fixed to 3.",
        )
    image = pictures[0]
    if image.type not in INPUT_TYPES or (isinstance(image.shape[0], int) and image.shape[0] not in (1, -1)):
        raise InputError(
            f"{path}: the picture must be one frame of floats or bytes, found {image.name} {image.shape} {image.type}.",
            hint="Export the net for a batch of one, or of any size, in float32.",
        )
    return image


def make_style_feed(others: list[Any], index: int | None, path: Path) -> dict[str, np.ndarray]:
    """Make the feed for the inputs beside the picture: empty, or the number of a style or its one-hot vector.

    Args:
        others: inputs beside the picture.
        index: number of the style; None where the user gave none.
        path: of the net, for messages.

    Raises:
        InputError: the inputs are not those of a net of one or several styles.
        UsageError: a number is missing, out of range, or given for a net of one style.
    """
    if not others:
        if index is not None:
            raise UsageError(f"{path} has one style only, so it takes no number; found :{index}.")
        return {}
    style = others[0]
    fixed = all(isinstance(size, int) for size in style.shape)
    count = int(np.prod(style.shape)) if fixed else 0
    one_hot = style.type in FLOAT_TYPES and count > 1 and max(style.shape) == count and len(style.shape) <= 2
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
            f"{path} holds several styles: give the number of one{choices}.", hint=f"style: {{model: {path.name}:0}}"
        )
    if one_hot:
        if index >= count:
            raise UsageError(f"{path} holds the styles 0 to {count - 1}, found :{index}.")
        return {style.name: np.eye(count, dtype=INPUT_TYPES[style.type])[index].reshape(style.shape)}
    shape = [1] * len(style.shape)
    return {style.name: np.full(shape, index, dtype=np.int64 if style.type == "tensor(int64)" else np.int32)}
