"""A shot file to start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MINIMAL = {
    "version": "version: 1",
    "plate": "plate: plate/sh010.####.exr",
    "output": "output: styled/sh010.####.exr",
    "style": "style: {model: great-wave}",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a minimal shot (version, plate, output, style on lines 1 to 4) plus or instead the given lines."""

    def write(*lines: str, name: str = "sh010.yaml", **instead: str | None) -> Path:
        head = [line for line in (MINIMAL | instead).values() if line is not None]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
        return path

    return write
