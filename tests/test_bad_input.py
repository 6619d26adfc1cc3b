"""What is wrong with a shot is told by name and in good time, and nothing half-written is left behind.

Faults that need no rendering end in tests/batch/test_cli.py; here each goes through `tsn render` to its end.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import torch
from click.testing import CliRunner, Result

from tsn import io
from tsn_batch.cli import cli

FRAMES = range(1001, 1005)
WINDOW = ((0, 0), (39, 23))


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("TSN_", "OCIO"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TSN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


def write_plate(path: Path, number: int, display: object = WINDOW, **extra: np.ndarray) -> None:
    rgb = np.random.default_rng(number).uniform(0, 1.5, (3, 24, 40)).astype(np.float16)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    header |= {"dataWindow": WINDOW, "displayWindow": display}
    vectors = {f"Vector.{name}": np.ones((24, 40), np.float32) for name in "XYZW"}
    OpenEXR.File(header, dict(zip("RGB", rgb, strict=True)) | vectors | extra).write(str(path))


@pytest.fixture
def shot(tmp_path: Path, tiny_style: Callable[..., Path]) -> Path:
    """A good shot of four frames; the tests break it."""
    (tmp_path / "plate").mkdir()
    for number in FRAMES:
        write_plate(tmp_path / f"plate/sh.{number}.exr", number)
    tiny_style(tmp_path / "tiny.safetensors")
    file = tmp_path / "sh.yaml"
    file.write_text(
        "version: 1\n"
        "plate: plate/sh.####.exr\n"
        "output: styled/sh_styled.####.exr\n"
        "style: {model: tiny.safetensors}\n"
        "flow: {method: dis}\n"
        "temporal: {window: 1, cuts: []}\n"
    )
    return file


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def tsn(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def require_told(stderr: str, *told: str) -> None:
    """A fault of a line or two: what, where and what to do next."""
    assert stderr.startswith("tsn: ") and "Traceback" not in stderr and "unexpected" not in stderr
    for words in told:
        assert words in stderr, stderr
    assert len(stderr.splitlines()) <= 3


def require_nothing_half_written(folder: Path, frames: int | None = None) -> list[Path]:
    """Every file below a folder is a whole frame that the shot asks for, and carries its mark."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    for path in files:
        assert re.fullmatch(r"sh_styled\.\d{4}\.exr", path.name), path
        assert io.is_complete(path) and "tsn:frameSha256" in io.read_attributes(path)
        assert np.isfinite(io.read_frame(path, 0).rgb).all()
    assert frames is None or len(files) == frames
    return files


# --- the shot file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "place", "told"),
    [
        ("temporal: {window", "temporal: {windw", "sh.yaml:6:12: ", "Perhaps you meant 'window'?"),
        ("window: 1", "window: one", "sh.yaml:6:20: ", "'one'"),
        ("window: 1", "window: 1.5", "sh.yaml:6:20: ", "1.5"),
        ("version: 1", "version: 2", "sh.yaml:1:10: ", "2"),
        ("{method: dis}", "{method: diss}", "sh.yaml:5:16: ", "'dis'"),
        ("{model: tiny.safetensors}", "{model: tiny.safetensors, frames: a.####.png}", "sh.yaml:4:", "exactly one"),
        ("cuts: []}", "cuts: []", "sh.yaml:", ""),
    ],
)
def test_a_faulty_shot_file(shot: Path, old: str, new: str, place: str, told: str) -> None:
    edit(shot, old, new)
    result = tsn("render", shot)
    assert result.exit_code == 2
    require_told(result.stderr, place, told)
    assert not (shot.parent / "styled").exists() and result.stdout == ""


# --- the plate ---------------------------------------------------------------------------------------


def no_plate(folder: Path) -> None:
    for path in folder.glob("plate/*"):
        path.unlink()


def no_folder(folder: Path) -> None:
    no_plate(folder)
    (folder / "plate").rmdir()


def gap(folder: Path) -> None:
    (folder / "plate/sh.1003.exr").unlink()


def truncated(folder: Path) -> None:
    path = folder / "plate/sh.1003.exr"
    path.write_bytes(path.read_bytes()[:-100])


def emptied(folder: Path) -> None:
    (folder / "plate/sh.1003.exr").write_bytes(b"")


