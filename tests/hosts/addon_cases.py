"""Runs the cases of the folder addon in real Blenders (bpy 4.2, 4.5 and 5.0), and reads what they rendered.

Every case is a process of its own with a time limit.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

HERE = Path(__file__).parent
PLUGINS = HERE.parents[1] / "plugins"
ADDON = PLUGINS / "blender/tsn_blender"
TSN = Path(sys.executable).with_name("tsn")
PYTHONS = {"4.2": "TSN_BPY_4_2", "4.5": "TSN_BPY", "5.0": "TSN_BPY_5"}
SECONDS = 480  # of a hang; on a busy machine the window takes 120


def python(version: str) -> str:
    if PYTHONS[version] not in os.environ:
        pytest.fail(f"{PYTHONS[version]} names no Python that has bpy {version}: run tests/hosts/run.")
    return os.environ[PYTHONS[version]]


def run(version: str, case: str, folder: Path, **changes: str) -> str:
    """Run a case in a fresh Blender; what it printed, or a failed test that shows it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TSN_", "PYTHON", "OCIO"))}
    settings = {
        "TSN_COMMAND": str(TSN),
        "TSN_PYTHON": sys.executable,
        "TSN_DEVICE": "cpu",
        "TSN_CACHE": str(folder.parent / "cache"),
        "TSN_ADDONS": str(addons()),
        "TSN_LOCKED": "/sys/tsn",  # nobody may make a folder there, not even root
        "BLENDER_USER_RESOURCES": str(folder / "blender"),
        "OMP_NUM_THREADS": "1",
    }
    command = [python(version), str(HERE / "addon"), case, str(folder)]
    done = subprocess.run(
        command,
        env=kept | settings | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    printed = "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("Fra:", "Saved:", " Time:")))
    if done.returncode:
        pytest.fail(f"{case} in Blender {version}: exit code {done.returncode}\n{printed[-4000:]}", pytrace=False)
    return printed


def make_zip(folder: Path) -> Path:
    """The add-on's zip for all versions, made by the script that the documentation names."""
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([sys.executable, PLUGINS / "make_zips.py", made], check=True, timeout=SECONDS)
        (archive,) = Path(made).glob("tsn_blender-*.zip")
        return Path(shutil.copy(archive, folder))


@functools.cache
def addons() -> Path:
    """A folder that contains the add-on as its zip does; the repository keeps the modules for all plug-ins apart."""
    folder = Path(tempfile.mkdtemp(prefix="tsn-addon-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(make_zip(folder)) as archive:
        archive.extractall(folder)
    return folder


def rgba(path: Path, layer: str = "") -> np.ndarray:
    """Float32 (H, W, 4)."""
    file = OpenEXR.File(str(path), separate_channels=True)
    found = {name: channel.pixels for part in file.parts for name, channel in part.channels.items()}
    return np.stack([found[f"{layer}.{end}" if layer else end].astype(np.float32) for end in "RGBA"], axis=-1)


def styled(folder: Path, frame: int, *, name: str = "sh010") -> np.ndarray:
    return rgba(folder / f"tsn/{name}/styled/{name}.{frame:04d}.exr", "Composite.Combined")


def rendered(folder: Path, name: str, frame: int) -> np.ndarray:
    return rgba(folder / f"{name}.{frame:04d}.exr")
