"""Fixtures of the tests of `tsn.shot` and `tsn.rendering`: a shot file to start from, and small shots on disk."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tsn import io
from tsn.errors import UsageError
from tsn.rendering import plan as plans
from tsn.rendering.event import Event
from tsn.rendering.inspect import inspect
from tsn.rendering.plan import Plan
from tsn.shot.load import load
from tsn.style import catalogue

Window = tuple[tuple[int, int], tuple[int, int]]

MINIMAL = {
    "version": "version: 1",
    "plate": "plate: plate/sh010.####.exr",
    "output": "output: styled/sh010.####.exr",
    "style": "style: {model: great-wave}",
}


@pytest.fixture
def letter_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Styles a, b, c and x count as bundled, for tests of how a style is written."""
    real = catalogue.require_bundled
    monkeypatch.setattr(catalogue, "require_bundled", lambda name: None if name in "abcx" else real(name))


@pytest.fixture
def write(tmp_path: Path, letter_styles: None) -> Callable[..., Path]:
    """write(*lines, name, **instead): a minimal shot file (lines 1 to 4: version, plate, output, style) and `lines`."""

    def write(*lines: str, name: str = "sh010.yaml", **instead: str | None) -> Path:
        head = [line for line in (MINIMAL | instead).values() if line is not None]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def refused() -> Callable[..., UsageError]:
    """refused(file, **arguments of load): the error that loading a shot raises."""

    def refused(path: Path, **arguments: object) -> UsageError:
        with pytest.raises(UsageError) as caught:
            load(path, **{"environ": {}, **arguments})  # type: ignore[arg-type]
        assert caught.value.exit_code == 2
        return caught.value

    return refused


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's environment, a cache inside the test's folder, one core."""
    import torch

    for name in [name for name in os.environ if name.startswith(("TSN_", "OCIO"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TSN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "weights"))
    torch.set_num_threads(1)


@lru_cache(maxsize=4)
def _world(scene: int) -> np.ndarray:
    """A wide picture, float32 (192, 192, 3), in which a frame looks for its pixels; in scene 0 with a light of 8.0."""
    import cv2

    rng = np.random.default_rng(scene)
    world = np.zeros((192, 192, 3), np.float32)
    for cells, weight in ((6, 0.6), (24, 0.4), (96, 0.2)):
        noise = rng.uniform(0, 1, (cells, cells, 3)).astype(np.float32)
        world += weight * cv2.resize(noise, (192, 192), interpolation=cv2.INTER_LINEAR)
    if scene == 0:
        world[LIGHT_Y + PAD : LIGHT_Y + PAD + 6, LIGHT_X + PAD : LIGHT_X + PAD + 6] = 8.0
    return world


WIDTH, HEIGHT, PAD = 64, 48, 64
LIGHT_X, LIGHT_Y = 22, 14
DX, DY = 2, 1
WHOLE = ((0, 0), (WIDTH - 1, HEIGHT - 1))


def pixels(number: int, window: Window = WHOLE, scene: int = 0) -> dict[str, np.ndarray]:
    """Channels of a frame of a pan by (2, 1) pixels a frame: half RGBA, premultiplied; float Vector, Depth; ids."""
    (left, top), (right, bottom) = window
    x, y = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    step = number - 1001
    rgb = _world(scene)[y + PAD - DY * step, x + PAD - DX * step]
    alpha = np.where(x < 4, 0.0, np.where(x < 8, 0.5, 1.0)).astype(np.float32)
    if scene:  # a strip that stays would hide a cut
        alpha[:] = 1
    channels = {name: (rgb[..., i] * alpha).astype(np.float16) for i, name in enumerate("RGB")}
    one = np.ones(x.shape, np.float32)
    return channels | {
        "A": alpha.astype(np.float16),
        "Vector.X": -DX * one,
        "Vector.Y": DY * one,
        "Vector.Z": -DX * one,
        "Vector.W": DY * one,
        "Depth.Z": 5 * one,
        "id": np.random.default_rng(number).integers(0, 2**32, x.shape, np.uint32),
        "mask.V": ((x >= 32) * np.clip((x - 32) / 16, 0, 1)).astype(np.float32),
    }


def write_plate(path: Path, number: int, window: Window = WHOLE, scene: int = 0, **instead: np.ndarray) -> Path:
    """One frame; `instead` replaces channels, `Vector.X` written `Vector__X`."""
    import OpenEXR

    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "dataWindow": window,
        "displayWindow": WHOLE,
        "studio:shot": f"sh010 take {number}",
        "studio:lens": 35.0,
    }
    changed = {name.replace("__", "."): value for name, value in instead.items()}
    OpenEXR.File(header, pixels(number, window, scene) | changed).write(str(path))
    return path


@pytest.fixture
def plate() -> SimpleNamespace:
    """plate.write(path, number, window, scene, **channels), plate.pixels(...), and the plate's measures."""
    measures = {"WIDTH": WIDTH, "HEIGHT": HEIGHT, "WHOLE": WHOLE, "LIGHT_X": LIGHT_X, "LIGHT_Y": LIGHT_Y}
    return SimpleNamespace(write=write_plate, pixels=pixels, DX=DX, DY=DY, **measures)


