"""Every style that comes with tsn paints the plate that comes with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tsn
from tsn import io
from tsn.style.catalogue import bundled_styles

DEMO = Path(__file__).parents[2] / "shots" / "demo"


@pytest.mark.slow
@pytest.mark.parametrize("name", [info.name for info in bundled_styles()])
def test_it_renders_the_demo(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    style = f"{{model: {name}}}"
    if name == "adain":
        waves = np.sin(np.arange(64 * 96 * 3).reshape(64, 96, 3) / 7)
        io.write_png(tmp_path / "painting.png", (0.5 + 0.5 * waves).astype(np.float32))
        style = f"{{adain: {tmp_path / 'painting.png'}}}"
    file = tmp_path / "shot.yaml"
    file.write_text(
        f"{{version: 1, plate: {DEMO}/plate/demo.####.exr, output: styled.####.exr, colour: {{input: lin_rec709}},"
        f" style: {style}, temporal: {{window: 0}}}}"
    )
    tsn.render(file, frames="1004", device="cpu")
    painted = io.read_frame(tmp_path / "styled.1004.exr", 1004).rgb.astype(np.float32)
    plate = io.read_frame(DEMO / "plate/demo.1004.exr", 1004).rgb.astype(np.float32)
    assert painted.shape == plate.shape
    assert np.isfinite(painted).all()
    assert np.abs(painted - plate).mean() > 0.02
    assert painted.std() > 0.05, "something is to be seen"
