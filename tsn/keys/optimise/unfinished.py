"""The small file that keeps a key's picture between scales, from which a run that was killed goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from tsn.errors import InputError
from tsn.io.atomic import atomic_write
from tsn.keys.optimise.base import Scale


def keep(path: Path, digest: str, index: int, picture: Tensor) -> None:
    """Keep the picture of the scale that was finished. Raises OutputError."""
    from safetensors.torch import save

    with atomic_write(path) as temporary:
        content = save({"picture": picture.cpu().contiguous()}, metadata={"key": digest, "scale": str(index)})
        temporary.write_bytes(content)


def resumed(path: Path | None, digest: str, scales: Sequence[Scale]) -> tuple[Tensor | None, int]:
    """The picture of the last scale that was finished, and the scale to go on with. Another key's file is ignored."""
    if path is None or not path.is_file():
        return None, 0
    from safetensors.torch import load

    from tsn.io.safetensors_file import read_header

    try:
        facts = read_header(path).metadata
        index = int(facts.get("scale", "-1"))
        picture = load(path.read_bytes())["picture"].to(scales[0].plate.device)
    except (InputError, ValueError, KeyError, OSError):  # cut short, or no such file: begin anew
        return None, 0
    fits = facts.get("key") == digest and 0 <= index < len(scales) and picture.shape == scales[index].plate.shape
    return (picture, index + 1) if fits else (None, 0)
