"""Not one frame lost on one machine: real kills, full disks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from farm_work import LONG, TSN, bits, right, tsn, until

pytestmark = pytest.mark.usefixtures("an_idle_farm")  # and with it the farm's surroundings


def workers_of(parent: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False).stdout.split()
    return [int(word) for word in found]


def count(folder: Path) -> int:
    return len(list(folder.glob("sh.*.exr")))


def test_killed_at_random_moments(make_shot) -> None:
    """A worker or the parent, 20 times; then a rerun."""
    shot = make_shot(400, window=0, cuts="[]")
    whole = right(shot)
    styled = shot.parent / "styled"
    styled.mkdir()
    dice = random.Random(0)
    kills = {"worker": 0, "parent": 0}
    seen: list[int] = []
    for round in range(20):
        # Never short of work, however fast the machine: or a render may end before it is killed.
        for path in dice.sample(sorted(styled.glob("sh.*.exr")), max(0, count(styled) - 100)):
            path.unlink()
        process = subprocess.Popen(
            [*TSN, "render", shot, "--device", "cpu", "--workers", "2", "--chunk-size", "7"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # By what was reached, not by the clock: then the speed of the machine doesn't matter.
        target = count(styled) + (dice.randint(1, 12) if round % 5 else 0)
        until(lambda p=process: workers_of(p.pid) or p.poll() is not None, "workers")
        until(lambda p=process, n=target: count(styled) >= n or p.poll() is not None, "frames")
        time.sleep(dice.uniform(0, 0.2))
        who = "parent" if round % 2 else "worker"
        workers = workers_of(process.pid)
        assert process.poll() is None and workers, "it ended before it was killed"
        os.kill(process.pid if who == "parent" else dice.choice(workers), signal.SIGKILL)
        kills[who] += 1
        time.sleep(dice.uniform(0, 0.1))
        process.kill()
        process.wait()
        on_disk = bits(styled)
        assert all(whole[name] == content for name, content in on_disk.items()), "wrong under its final name"
        seen.append(len(on_disk))
    assert seen[-1] > 0 and len(set(seen)) > 3, f"nothing was rendered between the kills: {seen}"
    done = tsn("render", shot, "--device", "cpu", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert bits(styled) == whole
    print(f"{kills}, frames after each: {seen}")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_disks_that_fail(make_shot, workers: str) -> None:
    """A full, read-only or lost disk: a clear message, nothing wrong on disk, and a rerun completes the shot."""
    shot = make_shot(60, window=0, cuts="[]")
    whole = right(shot)
    styled = shot.parent / "styled"
    styled.mkdir()
    render = ["render", shot, "--device", "cpu", "--workers", workers]

    def mount(*words: str) -> None:
        subprocess.run(["mount", *words, "-t", "tmpfs", "tmpfs", styled], check=True)

    try:
        mount("-o", "size=100k")
        full = tsn(*render)
        assert (full.returncode, "the disk is full" in full.stderr) == (5, True), full.stderr
        assert "Traceback" not in full.stderr and not list(styled.glob(".tsn-*"))
        on_disk = bits(styled)
        assert 0 < len(on_disk) < 60 and all(whole[name] == content for name, content in on_disk.items())
        mount("-o", "remount,ro")
        read_only = tsn(*render)
        assert (read_only.returncode, "read-only" in read_only.stderr) == (5, True), read_only.stderr
        mount("-o", "remount,rw,size=10m")
        assert tsn(*render).returncode == 0
        assert bits(styled) == whole
    finally:
        subprocess.run(["umount", styled], check=True)

    process = subprocess.Popen([*TSN, *map(str, render)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(styled.glob("sh.*.exr"))) > 2, "some frames")
    styled.rename(styled.with_name("gone"))  # at once: file by file, the last frames would be written in between
    _, stderr = process.communicate(timeout=LONG)
    assert (process.returncode, "the folder does not exist" in stderr) == (5, True), stderr
    assert tsn(*render).returncode == 0
    assert bits(styled) == whole
