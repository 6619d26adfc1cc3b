"""Keys painted from a shot: what is written, what is kept, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import tsn
from tsn.errors import DeviceError, InputError, UsageError
from tsn.io.key_png import read_texts, write_png16
from tsn.keys.optimise.base import KeySettings
from tsn.rendering.paint_keys import KeyProgress, paint_keys

FEW = KeySettings(effort=0.05)
Shot = Callable[..., Path]
Stripes = Callable[..., Path]


def test_keys_are_pictures_of_the_plates_size_with_its_cover(
    shot: Shot, stripes: Stripes, thin_weights: Path, tmp_path: Path
) -> None:
    plan, folder, painting = tsn.plan(shot()), tmp_path / "keys", stripes()
    seen: list[KeyProgress] = []
    previews: list[tuple[int, ...]] = []

    def report(event: KeyProgress) -> None:
        seen.append(event)
        if event.preview is not None:
            previews.append(cv2.imread(str(event.preview)).shape)

    keys = paint_keys(plan, [1001, 1006], {str(painting): 1.0}, folder, FEW, report=report)

    assert list(keys) == [1001, 1006] and sorted(folder.iterdir()) == sorted(keys.values())
    assert keys[1006].name.endswith(".1006.png") and previews[-1] == (48, 64, 3)
    picture = cv2.imread(str(keys[1001]), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (48, 64, 4) and picture.dtype == np.uint16
    assert (picture[:, :4, 3] == 0).all() and (picture[:, 8:, 3] == 65535).all()
    assert (picture[:, 8:, :3].max(-1) > 0).mean() > 0.9
    assert {event.frame for event in seen} == {1001, 1006} and seen[-1].progress.done == 1
    facts = json.loads(read_texts(keys[1001])["tsn:paint"])
    assert facts["paintings"][0]["name"] == "stripes" and "random numbers" in facts["net"]
    assert facts["method"] == "nearest-neighbours"


def test_what_is_painted_is_kept_and_nothing_else_is_overwritten(
    shot: Shot, stripes: Stripes, thin_weights: Path, tmp_path: Path
) -> None:
    plan, folder, painting = tsn.plan(shot()), tmp_path / "keys", str(stripes())
    (path,) = paint_keys(plan, [1001], {painting: 1.0}, folder, FEW).values()
    before = path.read_bytes()
    notes: list[str] = []

    paint_keys(plan, [1001], {painting: 1.0}, folder, FEW, note=notes.append)
    assert path.read_bytes() == before and "painted already" in notes[-1]

    other = KeySettings(effort=0.1)
    with pytest.raises(UsageError, match="with other settings") as caught:
        paint_keys(plan, [1002, 1001], {painting: 1.0}, folder, other)
    assert "--force" in (caught.value.hint or "") and list(folder.iterdir()) == [path]
    write_png16(path, np.zeros((48, 64, 3), np.float32), None, {})
    with pytest.raises(UsageError, match="not painted by tsn"):
        paint_keys(plan, [1001], {painting: 1.0}, folder, FEW)
    paint_keys(plan, [1001], {painting: 1.0}, folder, FEW, force=True)
    assert path.read_bytes() == before


def test_a_shot_that_waits_for_its_keys_can_be_painted(
    shot: Shot, stripes: Stripes, thin_weights: Path, tmp_path: Path
) -> None:
    painting = stripes()
    plan = tsn.plan(shot(style="{keys: {painting: stripes.png}}"))
    assert paint_keys(plan, [1003], {str(painting): 1.0}, tmp_path / "keys", FEW)[1003].is_file()


def test_no_memory_says_what_helps(
    shot: Shot, stripes: Stripes, thin_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tsn.rendering import paint_keys as module

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(module, "paint_key", full)
    with pytest.raises(DeviceError, match="Out of memory") as caught:
        paint_keys(tsn.plan(shot()), [1001], {str(stripes()): 1.0}, tmp_path / "keys", FEW)
    assert "--height" in (caught.value.hint or "")


def test_faults_come_before_the_work(
    shot: Shot, stripes: Stripes, tmp_path: Path, thin_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, painting = tsn.plan(shot()), {str(stripes()): 1.0}
    with pytest.raises(UsageError, match="Frames 900 are not in the plate"):
        paint_keys(plan, [1001, 900], painting, tmp_path / "keys", FEW)
    with pytest.raises(InputError, match="does not exist"):
        paint_keys(plan, [1001], {"none.png": 1.0}, tmp_path / "keys", FEW)
    monkeypatch.undo()
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "nothing"))
    with pytest.raises(InputError) as caught:
        paint_keys(plan, [1001], painting, tmp_path / "keys", FEW)
    assert "tsn fetch vgg16" in (caught.value.hint or "")
    assert not (tmp_path / "keys").exists()
