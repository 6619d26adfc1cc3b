from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from tsn import __version__, io
from tsn.errors import DeviceError
from tsn.flow import weights as flow_weights
from tsn.shot import plan as plans
from tsn.style import weights as style_weights
from tsn_batch import local
from tsn_batch.guard import Settings, outcome

TSN = Path(sys.executable).with_name("tsn")
HEAVY = ("torch", "numpy", "OpenImageIO", "OpenEXR", "PyOpenColorIO", "cv2", "pydantic", "rich")


def frames_of(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def asked(monkeypatch):
    """What a command asks the renderer for; nothing is rendered."""
    calls = []
    monkeypatch.setattr(local, "render", lambda plan, **options: calls.append((plan, options)))
    return calls


# --- the command line itself -------------------------------------------------------------------------


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from tsn_batch.cli import cli\n"
        "try: cli.main(['render', '--help'])\n"
        f"finally: print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Usage: tsn render [OPTIONS] SHOT" in run.stdout
    assert run.stdout.splitlines()[-1] == "[]"


def test_help_is_as_quick_as_click():
    def seconds(*command):
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        return time.monotonic() - started

    bare, ours = zip(
        *((seconds(sys.executable, "-c", "import click"), seconds(TSN, "--help")) for _ in range(4)), strict=True
    )
    assert min(ours) - min(bare) < 0.2


def test_version(tsn):
    assert tsn("--version").stdout == f"tsn {__version__}\n"


def test_a_mistyped_command_is_guessed(tsn):
    result = tsn("rendre", "sh.yaml")
    assert result.exit_code == 2
    assert "Perhaps you meant 'render'?" in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "temporal.windw=4"], "unknown key 'windw'"),
        (["--set", "nonsense"], "expected KEY=VALUE"),
        (["-F", "10o1"], "'10o1' is not a frame range"),
        (["-F", "1009"], "Frames 1009 are not in the shot"),
        (["--workers", "0"], "0 is not in the range"),
        (["--device", "cuda:0,cuda:1", "--workers", "1"], "fewer than the 2 devices"),
        (["--device", "cuda:0,"], "a name is missing"),
        (["--missing", "invent"], "'invent' is not one of"),
        (["--fource"], "No such option"),
    ],
)
def test_usage_is_refused_with_2(tsn, shot, asked, words, told):
    result = tsn("render", shot(), *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""
    assert not asked


def test_a_missing_shot_file_is_guessed(tsn, shot):
    result = tsn("explain", shot().with_name("sj.yaml"))
    assert result.exit_code == 2
    assert "Perhaps you meant 'sh.yaml'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_device_of_the_command_line_counts_over_the_environment(tsn, shot, asked, monkeypatch):
    file = shot()
    tsn("render", file)
    monkeypatch.setenv("TSN_DEVICE", "cuda:1")
    tsn("render", file)
    tsn("render", file, "--device", "cpu")
    assert [options["device"] for _, options in asked] == ["auto", "cuda:1", "cpu"]


@pytest.mark.parametrize("words", [["--log-level", "warning", "render"], ["render", "--log-level", "warning"]])
def test_log_level_before_and_after_the_command(tsn, shot, asked, words, monkeypatch):
    monkeypatch.setattr("logging.basicConfig", lambda **kwargs: None)
    assert tsn(*words, shot()).exit_code == 0
    assert asked[0][1]["way"] == "silent"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(tsn, shell):
    result = tsn("completion", shell)
    assert result.exit_code == 0
    assert "_TSN_COMPLETE" in result.stdout


# --- how commands end --------------------------------------------------------------------------------


def test_an_unexpected_exception_is_one_line_and_1(tsn, shot, monkeypatch):
    def broken(plan, **options):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr(local, "render", broken)
    file = shot()
    result = tsn("render", file)
    assert result.exit_code == 1
    assert result.stderr.startswith("tsn: unexpected ZeroDivisionError: a b\n")
    assert "--debug" in result.stderr and "Traceback" not in result.stderr
    for words in (["--debug", "render"], ["render", "--debug"]):
        assert "Traceback" in tsn(*words, file).stderr


def test_errors_say_message_and_hint(tsn, shot, monkeypatch):
    def refused(plan, **options):
        raise DeviceError("No device 'cuda:7' here", hint="Use --device cpu.")

    monkeypatch.setattr(local, "render", refused)
    result = tsn("render", shot())
    assert (result.exit_code, result.stderr) == (4, "tsn: No device 'cuda:7' here\n  Use --device cpu.\n")


def test_sigterm_is_ctrl_c(capsys):
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def work():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            cleaned.append(True)

    try:
        assert outcome(work, Settings()) == 130
        assert signal.alarm(0) > 20, "it would be ended if it didn't end by itself"
    finally:
        signal.alarm(0)
    assert cleaned and capsys.readouterr().err == "tsn: Cancelled.\n"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_process_ends_even_if_it_cannot_clean_up(number):
    """Its cleaning waits for a thread that waits for a lock nobody gives back; so would the interpreter's end."""
    code = """if True:
        import signal, threading, time
        from concurrent.futures import ThreadPoolExecutor
        from tsn_batch import guard
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background inherits none
        guard.END_S = 1
        taken = threading.Lock()
        taken.acquire()
        def work():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(taken.acquire)
                print("at work", flush=True)
                time.sleep(60)
        raise SystemExit(guard.outcome(work, guard.Settings()))
    """
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"at work\n"
    process.send_signal(number)
    assert process.wait(timeout=300) == 130
    process.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes")
def test_a_reader_that_goes_away_is_no_traceback(shot):
    script = f'"{TSN}" plan "{shot()}" -o - | true; echo "${{PIPESTATUS[0]}}"'
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("1\n", "")


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
    assert lines["output"].endswith("will be made")
    assert run.stdout.splitlines()[-1] == "False"
    assert not (tmp_path / "styled").exists() and not (tmp_path / "cache").exists()


def test_dry_run_as_json_is_the_plan(tsn, shot, tmp_path):
    data = json.loads(tsn("render", shot(), "--dry-run", "--json", "--device", "cpu").stdout)
    assert plans.from_dict(data).wanted == (1001, 1002, 1003)
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
    for words, code, told in (
        (["--set", f"output={file}/sh.####.exr"], 5, "a file, not a folder"),
        (["--set", f"output={tmp_path}/sh_out.####.dpx"], 2, "not named *.exr"),
    ):
        result = tsn("render", file, *words)
        assert (result.exit_code, result.stdout) == (code, "")
        assert told in result.stderr


# --- plan and chunk ----------------------------------------------------------------------------------


def test_plan_to_a_file_and_to_stdout(tsn, shot, tmp_path):
    file, saved = shot(frames=range(1001, 1008)), tmp_path / "plan.json"
    result = tsn("plan", file, "-o", saved, "--chunk-size", 3)
    assert result.stdout == f"{saved}: 7 frames in 3 chunks, 0 to 2\n"
    data = json.loads(tsn("plan", file, "-o", "-", "--chunk-size", 3).stdout)
    assert data == json.loads(saved.read_text())
    assert [chunk["range"] for chunk in data["chunks"]] == ["1001-1003", "1004-1006", "1007"]
    assert tsn("plan", file, "-o", tmp_path / "no" / "plan.json").exit_code == 5


def test_a_plan_of_some_frames(tsn, shot):
    data = json.loads(tsn("plan", shot(frames=range(1001, 1008)), "-o", "-", "-F", "1003-1004").stdout)
    assert [(c["frames"], c["reads"]) for c in data["chunks"]] == [([1003, 1004], [1002, 1003, 1004, 1005])]


@pytest.fixture
def planned(tsn, shot, tmp_path):
    tsn("plan", shot(frames=range(1001, 1021)), "-o", tmp_path / "plan.json", "--chunk-size", 5)
    return tmp_path / "plan.json"


def test_chunk_asks_for_its_chunk_only(tsn, planned, asked):
    assert tsn("chunk", planned, 3, "--force", "--device", "cpu", "--json").exit_code == 0
    (plan, options), *_ = asked
    assert plan == plans.load(planned)
    assert options == {"chunks": [3], "device": "cpu", "force": True, "way": "json"}


@pytest.mark.parametrize("index", ["4", "-- -1", "one"])
def test_a_chunk_that_isnt_there(tsn, planned, asked, index):
    result = tsn("chunk", planned, *index.split())
    assert result.exit_code == 2 and not asked


def test_a_frame_rendered_again_stops_the_chunks_that_depend_on_it(tsn, planned, asked, plate, tmp_path):
    time.sleep(0.01)
    plate(tmp_path / "plate" / "sh.1006.exr", 7)
    for index in (0, 1):  # 1006 is a handle of chunk 0
        result = tsn("chunk", planned, index)
        assert result.exit_code == 3 and "changed after the plan was made: 1006 " in result.stderr
        assert "tsn plan" in result.stderr
    assert not asked
    assert tsn("chunk", planned, 3).exit_code == 0


def test_a_survey_frame_rendered_again_stops_every_chunk(tsn, planned, asked, plate, tmp_path):
    survey = plans.survey_frames(plans.load(planned).plate.present)
    assert survey[-1] == 1019
    plate(tmp_path / "plate" / "sh.1019.exr", 7)
    assert tsn("chunk", planned, 0).exit_code == 3
    assert not asked


def test_a_frame_that_went_away(tsn, planned, asked, tmp_path):
    (tmp_path / "plate" / "sh.1020.exr").unlink()
    result = tsn("chunk", planned, 3)
    assert result.exit_code == 3 and "1020" in result.stderr and not asked


def test_frames_that_came_after_the_plan_change_nothing(tsn, planned, asked, plate, tmp_path):
    plate(tmp_path / "plate" / "sh.1021.exr")
    assert tsn("chunk", planned, 3).exit_code == 0


def test_a_plan_of_another_version(tsn, planned, asked):
    plans.save(replace(plans.load(planned), tsn="0.0.9"), planned)
    result = tsn("chunk", planned, 0)
    assert result.exit_code == 3 and "0.0.9" in result.stderr and not asked


def test_no_plan(tsn, tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    assert tsn("chunk", tmp_path / "plan.json", 0).exit_code == 3
    assert tsn("chunk", tmp_path / "none.json", 0).exit_code == 3


# --- what there is -----------------------------------------------------------------------------------


def test_styles(tsn, style, monkeypatch):
    monkeypatch.setattr(style_weights, "BUNDLED", style.parent)
    (data,) = json.loads(tsn("styles", "--json").stdout)
    assert data.keys() >= {"name", "family", "licence", "sha256", "title", "size"}
    assert (data["name"], data["size"]) == ("tiny", style.stat().st_size)
    assert tsn("styles").stdout.startswith("tiny  Tiny  [CC0, feedforward, ")


def test_no_styles(tsn, monkeypatch, tmp_path):
    monkeypatch.setattr(style_weights, "BUNDLED", tmp_path)
    assert json.loads(tsn("styles", "--json").stdout) == []
    assert "No styles" in tsn("styles").stdout


def test_fetch(tsn, style, monkeypatch):
    entry = flow_weights.REGISTRY["raft-small"]
    found = replace(entry, url=style.as_uri(), sha256=flow_weights.sha256(style)[:8])
    monkeypatch.setitem(flow_weights.REGISTRY, "raft-small", found)
    result = tsn("fetch", "raft-small")
    assert Path(result.stdout.strip()).read_bytes() == style.read_bytes()
    assert "Perhaps you meant 'raft-small'?" in tsn("fetch", "raft-smal").stderr


def test_explain(tsn, shot, monkeypatch):
    monkeypatch.setenv("TSN_STYLE__SCALE", "0.5")
    file = shot()
    rows = {row["key"]: row for row in json.loads(tsn("explain", file, "--set", "temporal.window=4", "--json").stdout)}
    kinds = {key: rows[key]["origin"]["kind"] for key in ("temporal.window", "style.scale", "plate", "missing")}
    assert kinds == {
        "temporal.window": "set", "style.scale": "environment", "plate": "file", "missing": "default"
    }  # fmt: skip
    assert re.search(rf"temporal.window +1 +{file}:\d+\n", tsn("explain", file).stdout)


# --- with the engine ---------------------------------------------------------------------------------


def test_check_tells_what_it_found(tsn, shot, plate, tmp_path):
    file = shot("matte: {channel: mask.V}")
    for number in range(1001, 1004):
        half = np.zeros((24, 40), np.float32)
        half[:, :10] = 1
        plate(tmp_path / "plate" / f"sh.{number}.exr", number, **{"mask.V": half})
    result = tsn("check", file, "--device", "cpu")
    assert result.exit_code == 0
    found = dict(re.split("  +", line, maxsplit=1) for line in result.stdout.splitlines() if "  " in line)
    assert found["colour"] == "Linear Rec.709 (sRGB)"
    assert found["matte"] == "covers 25.0 % of frame 1001"
    assert found["device"] == "cpu"
    assert result.stdout.endswith("No fault found.\n")
    assert not (tmp_path / "styled").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--set", "colour.input=lin_rec710"], 2, "lin_rec710"),
        (["--set", "layer=ViewLayer.Combined"], 3, "ViewLayer.Combined"),
        (["--set", "matte={cryptomatte: CryptoObject, names: [monkey]}"], 3, "CryptoObject"),
        (["--set", "style=nobody"], 2, "nobody"),
        (["--set", "flow={method: raft}"], 3, "tsn fetch"),
        (["--device", "gpu"], 4, "gpu"),
    ],
)
def test_check_finds_what_would_stop_the_render(tsn, shot, words, code, told):
    result = tsn("check", shot(), *words)
    assert told in result.stderr + result.stdout
    assert result.exit_code == code
    assert "No fault" not in result.stdout


