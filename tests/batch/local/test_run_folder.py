"""What renders leave in the cache: a folder each, and not for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tsn.errors import OutputError
from tsn.io.processes import host_id
from tsn_batch.local.run_folder import KEPT_RUNS, make_run_folder

NOBODY = 2**22 + 1
"""Higher than any process id."""


def left(folder: Path, day: int, *, on: str, process: int) -> Path:
    """What a render left behind: a log, and paint on its way."""
    run = folder / f"202601{day:02}-120000-000000-{on}-{process}"
    (run / "handover").mkdir(parents=True)
    (run / "chunk-0000.log").touch()
    return run


def test_each_has_its_own(tmp_path) -> None:
    first, second = make_run_folder(tmp_path / "sh"), make_run_folder(tmp_path / "sh")
    assert first != second and first.is_dir() and second.is_dir()
    assert first.name.endswith(f"-{host_id()}-{os.getpid()}") and sorted((first, second)) == [first, second]


def test_the_last_ended_ones_stay_without_their_paint(tmp_path) -> None:
    ended = [left(tmp_path, day, on=host_id(), process=NOBODY) for day in range(1, KEPT_RUNS + 4)]
    run = make_run_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == [*ended[3:], run]
    assert not any((old / "handover").exists() for old in ended)
    assert all((old / "chunk-0000.log").exists() for old in ended[3:])


def test_what_may_still_run_stays(tmp_path) -> None:
    running = [left(tmp_path, day, on=host_id(), process=os.getppid()) for day in range(1, KEPT_RUNS + 4)]
    elsewhere = [left(tmp_path, day, on=f"not-{host_id()}", process=NOBODY) for day in range(1, KEPT_RUNS + 4)]
    make_run_folder(tmp_path)
    assert all((run / "handover").exists() for run in (*running, *elsewhere))


def test_a_folder_that_cannot_be_made(tmp_path) -> None:
    (tmp_path / "sh").touch()
    with pytest.raises(OutputError, match=f"Can't write {tmp_path}/sh/"):
        make_run_folder(tmp_path / "sh")


def test_those_of_containers_that_are_gone_go_when_they_are_old(tmp_path) -> None:
    """Each has a name of its own, so that nothing else would ever clear the cache that they share."""
    old = [left(tmp_path, day, on="pod-0123456789abcdef", process=1) for day in range(1, KEPT_RUNS + 4)]
    busy = left(tmp_path, 1, on="pod-fedcba9876543210", process=1)
    for path in (file for run in (*old, busy) for file in (*run.iterdir(), run)):
        os.utime(path, (0, 0))
    (busy / "chunk-0001.log").touch()
    run = make_run_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*old[3:], busy, run])
    assert (busy / "handover").exists() and not any((run / "handover").exists() for run in old[3:])
