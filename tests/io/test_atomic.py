"""Whose hidden files are swept, with real processes and, as root, real containers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tsn.io import atomic_write as atomic_file
from tsn.io import processes, remove_leftovers
from tsn.io.atomic import ABANDONED_S, TEMPORARY_NAME
from tsn.io.processes import host_id, start_ticks

NOBODY = 2**22 + 1
"""Higher than any process id."""
WRITER = """
import sys, time
from pathlib import Path
from tsn.io.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(temporary.name, flush=True)
    time.sleep(120)
"""
SWEEPER = (
    "import sys; from pathlib import Path; from tsn.io import remove_leftovers; remove_leftovers(Path(sys.argv[1]))"
)
POD = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--uts")


@pytest.fixture
def writer() -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """writer(path, *before): a process that has half of `path` on disk, and the hidden name of that half."""
    running: list[subprocess.Popen[str]] = []

    def begin(path: Path, *before: str) -> tuple[subprocess.Popen[str], str]:
        command = [*before, sys.executable, "-P", "-c", WRITER, str(path)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        return running[-1], running[-1].stdout.readline().strip()

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def aged(path: Path, seconds: float) -> Path:
    path.touch()
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_a_killed_writers_half_goes_at_once_and_a_living_ones_stays_however_old(tmp_path: Path, writer) -> None:
    killed, gone = writer(tmp_path / "a.1001.exr")
    _, stays = writer(tmp_path / "a.1002.exr")
    aged(tmp_path / stays, 9 * ABANDONED_S)
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([gone, stays])
    os.kill(killed.pid, signal.SIGKILL)
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # ended, and its parent hasn't asked how: a zombie
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == [stays]


@pytest.fixture
def pod() -> tuple[str, ...]:
    """Before a command: it has the host name of this machine, as all containers of a job may, and is process 1."""
    tried = subprocess.run([*POD, "true"], capture_output=True, text=True) if shutil.which("unshare") else None
    if tried is None or tried.returncode:
        pytest.skip(f"can't make a container here: {tried.stderr.strip() if tried else 'no unshare'}")
    return POD


def test_containers_of_one_host_name_leave_each_others_halves_alone(tmp_path: Path, writer, pod) -> None:
    first, second = (writer(tmp_path / "a.1001.exr", *pod)[1] for _ in range(2))
    assert first != second and all("-1-" in name for name in (first, second)), "both are process 1"
    _, outside = writer(tmp_path / "a.1001.exr")
    remove_leftovers(tmp_path)
    for _ in range(2):
        subprocess.run([*pod, sys.executable, "-P", "-c", SWEEPER, str(tmp_path)], check=True)
    assert sorted(os.listdir(tmp_path)) == sorted([first, second, outside])


def test_hosts_whose_long_names_begin_alike_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for name in ("render-deployment-7d9f8b6c5d-x2x7k", "render-deployment-7d9f8b6c5d-q9wzp", "n1.a.com", "n1.b.com"):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        names.add(host_id())
        left = tmp_path / f".tsn-{host_id()}-{NOBODY}-1-0-a.1001.exr"
        left.touch()
        monkeypatch.undo()
        remove_leftovers(tmp_path)
        assert left.exists()
    assert len(names) == 4


def test_a_number_given_to_another_process_is_not_the_writer(tmp_path: Path) -> None:
    own, long = os.getppid(), 2 * ABANDONED_S
    reused = tmp_path / f".tsn-{host_id()}-{own}-{start_ticks(own) - 1}-0-a.exr"
    same = aged(tmp_path / f".tsn-{host_id()}-{own}-{start_ticks(own)}-0-a.exr", long)
    untold, old = (tmp_path / f".tsn-{host_id()}-{own}-0-{n}-a.exr" for n in range(2))
    reused.touch(), untold.touch(), aged(old, long)
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([same, untold])


def test_what_nobody_can_vouch_for_goes_when_it_is_old(tmp_path: Path) -> None:
    names = (".tsn-oldhost-123-140234-a.1.exr", f".tsn-other-0123456789abcdef-{os.getpid()}-5-0-a.exr")
    for name in names:
        aged(tmp_path / name, ABANDONED_S / 2)
    frame, foreign = aged(tmp_path / "a.1001.exr", 9 * ABANDONED_S), aged(tmp_path / ".a.1-1-1.exr", 9 * ABANDONED_S)
    remove_leftovers(tmp_path)
    assert len(os.listdir(tmp_path)) == 4
    for name in names:
        aged(tmp_path / name, 1.1 * ABANDONED_S)
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([frame, foreign])


def test_a_host_whose_clock_is_wrong_takes_nothing_for_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / f".tsn-other-0123456789abcdef-{os.getpid()}-5-0-a.exr"
    left.touch()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 9 * ABANDONED_S)
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == [left.name]


@pytest.mark.parametrize("name", ["x" * 251 + ".exr", "ß" * 120 + ".1001.exr", "a-1-2-b.1001.exr", "a.1001.dpx"])
def test_any_name_that_a_file_can_have_can_be_written(tmp_path: Path, name: str) -> None:
    with atomic_file(tmp_path / name) as temporary:
        assert len(os.fsencode(temporary.name)) < 143, "what encrypted folders leave of 255"
        assert temporary.suffix == Path(name).suffix and TEMPORARY_NAME.fullmatch(temporary.name)
        with atomic_file(tmp_path / name) as other:
            assert other != temporary
            other.touch()
        temporary.write_text("whole")
        remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == [name]


def test_without_proc_as_on_a_mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path / "none")
    with atomic_file(tmp_path / "a.exr") as temporary:
        temporary.write_text("half")
        dead = tmp_path / temporary.name.replace(f"-{os.getpid()}-", f"-{NOBODY}-")
        dead.touch()
        remove_leftovers(tmp_path)
        assert os.listdir(tmp_path) == [temporary.name]