def test_check_names_the_damaged_frame(tsn, shot, tmp_path):
    file, path = shot(), tmp_path / "plate" / "sh.1002.exr"
    path.write_bytes(path.read_bytes()[:-40])
    result = tsn("check", file)
    assert result.exit_code == 3 and "sh.1002.exr" in result.stderr


@pytest.fixture
def painted(shot, tmp_path):
    """A shot of three frames, each painted elsewhere at the size of its display window, larger than what it holds."""
    file = shot(style="{frames: painted.####.png}")
    for number in range(1001, 1004):
        path = tmp_path / f"plate/sh.{number}.exr"
        pixels = np.zeros((12, 20), np.float16)
        window = {"displayWindow": ((0, 0), (39, 23)), "dataWindow": ((4, 4), (23, 15))}
        kind = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(kind | window, {name: pixels for name in "RGB"}).write(str(path))
        io.write_png(tmp_path / f"painted.{number}.png", np.full((24, 40, 3), 0.5, np.float32))
    return file


def test_check_looks_at_every_painted_frame(tsn, painted):
    result = tsn("check", painted, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    assert "painted   3 frames of 40x24\n" in result.stdout


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (None, "painted.####.png: 1 of 3 painted frames are missing: 1003\n"),
        ((12, 20), "painted.1003.png: frame 1003 is 20 x 12, the plate is 40 x 24.\n"),
        ((), "painted.1003.png is damaged"),
    ],
)
def test_check_names_a_painted_frame_that_cannot_be_used(tsn, painted, tmp_path, size, told):
    path = tmp_path / "painted.1003.png"
    if size is None:
        path.unlink()
    elif size == ():
        path.write_bytes(path.read_bytes()[:-40])
    else:
        io.write_png(path, np.full((*size, 3), 0.5, np.float32))
    result = tsn("check", painted, "--device", "cpu")
    assert result.exit_code == 3 and told in result.stderr
    assert "No fault" not in result.stdout
    if size is not None and size:
        assert "display window" in result.stderr


def test_check_asks_for_no_paint_that_does_not_show(tsn, painted, tmp_path):
    (tmp_path / "painted.1003.png").unlink()
    unpainted = ("--set", "style.strength={1001: 1, 1002: 0}", "--set", "temporal.window=0")
    assert "painted   1 frame of 40x24\n" in tsn("check", painted, "--device", "cpu", *unpainted).stdout


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
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130
    names = frames_of(tmp_path / "styled")
    assert 3 <= len(names) < 300
    assert all(re.fullmatch(r"sh_styled\.\d{4}\.exr", name) for name in names)  # no temporary ones
    assert all(io.complete(tmp_path / "styled" / name) for name in names)
    assert told.strip() == f"tsn: Cancelled; {len(names)} frames are finished and will be skipped next time."
