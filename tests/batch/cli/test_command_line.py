"""The command line itself, and what tells of tsn: its options, faults of usage, styles, explain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tsn import __version__
from tsn.flow import raft_weights as flow_weights
from tsn.style import catalogue as style_weights

TSN = Path(sys.executable).with_name("tsn")
HEAVY = ("torch", "numpy", "OpenImageIO", "OpenEXR", "PyOpenColorIO", "cv2", "pydantic", "rich")


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
    def seconds(*command):  # of CPU time, which other programs on the machine change less
        started = os.times()
        subprocess.run(command, check=True, capture_output=True)
        ended = os.times()
        return ended.children_user + ended.children_system - started.children_user - started.children_system

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
    ("words", "expected"),
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
def test_usage_is_refused_with_2(tsn, shot, render_calls, words, expected):
    result = tsn("render", shot(), *words)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""
    assert not render_calls


def test_a_missing_shot_file_is_guessed(tsn, shot):
    result = tsn("explain", shot().with_name("sj.yaml"))
    assert result.exit_code == 2
    assert "Perhaps you meant 'sh.yaml'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_device_of_the_command_line_counts_over_the_environment(tsn, shot, render_calls, monkeypatch):
    file = shot()
    tsn("render", file)
    monkeypatch.setenv("TSN_DEVICE", "cuda:1")
    tsn("render", file)
    tsn("render", file, "--device", "cpu")
    assert [options["device"] for _, options in render_calls] == ["auto", "cuda:1", "cpu"]


@pytest.mark.parametrize("words", [["--log-level", "warning", "render"], ["render", "--log-level", "warning"]])
def test_log_level_before_and_after_the_command(tsn, shot, render_calls, words, monkeypatch):
    monkeypatch.setattr("logging.basicConfig", lambda **kwargs: None)
    assert tsn(*words, shot()).exit_code == 0
    assert render_calls[0][1]["display"] == "silent"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(tsn, shell):
    result = tsn("completion", shell)
    assert result.exit_code == 0
    assert "_TSN_COMPLETE" in result.stdout


# --- what there is -----------------------------------------------------------------------------------


def test_styles(tsn, style, monkeypatch):
    monkeypatch.setattr(style_weights, "BUNDLED_DIR", style.parent)
    net, *presets = json.loads(tsn("styles", "--json").stdout)
    assert net.keys() >= {"name", "family", "licence", "sha256", "title", "size"}
    assert (net["name"], net["size"]) == ("tiny", style.stat().st_size)
    assert "oil" in {preset["name"] for preset in presets}
    assert {preset["family"] for preset in presets} == {"strokes"}
    assert all(preset.keys() == net.keys() for preset in presets)
    lines = tsn("styles").stdout.splitlines()
    assert lines[0].startswith("tiny") and "Tiny  [CC0, feedforward, " in lines[0]
    assert any(line.startswith("oil ") and line.endswith("[MIT, strokes]") for line in lines)


def test_fetch(tsn, style, monkeypatch):
    entry = flow_weights.REGISTRY["raft-small"]
    found = replace(entry, url=style.as_uri(), sha256=flow_weights.weights_sha256(style)[:8])
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
