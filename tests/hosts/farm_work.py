"""What the farm's tests do with a farm and its frames: run tsn, submit, wait, and take what was rendered.

`farm` is tests/hosts/farm.py. Times are printed; none is a condition, apart from limits after which something hangs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PYTHON = sys.executable
TSN = [PYTHON, "-P", "-m", "tsn_batch"]
LONG = 600


def tsn(*words: str | Path, timeout: float = LONG, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*TSN, *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env={**os.environ, **env}, check=False
    )


def bits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def right(shot: Path) -> dict[str, bytes]:
    """What the shot is rendered to whole, in one process that nobody disturbs. Nothing stays on disk."""
    done = tsn("render", shot, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    return taken(shot)


def taken(shot: Path) -> dict[str, bytes]:
    """The frames, taken off the disk. Each render goes to the same place, which is stated in their headers."""
    frames = bits(shot.parent / "styled")
    shutil.rmtree(shot.parent / "styled")
    return frames


def submit(farm, shot: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*TSN, "submit", shot, "--farm", "slurm", "--device", "cpu", *words]
    return farm.desk(*command, timeout=LONG, env=env)


def until(true: Callable[[], object], what: str, timeout: float = LONG) -> None:
    limit = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < limit, f"{what}: not within {timeout:.0f} s"
        time.sleep(0.05)


def queue(farm) -> list[str]:
    return farm.desk("squeue", "-h", "-r", "-o", "%T").stdout.split()


def until_empty(farm) -> None:
    try:
        until(lambda: not queue(farm), "an empty queue")
    except AssertionError as error:
        words = farm.desk("squeue", "-r", "-o", "%i %j %T %r %N").stdout + farm.desk("sinfo", "-N", "-l").stdout
        raise AssertionError(f"{error}\n{words}") from error


def words_of(job: Path) -> str:
    """All logs of a job, to show where a test fails."""
    return "\n".join(f"== {path.name}\n{path.read_text()[-1500:]}" for path in sorted((job / "logs").iterdir()))


@contextmanager
def held(farm) -> Iterator[None]:
    """Jobs wait in the queue until the block ends."""
    farm.desk("scontrol", "update", "nodename=n1,n2", "state=drain", "reason=test")
    try:
        yield
    finally:
        farm.desk("scontrol", "update", "nodename=n1,n2", "state=resume")
