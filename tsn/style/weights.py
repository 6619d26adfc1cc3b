"""The style weights that come with tsn, and those of the user: find, describe and load them.

Safetensors only. A `.pth` file is a pickle, and loading one runs whatever code its author put into it.
The metadata in the file says which net it is for: `family`, `width`, `blocks`, `recolours`, `simplifies`,
`seeded`; and whose:
`name`, `title`, `licence`. training/train_style.py writes it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tsn.errors import InputError, UsageError, near_miss

if TYPE_CHECKING:
    from torch import nn

    from tsn.style.lockable import LockableNet

BUNDLED = Path(__file__).parent / "weights"
FILES = {".safetensors", ".onnx"}
PICKLES = {".pth", ".pt", ".ckpt", ".pkl", ".bin", ".model", ".t7"}
EXPORT = "training/train_style.py writes such files."


@dataclass(frozen=True, kw_only=True)
class StyleInfo:
    """What `tsn styles` tells of a style.

    Attributes:
        name: what a shot file calls it.
        family: one of `families.NETS`, or `onnx`.
        sha256: of the file.
        size: of the file, bytes.
    """

    name: str
    family: str
    title: str
    licence: str
    sha256: str
    size: int
    path: Path

    def to_dict(self) -> dict[str, str | int]:
        """For JSON."""
        return {**asdict(self), "path": str(self.path)}


def bundled() -> tuple[StyleInfo, ...]:
    """The styles that come with tsn, by name."""
    return tuple(sorted((describe(path) for path in BUNDLED.glob("*.safetensors")), key=lambda info: info.name))


def resolve(model: str, *, base: Path = Path()) -> StyleInfo:
    """What `style.model` means: a bundled name, or a `.safetensors` or `.onnx` file relative to `base`.

    Raises:
        UsageError: a name that no bundled style has.
        InputError: a file that is missing, damaged, or of another kind.
    """
    path = base / os.path.expanduser(model)
    kind = path.suffix.lower()
    if kind not in FILES | PICKLES and "/" not in model and "\\" not in model:
        require_bundled(model)
        return describe(BUNDLED / f"{model}.safetensors")
    if kind in PICKLES:
        raise InputError(
            f"{path}: weights must be a .safetensors or .onnx file, found {path.suffix}.",
            hint="Loading a pickle can run foreign code. Convert it where you trust it:"
            " safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW, metadata=...)"
            " for a tsn net, torch.onnx.export for any other.",
        )
    if kind not in FILES:
        raise InputError(f"{path}: weights must be a .safetensors or .onnx file, found {path.suffix or 'no ending'}.")
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*") if p.suffix.lower() in FILES]
        raise InputError(
            f"The weights file does not exist: {path}",
            hint=near_miss(path.name, siblings) or "A relative path is relative to the shot file.",
        )
    return describe(path)


def require_bundled(name: str) -> None:
    """Raise UsageError for a name that no bundled style has; their files are called as they are."""
    known = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
    if name not in known:
        raise UsageError(
            f"No style is called {name!r}; bundled are: {', '.join(known) or 'none'}.",
            hint=near_miss(name, known) or "A file of your own needs its ending: name.safetensors or name.onnx.",
        )


def describe(path: Path) -> StyleInfo:
    """Hash a weights file and read who it is, without loading it. Raises InputError."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"Cannot read the weights {path}: {error.strerror}.") from error
    facts = {"family": "onnx"} if path.suffix.lower() == ".onnx" else metadata(path)
    return StyleInfo(
        name=facts.get("name", path.stem),
        family=facts.get("family", "unknown"),
        title=facts.get("title", path.stem),
        licence=facts.get("licence", "unknown"),
        sha256=sha256,
        size=size,
        path=path,
    )


def metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} is damaged, or no safetensors file: {error}.", hint="Copy or download it again."
        ) from error


def load(info: StyleInfo) -> LockableNet:
    """Build the net that a safetensors file describes, with its weights in float32, on the CPU.

    Raises:
        InputError: the file is damaged, describes no net of ours, or its tensors do not fit the description.
    """
    from tsn.style.families import NETS
    from tsn.style.lockable import SHOWN

    facts = metadata(info.path)
    family = facts.get("family", "none")
    if family not in NETS:
        raise InputError(
            f"{info.path}: expected weights of family {' or '.join(map(repr, NETS))}, found {family!r}.", hint=EXPORT
        )
    width, blocks = (int(text) if (text := facts.get(key, "")).isdecimal() else 0 for key in ("width", "blocks"))
    if not (width and blocks):
        raise InputError(
            f"{info.path}: the metadata must give the net's width and blocks as whole numbers, found"
            f" width={facts.get('width')!r}, blocks={facts.get('blocks')!r}.",
            hint=EXPORT,
        )
    shown = {key: facts.get(key) == "yes" for key in SHOWN}
    net = NETS[family](width=width, blocks=blocks, **shown)
    fill(net, info.path, said=f"width {net.width}, blocks {net.blocks}", hint=EXPORT)
    return net


def fill(net: nn.Module, path: Path, *, said: str, hint: str) -> None:
    """Load a safetensors file into a net, in float32, ready to paint.

    Args:
        said: what the file says of the net, for the message.

    Raises:
        InputError: its tensors are not the net's, or hold no numbers.
    """
    import torch
    from safetensors.torch import load as tensors

    found = tensors(path.read_bytes())  # by its path it would have to be UTF-8
    expected = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    for name in sorted(expected.keys() | shapes.keys()):
        if expected.get(name) != shapes.get(name):
            raise InputError(
                f"{path}: the tensors do not fit {said}: {name} expected {expected.get(name, 'nothing')},"
                f" found {shapes.get(name, 'nothing')}.",
                hint=hint,
            )
        if not torch.isfinite(found[name]).all():
            raise InputError(f"{path}: {name} holds values that are no numbers.", hint="The training diverged.")
    net.load_state_dict({name: tensor.float() for name, tensor in found.items()})
    net.eval()