def garbage(folder: Path) -> None:
    (folder / "plate/sh.1003.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(range(256)) * 8)


def resized(folder: Path) -> None:
    write_plate(folder / "plate/sh.1003.exr", 1003, display=((0, 0), (79, 47)))


def relayered(folder: Path) -> None:
    write_plate(folder / "plate/sh.1003.exr", 1003, **{"Spec.R": np.zeros((24, 40), np.float32)})


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (no_plate, ("No plate found", "plate/sh.####.exr", "check the folder")),
        (no_folder, ("plate", "No such file")),
        (gap, ("1003", "missing: hold")),
        (truncated, ("sh.1003.exr", "cut short", "Render or copy this frame again")),
        (emptied, ("sh.1003.exr", "empty", "Render or copy this frame again")),
        (garbage, ("sh.1003.exr", "damaged", "Render or copy this frame again")),
        (resized, ("sh.1003.exr", "expected 40x24", "found 80x48", "Render the odd frames again")),
        (relayered, ("sh.1003.exr", "found Spec.R", "Render the odd frames again")),
    ],
)
def test_a_faulty_plate(shot: Path, broken: Callable[[Path], None], told: tuple[str, ...]) -> None:
    broken(shot.parent)
    result = tsn("render", shot)
    assert (result.exit_code, result.stdout) == (3, ""), result.output
    require_told(result.stderr, *told)
    assert not (shot.parent / "styled").exists()


def test_flipped_bits_that_no_header_tells_of(shot: Path) -> None:
    """Found when the frame is read: by name, and what was finished before it is whole."""
    path = shot.parent / "plate/sh.1004.exr"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(byte ^ 0xA5 for byte in data[middle : middle + 64])
    path.write_bytes(data)
    result = tsn("render", shot, "--device", "cpu")
    assert result.exit_code == 3
    require_told(result.stderr, "sh.1004.exr", "Render or copy this frame again")
    require_nothing_half_written(shot.parent / "styled")


# --- what the shot asks for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("colour.input=lin_rec710",), 2, ("lin_rec710", "lin_rec709")),
        (
            ("flow={method: vectors, vectors: {layer: Vectr}}",),
            3,
            ("sh.1001.exr: frame 1001: ", "'Vectr'", "Perhaps you meant 'Vector'?"),
        ),
        (("flow={method: auto, vectors: {layer: ViewLayer.Motion}}",), 3, ("'ViewLayer.Motion'", "found Vector")),
        (("flow={method: raft}",), 3, ("RAFT weights", "weights", "tsn fetch raft-large")),
        (("flow={method: raft, weights: /none/raft.pth}",), 3, ("/none/raft.pth", "tsn fetch raft-large")),
        (("style={model: /none/wave.safetensors}",), 3, ("/none/wave.safetensors",)),
        (("style={model: great-wve}",), 2, ("great-wve",)),
        (("style={frames: /none/p.####.png}",), 3, ("/none",)),
        (("layer=Beauty",), 3, ("sh.1001.exr", "'Beauty'")),
        (("matte={channel: mask.V}",), 3, ("sh.1001.exr: frame 1001: ", "mask.V")),
    ],
)
def test_what_is_not_there(shot: Path, words: tuple[str, ...], code: int, told: tuple[str, ...]) -> None:
    result = tsn("render", shot, "--device", "cpu", *(word for text in words for word in ("--set", text)))
    assert result.exit_code == code, result.output
    require_told(result.stderr, *told)
    require_nothing_half_written(shot.parent / "styled", 0)


def test_a_matte_of_an_object_that_is_not_in_the_manifest(shot: Path) -> None:
    demo = Path(__file__).parents[1] / "shots/demo/plate"
    words = ("--set", f"plate={demo}/demo.####.exr", "--set", "matte={cryptomatte: CryptoObject, names: [quai]}")
    result = tsn("render", shot, "--device", "cpu", "-F", "1001", *words, "--set", "temporal.window=0")
    assert result.exit_code == 3
    require_told(result.stderr, "'quai'", "Perhaps you meant 'quay'?")
    require_nothing_half_written(shot.parent / "styled", 0)


def test_damaged_weights(shot: Path) -> None:
    path = shot.parent / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    result = tsn("render", shot, "--device", "cpu")
    assert result.exit_code == 3
    require_told(result.stderr, "tiny.safetensors")
    require_nothing_half_written(shot.parent / "styled", 0)


