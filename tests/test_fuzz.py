"""A few of the thousand damaged files of `benchmarks/fuzz.py`, and that it would notice what goes wrong."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks/fuzz.py"
WELL = {"code": 3, "traceback": False, "output": "", "seconds": 0.1, "bytes": 1 << 20}


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_files_are_told_of() -> None:
    found = subprocess.run(
        [sys.executable, "-P", SCRIPT, "--cases", "30", "--seed", "3"], capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "30 cases, seed 3" in found.stdout and "exit 3" in found.stdout


@pytest.mark.parametrize(
    ("change", "frames", "fault"),
    [
        ({}, 1, None),
        ({"code": 0}, 2, None),
        ({"traceback": True}, 0, "a traceback"),
        ({"code": 1}, 0, "exit code 1"),
        ({"seconds": 11.0}, 0, "11.0 CPU-seconds"),
        ({"bytes": 3 << 30}, 0, "3072 MiB"),
        ({}, 2, "exit code 3, and all frames are there"),
        ({"died": True, "code": -11}, 0, "died with -11"),
        ({"died": True, "code": -9}, 0, "hung"),
    ],
    ids=str,
)
def test_what_counts_as_a_fault(fuzz: ModuleType, change: dict[str, object], frames: int, fault: str | None) -> None:
    assert fuzz.fault_of(WELL | change, frames) == fault


def test_a_process_that_dies_is_told_and_the_next_case_goes_on(fuzz: ModuleType, tmp_path: Path) -> None:
    worker = fuzz.Worker()
    file = fuzz.make("exr", 0, 1, tmp_path / "a", sound=True)
    assert worker.render(file)["code"] == 0
    worker.process.kill()
    worker.process.wait()
    assert fuzz.fault_of(worker.render(file), 0) is not None
    assert worker.render(fuzz.make("exr", 0, 1, tmp_path / "b", sound=True))["code"] == 0
    worker.close()
