"""Find and describe style weights, those that come with tsn and the user's own; without torch.

Only safetensors and ONNX files are accepted: a `.pth` file is a pickle, and to load one runs any code that its author
put into it. The metadata of a safetensors file describe the style (`name`, `title`, `licence`) and its net (see
`tsn.style.loading`); training/train_style.py writes them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tsn.errors import InputError, UsageError, near_miss
from tsn.io.hashing import sha256_of
from tsn.io.safetensors_file import read_header

BUNDLED_DIR = Path(__file__).parent / "weights"
"""Folder of the styles that come with tsn."""
WEIGHT_SUFFIXES = {".safetensors", ".onnx"}
PICKLE_SUFFIXES = {".pth", ".pt", ".ckpt", ".pkl", ".bin", ".model", ".t7"}


@dataclass(frozen=True, kw_only=True)
class StyleInfo:
    """Description of a style, as `tsn styles` prints it.

    Attributes:
        name: of the style in shot files.
        family: one of `families.NETS`, or `adain`, or `onnx`, or `strokes` for a preset of brush strokes.
        title: of the painting, with its painter.
        licence: of the weights.
        sha256: of the file.
        size: of the file, bytes.
        path: of the file.
    """

    name: str
    family: str
    title: str
    licence: str
    sha256: str
    size: int
    path: Path

    def to_dict(self) -> dict[str, str | int]:
        """The fields as JSON values."""
        return {**asdict(self), "path": str(self.path)}


def bundled_styles() -> tuple[StyleInfo, ...]:
    """The styles that come with tsn, by name."""
    return tuple(
        sorted((describe_weights(path) for path in BUNDLED_DIR.glob("*.safetensors")), key=lambda info: info.name)
    )


def resolve_style(model: str, *, base: Path = Path()) -> StyleInfo:
    """Find the style that `style.model` names.

    Args:
        model: the name of a bundled style, or a `.safetensors` or `.onnx` file.
        base: folder that relative paths start from.

    Raises:
        UsageError: no bundled style has this name.
        InputError: the file is missing, damaged, or of another type.
    """
    path = base / os.path.expanduser(model)
    kind = path.suffix.lower()
    if kind not in WEIGHT_SUFFIXES | PICKLE_SUFFIXES and "/" not in model and "\\" not in model:
        require_bundled(model)
        return describe_weights(BUNDLED_DIR / f"{model}.safetensors")
    if kind in PICKLE_SUFFIXES:
        raise InputError(
            f"{path}: weights must be a .safetensors or .onnx file, found {path.suffix}.",
            hint="Loading a pickle can run foreign code. Convert it where you trust it:"
            " safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW, metadata=...)"
            " for a tsn net, torch.onnx.export for any other.",
        )
    if kind not in WEIGHT_SUFFIXES:
        raise InputError(f"{path}: weights must be a .safetensors or .onnx file, found {path.suffix or 'no ending'}.")
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*") if p.suffix.lower() in WEIGHT_SUFFIXES]
        raise InputError(
            f"The weights file does not exist: {path}",
            hint=near_miss(path.name, siblings) or "A relative path is relative to the shot file.",
        )
    return describe_weights(path)


def require_bundled(name: str) -> None:
    """Raise UsageError unless a bundled style has this name, which is also the name of its file."""
    known = sorted(path.stem for path in BUNDLED_DIR.glob("*.safetensors"))
    if name not in known:
        raise UsageError(
            f"No style is called {name!r}; bundled are: {', '.join(known) or 'none'}.",
            hint=near_miss(name, known) or "A file of your own needs its ending: name.safetensors or name.onnx.",
        )


def describe_weights(path: Path) -> StyleInfo:
    """Hash a weights file and read its metadata, without loading the weights.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        sha256 = sha256_of(path)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"Cannot read the weights {path}: {error.strerror}.") from error
    facts = {"family": "onnx"} if path.suffix.lower() == ".onnx" else read_metadata(path)
    return StyleInfo(
        name=facts.get("name", path.stem),
        family=facts.get("family", "unknown"),
        title=facts.get("title", path.stem),
        licence=facts.get("licence", "unknown"),
        sha256=sha256,
        size=size,
        path=path,
    )


def read_metadata(path: Path) -> Mapping[str, str]:
    """The metadata of a safetensors file. Raises InputError if it is damaged, or none."""
    return read_header(path).metadata
