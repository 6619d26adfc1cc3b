"""`tsn render`: what it asks for, and whole frames whatever stops it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from tsn import io
from tsn.rendering import plan_file

TSN = Path(sys.executable).with_name("tsn")


def frames_of(folder):
    return sorted(path.name for path in folder.iterdir())


# --- render, without rendering -----------------------------------------------------------------------


def test_dry_run_writes_nothing_and_needs_no_torch(shot, tmp_path):
    file = shot(temporal="{window: 8}", frames=range(1001, 1051))
    code = (
        "import sys; from tsn_batch.cli import cli\n"
        f"try: cli.main(['render', {str(file)!r}, '--dry-run', '-F', '1001-1040'])\n"
        "finally: print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    lines = dict(re.split("  +", line, maxsplit=1) for line in run.stdout.splitlines()[:-2])
    assert lines["frames"] == "40 of 50: 1001-1040"
    assert lines["canvas"] == "40x24+0+0"
    assert lines["style"].startswith("tiny (feedforward, ")
    assert lines["chunk 1"] == "1033-1040, reading 1025-1048"
    assert lines["to"] == str(tmp_path / "styled" / "sh_styled.1040.exr")
    assert lines["output"].endswith("will be created")
    assert run.stdout.splitlines()[-1] == "False"
    assert not (tmp_path / "styled").exists() and not (tmp_path / "cache").exists()


def test_dry_run_as_json_is_the_plan(tsn, shot, tmp_path):
    data = json.loads(tsn("render", shot(), "--dry-run", "--json", "--device", "cpu").stdout)
    assert plan_file.from_dict(data).requested == (1001, 1002, 1003)
    assert data["device"] == "cpu"
    assert data["outputs"]["1003"] == str(tmp_path / "styled" / "sh_styled.1003.exr")


def test_missing_is_a_key_of_the_shot(tsn, shot):
    file = shot(frames=[1001, 1002, 1004])
    result = tsn("render", file, "--dry-run")
    assert result.exit_code == 3 and "1003" in result.stderr
    for words in (["--missing", "hold"], ["--set", "missing=hold"], ["--set", "missing=skip", "--missing", "hold"]):
        data = json.loads(tsn("render", file, "--dry-run", "--json", *words).stdout)
        assert (data["shot"]["missing"], data["missing"]) == ("hold", [1003])


def test_an_output_that_cant_be_written_is_told_before_rendering(tsn, shot, tmp_path):
    file = shot()
    for words, code, expected in (
        (["--set", f"output={file}/sh.####.exr"], 5, "a file, not a folder"),
        (["--set", f"output={tmp_path}/sh_out.####.dpx"], 2, "a name that ends in .exr"),
    ):
        result = tsn("render", file, *words)
        assert (result.exit_code, result.stdout) == (code, "")
        assert expected in result.stderr


# --- with the engine ---------------------------------------------------------------------------------


def test_what_enters_after_all_that_was_surveyed_is_painted(tsn, shot, plate, tmp_path):
    """Eleven black frames, then an element: no frame of the survey shows it."""
    file = shot(frames=range(1001, 1013), style="tarascon", temporal="{window: 0}")
    for number in range(1001, 1012):
        plate(tmp_path / f"plate/sh.{number}.exr", **{name: np.zeros((24, 40), np.float16) for name in "RGB"})
    result = tsn("render", file)
    assert result.exit_code == 0, result.stderr
    dark, late = (io.read_frame(tmp_path / f"styled/sh_styled.{n}.exr", n).rgb.astype(float) for n in (1001, 1012))
    assert np.isfinite(late).all() and dark.std() < 0.05 and dark.mean() < 0.1
    seen = io.read_frame(tmp_path / "plate/sh.1012.exr", 1012).rgb.astype(float)
    assert late.std() > 0.05 and abs(late.mean() - seen.mean()) < 0.5


def test_chunks_make_the_shot_and_qc_shows_it(tsn, shot, tmp_path):
    file, saved = shot(), tmp_path / "plan.json"
    result = tsn("qc", file)
    assert result.exit_code == 3 and "tsn render" in result.stderr
    tsn("plan", file, "-o", saved, "--chunk-size", 2)
    for index in (0, 1):
        assert tsn("chunk", saved, index, "--device", "cpu").exit_code == 0
    again = tsn("render", file, "--device", "cpu")  # a chunk's frames are the shot's own
    assert again.stdout.endswith(f"Skipped 3 frames with nothing to do: {tmp_path}/styled/sh_styled.####.exr\n")
    sheet = Path(tsn("qc", file).stdout.strip())
    assert sheet == tmp_path / "sh_styled_contact.png" and io.probe(sheet).format == "png"


def test_quiet_render_says_nothing(tsn, shot, tmp_path, monkeypatch):
    monkeypatch.setenv("TSN_LOG_LEVEL", "error")
    monkeypatch.setattr("logging.basicConfig", lambda **kwargs: None)
    result = tsn("render", shot(), "--device", "cpu", "-F", "1001")
    assert (result.exit_code, result.output) == (0, "")
    assert frames_of(tmp_path / "styled") == ["sh_styled.1001.exr"]


# --- the installed command ---------------------------------------------------------------------------


def test_render_then_skip(installed, tsn, shot, tmp_path):
    file = shot()
    run = installed("render", file, "--device", "cpu")
    assert (run.returncode, run.stderr) == (0, "")
    assert "\r" not in run.stdout and "\x1b" not in run.stdout and "Error:" not in run.stdout
    frames = [line for line in run.stdout.splitlines() if line.startswith("100")]
    assert len(frames) == 3
    assert all(re.fullmatch(rf"{1000 + i}  \d+\.\d\d s  \({i}/3\)", line) for i, line in enumerate(frames, start=1))
    assert re.match(r"Rendered 3 frames in .* s a frame\): ", run.stdout.splitlines()[-1])
    written = {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}
    assert sorted(written) == [f"sh_styled.{number}.exr" for number in (1001, 1002, 1003)]

    os.remove(tmp_path / "styled" / "sh_styled.1002.exr")
    again = tsn("render", file, "--device", "cpu", "--json")  # in another process: the same bits
    assert (again.exit_code, again.stderr) == (0, "")
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert events[0]["kind"] == "start" and events[-1]["kind"] == "done"
    status = {event["frame"]: event["status"] for event in events if event["kind"] == "frame"}
    assert status == {1001: "skipped", 1002: "rendered", 1003: "skipped"}
    assert {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()} == written


def test_a_folder_that_is_called_in_no_utf8(installed, shot, tmp_path, style, monkeypatch):
    file, folder = shot(style="tiny.safetensors"), tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for path in (file, tmp_path / "plate", Path(shutil.copy(style, tmp_path))):
        path.rename(folder / path.name)
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as in most locales; C lets surrogates pass
    for command in ("check", "render"):
        run = installed(command, folder / file.name, "--device", "cpu", raw=True)
        assert (run.returncode, run.stderr) == (0, b"")
        assert b"/caf\xe9/styled/sh_styled.####.exr" in run.stdout
    assert len(list((folder / "styled").iterdir())) == 3


def test_exit_codes(installed, shot, tmp_path):
    file = shot()
    assert installed("render", file, "--set", "temporal.window=-1").returncode == 2
    assert installed("render", file, "--set", f"output={file}/sh.####.exr").returncode == 5
    shutil.rmtree(tmp_path / "plate")
    run = installed("render", file)
    assert run.returncode == 3 and run.stderr.startswith("tsn: ") and "Traceback" not in run.stderr


def test_ctrl_c_leaves_whole_frames_only(shot, tmp_path):
    file = shot(frames=range(1001, 1301))
    process = subprocess.Popen(
        [TSN, "render", file, "--device", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if "(3/300)" in line:
            process.send_signal(signal.SIGINT)
            break
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    names = frames_of(tmp_path / "styled")
    assert 3 <= len(names) < 300
    assert all(re.fullmatch(r"sh_styled\.\d{4}\.exr", name) for name in names)  # no temporary ones
    assert all(io.is_complete(tmp_path / "styled" / name) for name in names)
    assert stderr.strip() == f"tsn: Cancelled; {len(names)} frames are finished and will be skipped next time."
