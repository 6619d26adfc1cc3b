from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest

from tsn.errors import InputError
from tsn.strokes.brush import LEVELS, TIPS, make_tips
from tsn.strokes.drawn_tips import COLUMNS, KINDS, ROWS
from tsn.strokes.preset import DrawnBrush, Layer
from tsn.strokes.preset_schema import scanned_brushes
from tsn.strokes.scanned_tips import MAX_PIXELS, read_tips

LAYER = Layer(width=8, length=32, spacing=6)


@pytest.mark.parametrize("kind", get_args(get_type_hints(DrawnBrush)["kind"]))
def test_drawn_tips(kind: str) -> None:
    assert set(KINDS) == set(get_args(get_type_hints(DrawnBrush)["kind"]))
    tips = make_tips((LAYER, LAYER), DrawnBrush(kind=kind, hairs=0.6))  # type: ignore[arg-type]
    assert [level.shape for level in tips.levels] == [(2 * TIPS, 2, ROWS >> i, COLUMNS >> i) for i in range(LEVELS)]
    mask, height = tips.levels[0][:, 0], tips.levels[0][:, 1]
    assert mask.min() >= 0 and mask.max() <= 1 and height.min() >= 0 and height.max() < 1.5
    assert (height[mask == 0] == 0).all()
    assert 0.1 < mask.mean() < 0.95
    # Strokes neither begin, end nor stop at their sides like a saw cut.
    assert max(mask[:, :, 0].mean(), mask[:, :, -1].mean(), mask[:, 0].mean(), mask[:, -1].mean()) < 0.1
    assert np.abs(mask[0] - mask[1]).mean() > 0.01  # no two alike


def test_a_dry_brush_leaves_less_paint() -> None:
    def paint(kind: str, hairs: float) -> float:
        return float(make_tips((LAYER,), DrawnBrush(kind=kind, hairs=hairs)).levels[0][:, 0].mean())  # type: ignore[arg-type]

    for kind in ("bristle", "flat", "chalk", "wash"):
        assert paint(kind, 0.9) < paint(kind, 0.2)


def test_each_layer_has_its_own_tips() -> None:
    own = Layer(width=8, length=32, spacing=6, brush=DrawnBrush(kind="pen"))
    tips = make_tips((LAYER, own), DrawnBrush())
    keys = np.arange(100, dtype=np.uint64)
    assert set(tips.choose(0, keys)) == set(range(TIPS)) and set(tips.choose(1, keys)) == set(range(TIPS, 2 * TIPS))


def scan(shape: tuple[int, int]) -> np.ndarray:
    """Paint (H, W) in 0..1: a stroke in the middle of a sheet, twice as thick in its upper half."""
    height, width = shape
    paint = np.zeros(shape, np.float32)
    paint[height // 4 : 3 * height // 4, width // 8 : 7 * width // 8] = 0.5
    paint[height // 4 : height // 2, width // 8 : 7 * width // 8] = 1
    return paint


def save(path: Path, picture: np.ndarray, kind: type = np.uint8) -> Path:
    cv2.imwrite(str(path), np.rint(picture * np.iinfo(kind).max).astype(kind))
    return path


def tip_of(mask: Path, height: Path | None = None) -> np.ndarray:
    (brush,) = scanned_brushes([str(mask)], None if height is None else [str(height)])
    return read_tips(brush)


@pytest.mark.parametrize("shape", [(8, 16), (100, 300), (1024, 4096)])
@pytest.mark.parametrize("form", ["grey", "grey16", "alpha", "opaque"])
def test_scans_of_any_size_and_form(tmp_path: Path, shape: tuple[int, int], form: str) -> None:
    assert (shape[0] * shape[1] > MAX_PIXELS) == (shape[0] == 1024)  # one is made smaller on reading
    paint = scan(shape)
    paper = 0.93 - 0.8 * paint
    if form == "alpha":
        picture = np.dstack([0 * paint, 0 * paint, 0 * paint, paint])
    elif form == "opaque":
        picture = np.dstack([paper, paper, paper, np.ones_like(paint)])
    else:
        picture = paper
    tip, mirrored = tip_of(save(tmp_path / "scan.png", picture, np.uint16 if form == "grey16" else np.uint8))
    assert tip.shape == (2, ROWS, COLUMNS)
    # The paper around it is cut off, so the stroke fills the tip; its sides are soft.
    upper, lower = tip[0, 8:20, 16:-16], tip[0, 44:56, 16:-16]
    assert upper.min() > 0.95 and 0.3 < lower.mean() < 0.6 and tip[0, 0].max() == 0
    np.testing.assert_array_equal(mirrored, tip[:, ::-1])
    assert tip[1, 8:28].mean() > tip[1, 36:56].mean()  # more paint is thicker


def test_heights_of_a_scan(tmp_path: Path) -> None:
    mask = save(tmp_path / "mask.png", 1 - scan((64, 256)).clip(0, 0.5))
    ramp = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (32, 1))
    tip = tip_of(mask, save(tmp_path / "height.png", ramp))[0]
    across = tip[1, 20:44].mean(0)
    assert across[30] < across[128] < across[-30] and tip[0, 20:44, 20:-20].min() > 0.95


@pytest.mark.parametrize(("paint", "kind"), [(0, "grey"), (1, "grey"), (0, "alpha")])
def test_an_empty_scan_says_so(tmp_path: Path, paint: float, kind: str) -> None:
    sheet = np.full((32, 64), paint, np.float32)
    file = save(tmp_path / "empty.png", np.dstack([sheet] * 4) if kind == "alpha" else sheet)
    with pytest.raises(InputError, match=r"empty\.png: expected a brush stroke, dark on white paper") as caught:
        tip_of(file)
    assert "Scan one stroke" in str(caught.value.hint)


def test_a_broken_scan_says_so(tmp_path: Path) -> None:
    file = save(tmp_path / "scan.png", scan((64, 128)))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match=r"scan\.png is damaged"):
        tip_of(file)
    with pytest.raises(InputError, match=r"Cannot read the picture of a brush .*none\.png"):
        tip_of(tmp_path / "none.png")