@pytest.fixture
def add_cryptomatte(tmp_path: Path) -> Callable[..., None]:
    """add_cryptomatte({frame: {name: mask of (48, 64)}}, manifest=json.dumps): Cryptomatte in frames that a shot has.

    `manifest` makes the text of a manifest from what it holds; None leaves it out.
    """
    import OpenEXR

    from tsn.matte import cryptomatte_id

    def identify(
        frames: Mapping[int, Mapping[str, np.ndarray]], manifest: Callable[[object], str] | None = json.dumps
    ) -> None:
        for number, masks in frames.items():
            ids = np.zeros((HEIGHT, WIDTH), np.uint32)
            for name, mask in masks.items():
                ids[mask] = cryptomatte_id(name)
            path = str(tmp_path / f"plate/sh.{number}.exr")
            (part,) = OpenEXR.File(path, separate_channels=True).parts
            none = np.zeros((HEIGHT, WIDTH), np.float32)
            ranks = {"R": ids.view(np.float32), "G": (ids > 0).astype(np.float32), "B": none, "A": none}
            channels = {name: channel.pixels for name, channel in part.channels.items()}
            channels |= {f"CryptoObject00.{end}": values for end, values in ranks.items()}
            header = {key: value for key, value in part.header.items() if key != "channels"}
            header["cryptomatte/abc1234/name"] = "CryptoObject"
            if manifest is not None:
                known = {name: f"{cryptomatte_id(name):08x}" for name in masks}
                header["cryptomatte/abc1234/manifest"] = manifest(known)
            OpenEXR.File(header, channels).write(path)

    return identify


@pytest.fixture
def style(tiny_style: Callable[..., Path]) -> Callable[..., Path]:
    """style(path, seed=0): a weights file."""
    return tiny_style


@pytest.fixture
def shot(tmp_path: Path, surroundings: None, tiny_style: Callable[..., Path]) -> Callable[..., Path]:
    """shot(*lines, frames=range(1001, 1009), **instead): the shot file of a plate of 64x48 pixels.

    `scenes` maps frames to other scenes, `windows` to other data windows, `channels` to other channels.
    """

    def make(
        *lines: str,
        frames: Iterable[int] = range(1001, 1009),
        scenes: Mapping[int, int] = {},
        windows: Mapping[int, Window] = {},
        channels: Mapping[int, Mapping[str, np.ndarray]] = {},
        **instead: str,
    ) -> Path:
        (tmp_path / "plate").mkdir()
        for number in frames:
            path = tmp_path / "plate" / f"sh.{number}.exr"
            window, scene = windows.get(number, WHOLE), scenes.get(number, 0)
            write_plate(path, number, window, scene, **channels.get(number, {}))
        if not (tmp_path / "tiny.safetensors").exists():
            tiny_style(tmp_path / "tiny.safetensors")
        keys = {
            "version": "1",
            "plate": "plate/sh.####.exr",
            "output": "styled/sh_styled.####.exr",
            "style": "{model: tiny.safetensors}",
            "flow": "{method: vectors, vectors: {layer: Vector}}",
            "temporal": "{window: 2, cuts: []}",
        }
        file = tmp_path / "sh.yaml"
        file.write_text("\n".join([*(f"{key}: {value}" for key, value in (keys | instead).items()), *lines]) + "\n")
        return file

    return make


