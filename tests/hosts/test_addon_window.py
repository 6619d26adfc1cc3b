"""The add-on in a Blender with a window, and the command line for farms: Debian's 3.4."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from addon_cases import HERE, SECONDS, TSN, make_zip


def test_a_window_stays_alive_shows_progress_and_escape_cancels(style: Path, tmp_path: Path) -> None:
    """Debian's Blender 3.4 under Xvfb, the zip as a legacy add-on."""
    words = ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", "blender", "--factory-startup"]
    words += ["--enable-event-simulate", "--window-geometry", "0", "0", "1280", "800"]
    words += ["--python", str(HERE / "addon_window.py"), "--", str(make_zip(tmp_path)), str(tmp_path), "escape"]
    done = debian(tmp_path, *words)
    assert done.returncode == 0, done.stdout[-3000:]
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["started"] == ["RUNNING_MODAL"] and seen["running"], json.dumps(seen)
    assert seen["progress"].startswith("Painting ") and " of 16, 0:" in seen["progress"]
    assert seen["ticks_before_painting_ended"] > 16 + 6  # the window was served between the frames, and while tsn ran
    assert seen["message"].startswith("Cancelled; "), seen
    assert not Path(f"/proc/{seen['child']}").exists()
    painted = int(seen["status"].split()[0])
    assert 3 <= painted < 16 and seen["status"].startswith(f"{painted} of 16 frames")
    assert (tmp_path / "progress.png").stat().st_size > 20_000
    assert len(seen["icons"]) > 3 and all(seen["icons"])
    (original, copy) = sorted(seen["copies"], key=lambda name: name != seen["original"])
    assert seen["original"] == original and seen["copies"][copy][1] == "NOTHING"
    assert [users for users, _ in seen["copies"].values()] == [1, 1]


def test_a_farm_runs_the_documented_line(tmp_path: Path) -> None:
    """With Debian's Blender, from its command line; the exit code is what a farm sees."""
    made = debian(
        tmp_path, "blender", "--background", "--factory-startup", "--python-exit-code", "1",
        "--python", str(HERE / "addon_window.py"), "--", str(make_zip(tmp_path)), str(tmp_path), "save",
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-3000:]
    line = "import bpy; bpy.ops.tsn.render_all(); bpy.ops.wm.save_mainfile()"
    words = ["blender", "-b", str(tmp_path / "harbour.blend"), "--python-exit-code", "1", "--python-expr", line]
    failed = debian(tmp_path, *words, TSN_COMMAND="/no/tsn")
    assert failed.returncode == 1 and "can't be started" in failed.stdout
    done = debian(tmp_path, *words)
    assert done.returncode == 0, done.stdout[-3000:]
    assert len(list((tmp_path / "tsn/harbour/styled").glob("*.exr"))) == 3


def debian(folder: Path, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run Debian's Blender with settings of its own in a folder."""
    for program in ("blender", "Xvfb", "xvfb-run"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: run tests/hosts/run.")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TSN_", "PYTHON", "OCIO"))}
    settings = {
        "TSN_COMMAND": str(TSN),
        "TSN_DEVICE": "cpu",
        "TSN_CACHE": str(folder / "cache"),
        "BLENDER_USER_CONFIG": str(folder / "blender/config"),
        "BLENDER_USER_SCRIPTS": str(folder / "blender/scripts"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        words,
        env=kept | settings | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
