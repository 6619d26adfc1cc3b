"""How a command's threads wait, as OpenMP itself prints when it is loaded (OMP_DISPLAY_ENV), and how many there are."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tsn_batch.process.interpreter import python_command


@pytest.fixture(autouse=True)
def openmp_prints_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenMP prints its settings on stderr; the developer set none."""
    monkeypatch.setenv("OMP_DISPLAY_ENV", "verbose")
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)


def spins(text: str) -> set[int]:
    """How often a waiting thread looks again before it sleeps, of every OpenMP that prints it: 0 = it sleeps at once.

    OMP_WAIT_POLICY is printed as PASSIVE also where it is not set, although threads spin then.
    """
    return {int(count) for count in re.findall(r"GOMP_SPINCOUNT = '(\d+)'", text)}


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_threads_of_a_command_sleep_while_they_wait(shot, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*python_command("tsn_batch"), "check", shot(), "--device", "cpu"]
    assert spins(run(*command)) == {0}
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")  # a value of the user wins
    assert min(spins(run(*command))) > 0


def test_those_of_a_farms_task_too(job) -> None:
    run(*python_command("tsn_batch"), "task", job.folder, "survey", "--device", "cpu", "--threads", "1")
    text = job.log("survey").read_text()
    assert spins(text) == {0} and "OMP_NUM_THREADS = '1'" in text


def test_the_library_leaves_its_host_as_it_is(shot) -> None:
    code = (
        f"import os; before = dict(os.environ); import tsn; tsn.render({str(shot())!r}, device='cpu')\n"
        "changed = dict(set(os.environ.items()) ^ set(before.items()))\n"
        "assert set(changed) <= {'LD_LIBRARY_PATH'}, changed"  # OpenCV's own doing
    )
    assert min(spins(run(sys.executable, "-P", "-c", code))) > 0


def test_no_pool_has_more_threads_than_were_asked_for() -> None:
    code = (
        "from tsn_batch.process.threads import limit_threads; limit_threads()\n"
        "import cv2, OpenImageIO, OpenEXR, torch\n"
        "print(cv2.getNumThreads(), torch.get_num_threads(), OpenImageIO.get_int_attribute('threads'),"
        " OpenEXR.global_thread_count())"
    )
    command = [sys.executable, "-P", "-c", code]
    answer = subprocess.check_output(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, text=True)
    assert answer.split() == ["1", "1", "1", "0"]