# --- whole shots, rendered ---------------------------------------------------------------------------


def plan_of(file: Path, *sets: str, size: int | None = None) -> Plan:
    resolved = load(file, sets=sets, environ={})
    return plans.make_plan(resolved, inspect(resolved), chunk_size=size)


@pytest.fixture
def planned() -> Callable[..., Plan]:
    """planned(file, *sets, size=None): the plan of a shot."""
    return plan_of


@pytest.fixture
def rendered() -> Callable[..., tuple[dict[int, Path], list[Event]]]:
    """rendered(file, *sets, to="sh_styled", **options): render all of a shot; frame -> path, and what was reported."""
    from tsn.rendering.render import render

    def make(file: Path, *sets: str, to: str = "sh_styled", **options: object) -> tuple[dict[int, Path], list[Event]]:
        events: list[Event] = []
        suffix = Path(load(file, environ={}).output).suffix
        made = plan_of(file, *sets, f"output={file.parent}/styled/{to}.####{suffix}")
        paths = render(made, device="cpu", report=events.append, **options)  # type: ignore[arg-type]
        return {int(path.suffixes[-2][1:]): path for path in paths}, events

    return make


@pytest.fixture
def in_chunks(tmp_path: Path) -> Callable[..., dict[Path, bytes]]:
    """in_chunks(file, size, seed): a shot anew, in chunks in any order, each on a host of its own; path -> bytes."""
    from tsn.rendering.render import render

    def make(file: Path, size: int, seed: str) -> dict[Path, bytes]:
        shutil.rmtree(tmp_path / "styled")
        made = plan_of(file, size=size)
        order = [chunk.index for chunk in made.chunks]
        random.Random(seed).shuffle(order)
        for index in order:
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # each chunk on a host of its own
            render(made, chunks=[index], device="cpu")
        return {path: path.read_bytes() for path in (tmp_path / "styled").iterdir()}

    return make


@pytest.fixture
def channels() -> Callable[[Path], dict[str, np.ndarray]]:
    """channels(path): every channel as bits, so that NaN equals itself and -0.0 differs from 0.0."""
    import OpenEXR

    def bits(path: Path) -> dict[str, np.ndarray]:
        (part,) = OpenEXR.File(str(path), separate_channels=True).parts
        return {name: c.pixels.view(f"u{c.pixels.dtype.itemsize}") for name, c in part.channels.items()}

    return bits


@pytest.fixture
def rgb() -> Callable[[Path], np.ndarray]:
    """rgb(path): float32 (H, W, 3)."""
    return lambda path: io.read_frame(path, 0).rgb.astype(np.float32)


@pytest.fixture
def source() -> Callable[[Path], Path]:
    """source(path): the plate frame of an output frame."""
    return lambda path: path.parents[1] / "plate" / "".join(["sh", *path.suffixes[-2:]])


@pytest.fixture
def status() -> Callable[[Sequence[Event], str], list[int | None]]:
    """status(events, kind): the frames that ended so."""
    return lambda events, kind: [e.frame for e in events if e.kind == "frame" and e.status == kind]


@pytest.fixture
def notes() -> Callable[[Sequence[Event]], str]:
    """notes(events): all remarks."""
    return lambda events: "\n".join(event.text for event in events if event.kind == "note")