# --- the output --------------------------------------------------------------------------------------


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """tmpfs(options): a small file system of its own at styled/, where this user may mount one."""
    folder, mounted = tmp_path / "styled", []

    def mount(options: str) -> Path:
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            pytest.skip("only root may mount a file system")
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for there in mounted:
        subprocess.run(["umount", there], check=True)


def test_a_read_only_output(shot: Path, tmpfs: Callable[[str], Path]) -> None:
    folder = tmpfs("ro,size=1m")
    result = tsn("render", shot, "--device", "cpu")
    assert result.exit_code == 5, result.output
    require_told(result.stderr, str(folder), "read-only", "Choose another folder: correct `output:`")
    assert not list(folder.iterdir())


def test_a_folder_that_belongs_to_somebody_else(shot: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (shot.parent / "styled").mkdir(mode=0o555)
    result = tsn("render", shot, "--device", "cpu")
    assert result.exit_code == 5
    require_told(result.stderr, "permission denied", "who owns the folder")


def test_a_full_disk(shot: Path, tmpfs: Callable[[str], Path]) -> None:
    """Whole frames stay, half ones go, and with room again the render goes on where it stopped."""
    folder = tmpfs("size=20k")
    result = tsn("render", shot, "--device", "cpu")
    assert result.exit_code == 5, result.output
    require_told(result.stderr, "sh_styled.100", "disk is full", "finished frames are kept")
    kept = require_nothing_half_written(folder)
    assert 0 < len(kept) < len(FRAMES)
    before = {path: path.read_bytes() for path in kept}
    subprocess.run(["mount", "-o", "remount,size=4m", folder], check=True)
    again = tsn("render", shot, "--device", "cpu", "--json")
    assert again.exit_code == 0
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert sum(event.get("status") == "skipped" for event in events) == len(kept)
    require_nothing_half_written(folder, len(FRAMES))
    assert all(path.read_bytes() == data for path, data in before.items())


# --- stopped, or not -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file just opened to be read
def test_ctrl_c_inside_a_write(shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write goes to its end, later ones never begin; rendering on gives the bits of the whole shot."""
    from tsn.io import exr

    folder, write, sent = shot.parent / "styled", exr.write, []
    assert tsn("render", shot, "--device", "cpu").exit_code == 0
    whole = {path.name: path.read_bytes() for path in require_nothing_half_written(folder, len(FRAMES))}
    for path in folder.iterdir():
        path.unlink()

    def interrupted(
        frame: io.Frame, rgb: np.ndarray, path: Path, attributes: dict[str, str], layers: dict[str, np.ndarray]
    ) -> None:
        if frame.number == 1002:
            path.write_bytes(b"half")
            sent.append(path.name)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            time.sleep(0.5)
        write(frame, rgb, path, attributes, layers)

    with monkeypatch.context() as patched:
        patched.setattr(exr, "write", interrupted)
        result = tsn("render", shot, "--device", "cpu")
    signal.alarm(0)  # a command's process is gone by END_S after it was interrupted; this one goes on
    assert sent and sent[0].startswith(".") and result.exit_code == 130
    files = {path.name for path in require_nothing_half_written(folder)}
    assert files >= {"sh_styled.1001.exr", "sh_styled.1002.exr"}
    require_told(result.stderr, f"Cancelled; {len(files)} frames are finished and will be skipped next time.")
    assert tsn("render", shot, "--device", "cpu").exit_code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_a_good_shot_says_no_error(shot: Path) -> None:
    """Farm managers look for it: not in progress, notes of NaN pixels, or an unwritable cache."""
    rgb = np.full((24, 40), 0.5, np.float16)
    rgb[3, 4] = np.nan
    write_plate(shot.parent / "plate/sh.1002.exr", 1002, R=rgb)
    (shot.parent / "cache").write_text("a file in the cache's place")
    result = tsn("render", shot, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "Frame 1002: 1 pixels with NaN or Inf" in result.output
    for word in ("Error", "error:", "Traceback", "Warning"):
        assert word not in result.output
    files = list((shot.parent / "styled").iterdir())
    assert len(files) == len(FRAMES) and all(io.is_complete(file) for file in files)
