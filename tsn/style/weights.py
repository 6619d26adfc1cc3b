"""The style weights that come with tsn, and those of the user: find, describe and load them.

Safetensors only. A `.pth` file is a pickle, and loading one runs whatever code its author put into it.
The metadata in the file says which net it is for: `family`, `width`, `blocks`, `recolours`, `simplifies`,
`seeded`; and whose:
`name`, `title`, `licence`. training/train_style.py writes it.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tsn.errors import InputError, UsageError, near_miss
from tsn.io.state import Header, read_header, read_state

if TYPE_CHECKING:
    from torch import nn

    from tsn.style.lockable import LockableNet

Net = TypeVar("Net", bound="nn.Module")

BUNDLED = Path(__file__).parent / "weights"
FILES = {".safetensors", ".onnx"}
PICKLES = {".pth", ".pt", ".ckpt", ".pkl", ".bin", ".model", ".t7"}
EXPORT = "training/train_style.py writes such files."
BLOCK = 6
"""Tensors of a residual block, at least."""


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


def metadata(path: Path) -> Mapping[str, str]:
    """What a safetensors file says of itself. Raises InputError where it is none."""
    return read_header(path).facts


def load(info: StyleInfo) -> LockableNet:
    """Build the net that a safetensors file describes, with its weights in float32, on the CPU.

    Raises:
        InputError: the file is damaged, describes no net of ours, or its tensors do not fit the description.
    """
    from tsn.style.families import NETS
    from tsn.style.lockable import SHOWN

    header = read_header(info.path)
    family = header.facts.get("family", "none")
    if family not in NETS:
        raise InputError(
            f"{info.path}: expected weights of family {' or '.join(map(repr, NETS))}, found {family!r}.", hint=EXPORT
        )
    sizes = claims(info.path, header, ("width", "blocks"), hint=EXPORT)
    shown = {key: yes(info.path, header, key) for key in SHOWN}
    make = partial(NETS[family], width=sizes["width"], blocks=sizes["blocks"], **shown)
    return built(make, info.path, sizes, hint=EXPORT)


def claims(path: Path, header: Header, keys: Sequence[str], *, hint: str) -> dict[str, int]:
    """What a file says of its net's size, which may be wrong but not out of all proportion to the file.

    Args:
        keys: `blocks`, and others that go into the number of weights with their square at least.

    Raises:
        InputError: a key is missing or no whole number above 0, or the net would be larger than the file.
    """
    facts = {key: header.facts.get(key, "") for key in keys}
    if not all(re.fullmatch("[1-9][0-9]{0,17}", fact) for fact in facts.values()):
        raise InputError(
            f"{path}: the metadata must give the net's {' and '.join(keys)} as whole numbers, found"
            f" {', '.join(f'{key}={fact[:40]!r}' for key, fact in facts.items())}.",
            hint=hint,
        )
    sizes = {key: int(fact) for key, fact in facts.items()}
    for key, size in sizes.items():
        most = len(header.tensors) // BLOCK if key == "blocks" else math.isqrt(header.numbers)
        if size > most:
            raise InputError(
                f"{path}: the tensors do not fit {key} {size}: there are {len(header.tensors)} of them, with"
                f" {header.numbers:,} numbers.",
                hint=hint,
            )
    return sizes


def yes(path: Path, header: Header, key: str) -> bool:
    """What a file says to a question; nothing is a no. Raises InputError where it is neither yes nor no."""
    said = header.facts.get(key, "no")
    if said not in ("yes", "no"):
        raise InputError(f"{path}: the metadata must say yes or no to {key}, found {said[:40]!r}.")
    return said == "yes"


def built(make: Callable[[], Net], path: Path, sizes: Mapping[str, int], *, hint: str) -> Net:
    """A net with the weights of a safetensors file in float32, ready to paint.

    Args:
        make: makes the net.
        sizes: what the file says of it, for the message.

    Raises:
        InputError: its tensors are not the net's, or hold no numbers.
    """
    import torch

    with torch.device("meta"):  # without memory: if the file's tensors are as large is what is asked
        expected = make().state_dict()
    said = ", ".join(f"{key} {size}" for key, size in sizes.items())
    state = read_state(path, expected, said=said, hint=hint)
    net = make()
    net.load_state_dict(state)
    return net.eval()
