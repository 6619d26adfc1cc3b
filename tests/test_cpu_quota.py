"""The number of CPUs that a process may use, by real affinity and by files like a container's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tsn.cpu_quota import available_cpus, thread_count

MANY = set(range(64))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of 64 CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: MANY, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)


def cpus_in_groups(folder: Path, own: str, **files: str) -> int:
    """available_cpus() of a process in the groups `own`, where control groups contain `files` (`a__b`: text of a/b)."""
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return available_cpus(cgroups=folder, own=folder / "own")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_counts_for_every_pool() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from tsn.cpu_quota import available_cpus, thread_count\n"
        "from tsn_batch.local.worker_slots import worker_slots\n"
        "print(available_cpus(), thread_count(), worker_slots('cpu')[0].threads)"
    )
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    assert subprocess.check_output([sys.executable, "-P", "-c", code], env=free, text=True).split() == ["1"] * 3


@pytest.mark.parametrize(("quota", "count"), [("max 100000", 64), ("200000 100000", 2), ("150000 100000", 2)])
def test_the_quota_of_a_container(tmp_path: Path, large, quota: str, count: int) -> None:
    assert cpus_in_groups(tmp_path, "0::/\n", cpu_max=quota) == count


@pytest.mark.parametrize(("own", "count"), [("0::/a/b\n", 3), ("0::/a\n", 4), ("0::/not/here\n", 8), ("0::/a/c\n", 1)])
def test_the_smallest_quota_around_counts(tmp_path: Path, large, own: str, count: int) -> None:
    """Also where the path is that of the host, which a container doesn't see."""
    (tmp_path / "a/c").mkdir(parents=True)
    (tmp_path / "a/c/cpu.max").write_text("1000 100000")
    files = {"cpu_max": "800000 100000", "a__cpu_max": "400000 100000", "a__b__cpu_max": "300000 100000"}
    assert cpus_in_groups(tmp_path, own, **files) == count


@pytest.mark.parametrize(("quota", "count"), [("-1", 64), ("250000", 3)])
def test_the_older_control_groups(tmp_path: Path, large, quota: str, count: int) -> None:
    files = {"cpu,cpuacct__cpu.cfs_quota_us": quota, "cpu,cpuacct__cpu.cfs_period_us": "100000"}
    assert cpus_in_groups(tmp_path, "4:cpu,cpuacct:/docker/1f\n1:name=systemd:/x:y\n0::/\n", **files) == count


def test_a_system_without_any(tmp_path: Path, large, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_cpus(cgroups=tmp_path, own=tmp_path / "own") == 64
    assert cpus_in_groups(tmp_path, "0::/\n", cpu_max="nonsense") == 64


@pytest.mark.parametrize(("asked", "count"), [("3", 3), ("4,2", 4), ("", None), ("0", None), ("all", None)])
def test_what_the_person_asks_for_is_meant(monkeypatch: pytest.MonkeyPatch, asked: str, count: int | None) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert thread_count() == (count or available_cpus())
