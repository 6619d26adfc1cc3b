"""tsn against the Blender it exchanges files with; `tests/hosts/run` brings one.

Every look into Blender is a process of its own with a time limit: bpy has hung and crashed in ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from tsn.io import Frame, read_frame
from tsn.matte import cryptomatte

REPOSITORY = Path(__file__).parents[2]
DEMO = REPOSITORY / "shots/demo"
PLATE = DEMO / "plate/demo.1001.exr"
TSN = Path(sys.executable).with_name("tsn")
MINUTES = 60


def run(command: Sequence[str | Path], *, timeout: float, **environment: str) -> str:
    """Runs a command; its output, or a failed test that shows it."""
    # A developer's settings change what tsn paints, and PYTHONPATH what Blender imports.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TSN_", "PYTHON", "OCIO"))}
    done = subprocess.run(
        command,
        env=kept | environment,
        timeout=timeout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def blender(script: Path, *arguments: str | Path, timeout: float) -> str:
    """Runs a script in the Python that has bpy."""
    if "TSN_BPY" not in os.environ:
        pytest.fail("TSN_BPY names no Python that has bpy: run tests/hosts/run.")
    return run([os.environ["TSN_BPY"], script, *arguments], timeout=timeout)


def as_blender_reads(
    image: Path, folder: Path, *, passes: Sequence[str] = (), mattes: Sequence[str] = ()
) -> Mapping[str, np.ndarray]:
    """Passes ("Depth.V", "Combined.R", ...) and mattes ("matte0.V", ...) of an EXR, read by Blender's compositor."""
    folder.mkdir()
    script = Path(__file__).with_name("blender_read.py")
    log = blender(script, image, folder, "--passes", *passes, "--mattes", *mattes, timeout=5 * MINUTES)
    written = list(folder.glob("*.exr"))
    assert len(written) == 1, log
    return {name: channel.pixels for name, channel in channels(written[0]).items()}


def channels(path: Path) -> Mapping[str, OpenEXR.Channel]:
    return OpenEXR.File(str(path), separate_channels=True).channels()


def test_cryptomatte_decodes_like_blenders_own_node(tmp_path: Path) -> None:
    wanted = ("monkey", "boat", "monkey,cap,jumper", "water")

    theirs = as_blender_reads(PLATE, tmp_path / "blender", mattes=wanted)

    plate = read_frame(PLATE, 1001)
    for number, names in enumerate(wanted):
        ours = cryptomatte(plate.channels, plate.header, layer="CryptoObject", names=names.split(","))
        assert 0.001 < ours.mean() < 0.9, names  # Something to compare: inside, outside,
        assert ((ours > 0.05) & (ours < 0.95)).any(), names  # and an edge.
        np.testing.assert_allclose(ours, theirs[f"matte{number}.V"], rtol=0, atol=1e-6, err_msg=names)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory, tiny_style: Callable[..., Path]) -> Frame:
    """Frame 1002 of the demo, painted by a tiny net with random weights through the installed command."""
    folder = tmp_path_factory.mktemp("painted")
    tiny_style(folder / "tiny.safetensors")
    shot = folder / "demo.yaml"
    shot.write_text(
        f"""\
version: 1
plate: {DEMO}/plate/demo.####.exr
frames: 1001-1003
output: styled/demo.####.exr
colour: {{input: lin_rec709}}
style: {{model: tiny.safetensors, strength: 1.0}}
flow: {{method: vectors, vectors: {{layer: ViewLayer.Vector, convention: blender}}}}
temporal: {{window: 1}}
"""
    )
    run([TSN, "render", shot], timeout=10 * MINUTES, TSN_CACHE=str(folder / "cache"), OMP_NUM_THREADS="1")
    return read_frame(folder / "styled/demo.1002.exr", 1002)


def test_blender_reads_a_painted_frame_to_the_bit(tmp_path: Path, painted: Frame) -> None:
    theirs = as_blender_reads(painted.path, tmp_path / "blender", passes=("Combined", "Depth", "Vector"))

    plate = read_frame(DEMO / "plate/demo.1002.exr", 1002)
    assert np.abs(painted.rgb.astype(np.float32) - plate.rgb).mean() > 0.01  # It has been painted.
    combined = np.stack([theirs[f"Combined.{letter}"] for letter in "RGB"], axis=-1)
    np.testing.assert_array_equal(combined, painted.rgb)
    vector = {f"Vector.{end}": f"Vector.{end}" for end in "XYZW"}
    untouched = {"Combined.A": "Combined.A", "Depth.V": "Depth.Z"} | vector
    for name, original in untouched.items():
        np.testing.assert_array_equal(theirs[name], plate.channels[f"ViewLayer.{original}"], err_msg=name)


def test_blender_decodes_the_cryptomatte_of_a_painted_frame(tmp_path: Path, painted: Frame) -> None:
    on_paint = as_blender_reads(painted.path, tmp_path / "painted", mattes=("monkey",))["matte0.V"]
    on_plate = as_blender_reads(DEMO / "plate/demo.1002.exr", tmp_path / "plate", mattes=("monkey",))["matte0.V"]

    assert on_plate.max() == 1
    np.testing.assert_array_equal(on_paint, on_plate)


def test_the_scripts_render_the_committed_demo_plate(tmp_path: Path) -> None:
    raw, packed = tmp_path / "raw", tmp_path / "packed"

    # About 35 s of one core.
    blender(DEMO / "make_plate.py", "--out", raw, "--frames", "1001", timeout=20 * MINUTES)
    run([sys.executable, DEMO / "pack_plate.py", raw, packed], timeout=MINUTES)

    again, committed = channels(packed / PLATE.name), channels(PLATE)
    assert again.keys() == committed.keys()
    for name, channel in committed.items():
        ours, theirs = channel.pixels.astype(np.float32), again[name].pixels.astype(np.float32)
        assert channel.pixels.dtype == again[name].pixels.dtype, name
        if ".Combined." in name:  # Noise and denoiser round otherwise on another CPU, and sampling adapts to it.
            assert np.abs(ours - theirs).mean() < 0.01, name
        else:  # On the CPU that rendered the plate all of them are equal to the bit.
            assert (ours.view(np.uint32) != theirs.view(np.uint32)).mean() < 0.005, name
