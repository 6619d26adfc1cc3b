"""A pinned plan: survey and cuts are in it, and a host that would paint otherwise is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
import torch

from tsn import io
from tsn.cpu_isa import instruction_set
from tsn.errors import InputError, OutputError
from tsn.rendering import plan as plans
from tsn.rendering import plan_file
from tsn.rendering.event import Event
from tsn.rendering.finished import is_finished
from tsn.rendering.inspect import inspect
from tsn.rendering.pin import pin
from tsn.rendering.pinned_weights import hash_weights, require_weights
from tsn.rendering.plan import Plan
from tsn.rendering.render import render
from tsn.shot.load import load
from tsn.style import feedforward
from tsn.style.painter import Calibration
from tsn.style.tiles import Tile, paint_tiled

SCENES = {n: 1 if n < 1005 else 2 for n in range(1001, 1009)}


def planned(file: Path, *sets: str, size: int | None = None) -> Plan:
    resolved = load(file, sets=sets, environ={})
    made = plans.make_plan(resolved, inspect(resolved), chunk_size=size)
    return replace(made, weights=hash_weights(resolved))


def bits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_pins_change_no_bit_and_save_the_survey(shot: Callable[..., Path], tmp_path: Path) -> None:
    file = shot(flow="{method: dis}", temporal="{window: 2}", scenes=SCENES)
    made = planned(file, size=3)
    render(made, device="cpu")
    whole = bits(tmp_path / "styled")
    shutil.rmtree(tmp_path / "styled")
    pinned = pin(made, device="cpu")
    assert pinned.pins is not None and pinned.pins.cuts == (1005,) and pinned.pins.calibration
    again = plan_file.from_dict(json.loads(json.dumps(plan_file.to_dict(pinned))))
    assert again == pinned
    events: list[Event] = []
    for index in (2, 0, 1):
        shutil.rmtree(tmp_path / "cache")
        render(again, chunks=[index], device="cpu", report=events.append)
    assert bits(tmp_path / "styled") == whole
    assert not any("Surveying" in event.text for event in events)
    outputs = io.FrameSequence.parse(made.shot.output, base=Path())
    assert all(is_finished(again, number, pinned.pins.fingerprint, outputs) for number in made.requested)


def test_a_damaged_survey_in_the_cache_is_taken_again(shot: Callable[..., Path], tmp_path: Path) -> None:
    made = planned(shot(frames=range(1001, 1004)))
    render(made, device="cpu")
    whole = bits(tmp_path / "styled")
    (kept,) = (tmp_path / "cache/survey").iterdir()
    content, fingerprint = kept.read_bytes(), Calibration.load(kept).fingerprint
    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # a sign or an exponent; the file's form is right
    events: list[Event] = []
    render(made, device="cpu", force=True, report=events.append)
    assert any(f"The cached survey {kept} is damaged; taking it again." in event.text for event in events)
    assert bits(tmp_path / "styled") == whole and Calibration.load(kept).fingerprint == fingerprint


@pytest.mark.parametrize("stopped", ["the folder", "the file"])
def test_a_survey_that_cannot_be_cached_stops_nothing(
    shot: Callable[..., Path], tmp_path: Path, stopped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(shot(frames=range(1001, 1004)))
    if stopped == "the folder":
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache/survey").touch()
    else:
        full = OutputError("Can't write: the disk is full")
        monkeypatch.setattr(Calibration, "save", lambda self, path: (_ for _ in ()).throw(full))
    events: list[Event] = []
    render(made, device="cpu", report=events.append)
    assert len(bits(tmp_path / "styled")) == 3
    assert any("The survey can't be cached in" in event.text for event in events)


def test_pinned_cuts_are_taken_at_their_word(shot: Callable[..., Path], tmp_path: Path) -> None:
    file = shot(flow="{method: dis}", temporal="{window: 2}", scenes=SCENES)
    pinned = pin(planned(file), device="cpu")
    assert pinned.pins is not None
    render(pinned, device="cpu")
    right = bits(tmp_path / "styled")
    render(replace(pinned, pins=replace(pinned.pins, cuts=())), device="cpu", force=True)
    changed = {name for name, content in bits(tmp_path / "styled").items() if content != right[name]}
    assert changed == {f"sh_styled.{n}.exr" for n in range(1003, 1007)}, "paint is carried across"


def test_the_survey_is_taken_at_its_word(shot: Callable[..., Path], style: Callable[..., Path], tmp_path: Path) -> None:
    """Weights that changed since, past the check of their hash, still meet the fingerprint."""
    pinned = pin(planned(shot()), device="cpu")
    style(tmp_path / "tiny.safetensors", seed=1)
    with pytest.raises(InputError, match="painter is not the plan's"):
        render(pinned, device="cpu")


def test_another_kind_of_device_says_so_in_its_frames(shot: Callable[..., Path], tmp_path: Path) -> None:
    pinned = pin(planned(shot()), device="cpu")
    assert pinned.pins is not None
    foreign = replace(pinned, pins=replace(pinned.pins, device="cuda"))
    (path, *_) = render(foreign, device="cpu")
    digest = io.read_attributes(path)["tsn:frameSha256"]
    assert digest != pinned.frame_hash(1001, *pinned.pins.fingerprint)
    on_cuda = f"cpu {instruction_set()} as surveyed on cuda"
    assert digest == pinned.frame_hash(1001, *pinned.pins.fingerprint[:3], on_cuda)


def test_a_damaged_survey_is_refused(shot: Callable[..., Path]) -> None:
    pinned = pin(planned(shot()), device="cpu")
    assert pinned.pins is not None
    with pytest.raises(InputError, match="survey in the plan is damaged"):
        render(replace(pinned, pins=replace(pinned.pins, calibration="AAAA")), device="cpu")


def test_other_weights_are_refused(shot: Callable[..., Path], style: Callable[..., Path], tmp_path: Path) -> None:
    made = planned(shot())
    require_weights(made)
    assert len(made.weights) == 2 and made.weights["flow"] == "none: DIS estimates"
    style(tmp_path / "tiny.safetensors", seed=1)
    with pytest.raises(InputError, match=r"has other weights than the plan: .*tiny\.safetensors: expected "):
        require_weights(made)
    require_weights(replace(made, weights={}))


def test_a_plan_of_vectors_made_before_motion_was_pinned_with_them_is_taken(shot: Callable[..., Path]) -> None:
    made = planned(shot())
    require_weights(replace(made, weights={name: sha for name, sha in made.weights.items() if name != "flow"}))


@pytest.mark.parametrize("flow", ["{method: auto}", "{method: vectors, vectors: {layer: Vector}}"])
def test_raft_that_is_on_some_hosts_only_is_noticed(
    shot: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    made = planned(shot(flow=flow))
    assert made.weights["flow"] == "none: DIS estimates"
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/raft_small_C_T_V2-01064c6d.pth").write_bytes(b"x")
    with pytest.raises(InputError, match="flow: expected none: DIS"):
        require_weights(made)


def test_a_long_gap_reads_what_it_is_made_of(shot: Callable[..., Path]) -> None:
    frames = [*range(1001, 1006), *range(1041, 1046)]
    made = planned(shot("missing: hold", frames=frames, temporal="{window: 2, cuts: []}"), size=10)
    chunk = made.chunks[2]
    assert chunk.frames == tuple(range(1021, 1031))
    assert {1003, 1004, 1005} <= set(chunk.reads), "the last frame there was, and its window"
    data = plan_file.to_dict(made)
    assert data["chunks"][2]["survey"] == data["survey"]


@pytest.mark.parametrize(("style", "room"), [("{model: tiny.safetensors}", 300), ("{adain: a.png}", 400)])
def test_tiles_halve_where_memory_runs_out(
    shot: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, style: str, room: int
) -> None:
    """A card is simulated that has no room for wide tiles. What follows is the renderer's own."""

    def small_card(net: object, image: torch.Tensor, plan: list[Tile]) -> torch.Tensor:
        if max(tile.read[1].stop - tile.read[1].start for tile in plan) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return paint_tiled(net, image, plan)  # type: ignore[arg-type]

    rng = np.random.default_rng(0)
    file = shot(frames=[1001], temporal="{window: 0}", style=style)
    cv2.imwrite(str(file.parent / "a.png"), rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    path = file.parent / "plate/sh.1001.exr"
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {c: rng.uniform(0, 1, (32, 640)).astype(np.float16) for c in "RGB"}).write(str(path))
    made = planned(file)
    whole = io.read_frame(render(made, device="cpu")[0], 1001).rgb
    monkeypatch.setattr(feedforward, "paint_tiled", small_card)
    events: list[Event] = []
    tiled = io.read_frame(render(made, device="cpu", force=True, report=events.append)[0], 1001).rgb
    assert "Out of memory: painting in tiles of 160 pixels from here on" in "\n".join(e.text for e in events)
    np.testing.assert_allclose(tiled.astype(np.float32), whole.astype(np.float32), atol=2e-3)
    assert [e.frame for e in events if e.status == "rendered"] == [1001]
