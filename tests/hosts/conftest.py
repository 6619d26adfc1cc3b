"""One farm for all tests of this folder, a shot that hosts of their own can see, and real Blenders for the add-on."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

# Imported here once, so that the tests find them without the folder staying on the path of all other tests.
HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)
try:
    from addon_cases import PYTHONS
    from farm import Farm
    from farm_work import until_empty
finally:
    sys.path.remove(HERE)


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """A folder that every host sees; /tmp is each one's own."""
    folder = Path(tempfile.mkdtemp(prefix="tsn-hosts-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def farm(shared: Path) -> Iterator[object]:
    """A controller and two hosts with real daemons."""
    for name in [name for name in os.environ if name.startswith(("TSN_", "SLURM_", "SBATCH_"))]:
        if not name.startswith("TSN_BPY"):
            del os.environ[name]
    os.environ |= {"TSN_CACHE": "/tmp/tsn-cache", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    running = Farm(shared / "farm")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def an_idle_farm(farm) -> Iterator[None]:
    """Nothing of a test is left in the queue."""
    yield
    farm.desk("scancel", "-u", "root")
    until_empty(farm)


def write_shot(folder: Path, count: int, *, window: int = 1, cuts: str = "auto") -> Path:
    """A shot of `count` frames, a pan of a pixel a frame over a texture, 40x24; a tiny net paints it."""
    import cv2
    import torch
    from safetensors.torch import save_file

    from tsn.style.nets.johnson import JohnsonNet

    (folder / "plate").mkdir(parents=True)
    coarse = np.random.default_rng(1).uniform(0, 1.5, (8, (40 + count) // 3, 3)).astype(np.float32)
    world = cv2.resize(coarse, (40 + count, 24), interpolation=cv2.INTER_CUBIC)
    for number in range(1001, 1001 + count):
        rgb = np.ascontiguousarray(world[:, number - 1001 :][:, :40].transpose(2, 0, 1)).astype(np.float16)
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, dict(zip("RGB", rgb, strict=True))).write(str(folder / f"plate/sh.{number}.exr"))
    torch.manual_seed(0)
    facts = {"family": "feedforward", "width": "4", "blocks": "1", "name": "tiny", "title": "Tiny", "licence": "CC0"}
    weights = {name: tensor.contiguous() for name, tensor in JohnsonNet(width=4, blocks=1).state_dict().items()}
    save_file(weights, folder / "tiny.safetensors", metadata=facts)
    file = folder / f"{folder.name}.yaml"
    file.write_text(
        "version: 1\nplate: plate/sh.####.exr\noutput: styled/sh.####.exr\nstyle: {model: tiny.safetensors}\n"
        f"flow: {{method: dis}}\ntemporal: {{window: {window}, cuts: {cuts}}}\n"
    )
    return file


@pytest.fixture
def make_shot(shared: Path, request: pytest.FixtureRequest):
    """make_shot(count, **options): a shot under a name of the test's own."""
    name = request.node.name.removeprefix("test_")[:40]
    return lambda count, **options: write_shot(shared / name, count, **options)


@pytest.fixture(scope="session")
def style(tmp_path_factory: pytest.TempPathFactory, tiny_style: Callable[..., Path]) -> Path:
    """A tiny net with random weights."""
    return tiny_style(tmp_path_factory.mktemp("style") / "style.safetensors", name="tiny")


@pytest.fixture(scope="module", params=PYTHONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty(style: Path, tmp_path: Path) -> Path:
    """A folder with nothing but a style."""
    (tmp_path / "shot").mkdir()
    shutil.copy(style, tmp_path / "shot")
    return tmp_path / "shot"
