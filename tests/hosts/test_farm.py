"""Not one frame lost: a real Slurm on two hosts, real kills, cut power, pulled cables, full disks.

`farm` is tests/hosts/farm.py. Times are printed; none is a condition, apart from limits after which something hangs.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

PYTHON = sys.executable
TSN = [PYTHON, "-m", "tsn_batch"]
LONG = 600
LAUNCH = "launch failed requeued held"


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


def refused(farm) -> list[str]:
    """Steps that Slurm holds since their host couldn't launch them, when none is at work that would let them go on."""
    lines = farm.desk("squeue", "-h", "-r", "-o", "%T|%r").stdout.splitlines()
    return (
        [] if any(line.startswith(("RUNNING", "COMPLETING")) for line in lines) else [x for x in lines if LAUNCH in x]
    )


def busy(farm, host: str) -> bool:
    return bool(farm.desk("squeue", "-h", "-w", host, "-t", "RUNNING", "-o", "%i").stdout.split())


def words_of(job: Path) -> str:
    """All logs of a job, to show where a test fails."""
    return "\n".join(f"== {path.name}\n{path.read_text()[-1500:]}" for path in sorted((job / "logs").iterdir()))


@pytest.fixture(autouse=True)
def an_idle_farm(farm) -> Iterator[None]:
    yield
    farm.desk("scancel", "-u", "root")
    until_empty(farm)


@contextmanager
def held(farm) -> Iterator[None]:
    """Jobs wait in the queue until the block ends."""
    farm.desk("scontrol", "update", "nodename=n1,n2", "state=drain", "reason=test")
    try:
        yield
    finally:
        farm.desk("scontrol", "update", "nodename=n1,n2", "state=resume")


@contextmanager
def broken(farm, *hosts: str) -> Iterator[None]:
    """Hosts that can't launch anything until the block ends."""
    for host in hosts:
        farm.can_launch(host, can=False)
    try:
        yield
    finally:
        for host in hosts:
            farm.can_launch(host, can=True)


# --- the same bits, wherever -------------------------------------------------------------------------


def test_the_same_bits_wherever(farm, make_shot) -> None:
    """Whole, two workers, shuffled chunks, Slurm on two hosts (one 37 minutes ahead), Open Job Description."""
    shot = make_shot(9)
    whole = right(shot)
    folder = shot.parent

    done = tsn("render", shot, "--device", "cpu", "--workers", "2", "--chunk-size", "2")
    assert done.returncode == 0, done.stderr
    assert taken(shot) == whole

    tsn("plan", shot, "-o", folder / "plan.json", "--chunk-size", "4")
    for index in random.Random(5).sample(range(3), 3):
        cache = str(folder / f"cache{index}")  # as on a host of its own
        done = tsn("chunk", folder / "plan.json", str(index), "--device", "cpu", TSN_CACHE=cache)
        assert done.returncode == 0, done.stderr
    assert taken(shot) == whole

    # A file server stamps files by its own clock, so only the host's idea of now is wrong.
    clock = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "clock.so", clock, "-ldl"], check=True)
    skewed = folder / "skewed"
    skewed.write_text(
        "#!/bin/sh\n"
        f'[ "$(hostname)" = n2 ] || exec {PYTHON} -m tsn_batch "$@"\n'
        f'LD_PRELOAD={folder}/clock.so exec {PYTHON} -m tsn_batch "$@"\n'
    )
    skewed.chmod(0o755)
    done = submit(farm, shot, "--chunk-size", "2", "--wait", TSN_COMMAND=str(skewed))
    assert done.returncode == 0, done.stdout + done.stderr + words_of(folder / "farm" / shot.stem)
    assert bits(folder / "styled") == whole
    records = [json.loads(p.read_text()) for p in (folder / "farm" / shot.stem / "records").glob("chunk-*.json")]
    assert {record["host"] for record in records} == {"n1", "n2"}
    assert "s a frame" in done.stdout and (folder / "farm" / shot.stem / "summary.txt").exists()
    times = re.findall(r"on (n[12]), (\S+)", words_of(folder / "farm" / shot.stem))
    clocks = {host: max(datetime.fromisoformat(stamp) for at, stamp in times if at == host) for host in ("n1", "n2")}
    assert clocks["n2"] - clocks["n1"] > timedelta(minutes=20)

    again = submit(farm, shot, "--chunk-size", "2")
    assert "all 9 frames are finished, nothing to submit" in again.stdout, again.stdout + again.stderr


def test_open_job_description_runs(make_shot) -> None:
    shot = make_shot(6)
    whole = right(shot)
    words = ["--farm", "openjd", "--chunk-size", "3", "--device", "cpu", "--priority", "70"]
    done = tsn("submit", shot, *words)
    assert done.returncode == 0, done.stderr
    bundle = shot.parent / "farm" / shot.stem
    assert "deadline bundle submit" in done.stdout
    openjd = Path(PYTHON).with_name("openjd")
    checked = subprocess.run([openjd, "check", bundle / "template.yaml"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    command = [openjd, "run", bundle / "template.yaml", "--step", "Finish", "--run-dependencies"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "openjd_progress: 100.0" in ran.stdout
    assert bits(shot.parent / "styled") == whole


# --- hosts that fail ---------------------------------------------------------------------------------


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{what}: all frames right after {time.monotonic() - started:.0f} s", flush=True)


def test_hosts_fail_and_every_frame_is_right(farm, make_shot) -> None:
    """One shot, submitted anew for each misfortune: cut power, a pulled cable, a frozen host that wakes up."""
    shot = make_shot(96)  # a chunk is long enough to be met at work
    whole = right(shot)
    job, styled = shot.parent / "farm" / shot.stem, shot.parent / "styled"

    def anew(*words: str) -> None:
        shutil.rmtree(styled, ignore_errors=True)
        done = submit(farm, shot, "--chunk-size", "32", *words)
        assert done.returncode == 0, done.stdout + done.stderr

    def at_work() -> bool:
        log = job / "logs/chunk-0001.log"
        return busy(farm, "n1") and busy(farm, "n2") and any(styled.glob("sh.*.exr")) and log.exists()

    def all_right() -> None:
        # A host that comes back while its old copy of a chunk is ending refuses the new one, now and then: Slurm takes
        # the host out and holds the chunk. An administrator lets in the one, and submitting again the other.
        until(lambda: not queue(farm) or refused(farm), "an empty queue")
        if refused(farm):
            print("a host refused its chunk")
            farm.resume()
            done = submit(farm, shot, "--chunk-size", "32")
            assert done.returncode == 0 and "may go on" in done.stdout, done.stdout + done.stderr
        until_empty(farm)
        done = tsn("status", job, "--json")
        assert bits(styled) == whole, words_of(job) + done.stdout
        assert json.loads((job / "records/finish.json").read_text())["code"] == 0

    with timed("power cut"):
        anew()
        until(at_work, "both hosts at work")
        farm.power_cut("n1")
        until(lambda: farm.nodes()["n1"].startswith("down"), "the loss noticed")
        farm.boot("n1")
        all_right()

    with timed("cable pulled for 20 s"):
        anew()
        until(at_work, "both hosts at work")
        farm.cable("n1", plugged=False)
        time.sleep(20)
        farm.cable("n1", plugged=True)
        all_right()
    farm.until_idle()

    with timed("host frozen until its work was done elsewhere"):
        anew()
        until(at_work, "both hosts at work")
        farm.freeze("n1")
        until(lambda: farm.nodes()["n1"].startswith("down"), "the loss noticed")
        until_empty(farm)
        assert bits(styled) == whole, words_of(job)
        for path in sorted(styled.glob("sh.*.exr"))[:32]:
            path.unlink()  # whatever it still writes is seen
        farm.thaw("n1")  # split brain: it goes on with what the other host has done
        time.sleep(5)
        assert all(whole[name] == content for name, content in bits(styled).items())
        farm.until_idle()
        done = submit(farm, shot, "--chunk-size", "32", "--wait")
        assert done.returncode == 0, done.stdout + done.stderr + words_of(job)
        assert bits(styled) == whole


# --- chunks that fail --------------------------------------------------------------------------------


def test_chunks_fail_for_a_while_and_for_good(farm, make_shot) -> None:
    shot = make_shot(9, window=0, cuts="[]")
    whole = right(shot)
    job, plate = shot.parent / "farm" / shot.stem, shot.parent / "plate"
    log = job / "logs/chunk-0001.log"
    lost = plate / "sh.1004.exr"  # no frame of the survey: only chunk 1 depends on it
    with held(farm):
        assert submit(farm, shot, "--chunk-size", "3").returncode == 0
        lost.rename(lost.with_suffix(".away"))
    until(lambda: log.exists() and log.read_text().count("\ntsn: ") == 2, "two failures")
    lost.with_suffix(".away").rename(lost)
    until_empty(farm)
    assert bits(shot.parent / "styled") == whole, words_of(job)
    assert json.loads((job / "records/chunk-0001.json").read_text())["attempts"] == 3

    shutil.rmtree(shot.parent / "styled")
    with held(farm):
        assert submit(farm, shot, "--chunk-size", "3").returncode == 0
        lost.rename(lost.with_suffix(".away"))
    until_empty(farm)
    told = farm.desk(*TSN, "status", shot).stdout
    assert (
        "6 of 9 frames done" in told and "chunk 1 (1004-1006)" in told and "failed with 3" in told and str(log) in told
    )
    assert "finish" in told and not (job / "records/finish.json").exists(), "dependants are cancelled"
    rest = {f"sh.{n}.exr" for n in (1001, 1002, 1003, 1007, 1008, 1009)}
    assert rest <= bits(shot.parent / "styled").keys()

    lost.with_suffix(".away").rename(lost)
    done = submit(farm, shot, "--chunk-size", "3", "--wait")
    assert done.returncode == 0 and "1 of 3 chunks are in Slurm's queue" in done.stdout, done.stdout + done.stderr
    assert bits(shot.parent / "styled") == whole

    lost.unlink()
    (plate / "sh.1001.exr").touch()  # rendered again, with a frame short
    done = submit(farm, shot, "--chunk-size", "3", "--wait")
    assert done.returncode == 3 and "1004" in done.stderr, "told before anything is submitted"


def test_hosts_that_cannot_launch(farm, make_shot) -> None:
    """Slurm holds what a host couldn't start. A sibling that ends lets it go on, and so do --wait and a new submit."""
    shot = make_shot(12, window=0, cuts="[]")
    whole = right(shot)
    styled = shot.parent / "styled"
    farm.until_idle()

    def held_steps() -> int:
        return farm.desk("squeue", "-h", "-r", "-o", "%r").stdout.splitlines().count(LAUNCH)

    # Surveyed now, so that all that is submitted below is two chunks, one for each host.
    assert submit(farm, shot, "--chunk-size", "6", "--wait").returncode == 0
    assert taken(shot) == whole

    with broken(farm, "n1"):
        assert submit(farm, shot, "--chunk-size", "6").returncode == 0
        until(held_steps, "a refused chunk")
    until_empty(farm)
    assert bits(styled) == whole

    shutil.rmtree(styled)
    with broken(farm, "n1", "n2"):
        assert submit(farm, shot, "--chunk-size", "6").returncode == 0
        until(lambda: held_steps() == 2, "two refused chunks")
        assert LAUNCH in farm.desk(*TSN, "status", shot).stdout
    farm.resume()
    again = submit(farm, shot, "--chunk-size", "6")
    assert "2 steps that Slurm held after a failed launch may go on" in again.stdout, again.stdout + again.stderr
    until_empty(farm)
    assert bits(styled) == whole

    shutil.rmtree(styled)
    with ThreadPoolExecutor() as pool:
        with broken(farm, "n1", "n2"):
            waiting = pool.submit(submit, farm, shot, "--chunk-size", "6", "--wait")
            until(held_steps, "a refused chunk")
        done = waiting.result()
    assert done.returncode == 0 and "may go on" in done.stdout, done.stdout + done.stderr
    assert bits(styled) == whole

    shutil.rmtree(styled)
    finish = shot.parent / "farm" / shot.stem / "records/finish.json"
    with broken(farm, "n1", "n2"):
        assert submit(farm, shot, "--chunk-size", "6").returncode == 0
        until(lambda: held_steps() == 2, "two refused chunks")
        styled.mkdir(exist_ok=True)
        for name, content in whole.items():  # as old copies do that outlive a cut cable
            (styled / name).write_bytes(content)
    farm.resume()
    again = submit(farm, shot, "--chunk-size", "6", "--wait")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "all 12 frames are finished, 2 steps that Slurm held" in again.stdout, again.stdout + again.stderr
    assert json.loads(finish.read_text())["code"] == 0


def test_cancel_and_resubmit(farm, make_shot) -> None:
    shot = make_shot(60, window=0, cuts="[]")
    whole = right(shot)
    styled = shot.parent / "styled"
    assert submit(farm, shot, "--chunk-size", "6").returncode == 0  # a chunk starts slowly, and is rendered in no time
    until(lambda: len(list(styled.glob("sh.*.exr"))) > 2, "some frames")
    double = submit(farm, shot, "--chunk-size", "6")
    assert double.returncode == 2 and "still in Slurm's queue" in double.stderr
    told = farm.desk(*TSN, "cancel", shot)
    assert told.returncode == 0 and "steps cancelled" in told.stdout
    until_empty(farm)
    assert not list(styled.glob(".tsn-*")), "nothing half-written"
    kept = bits(styled)
    assert all(whole[name] == content for name, content in kept.items()) and len(kept) < 60
    dates = {name: (styled / name).stat().st_mtime_ns for name in kept}
    done = submit(farm, shot, "--chunk-size", "6", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bits(styled) == whole
    assert {name: (styled / name).stat().st_mtime_ns for name in kept} == dates, "finished frames are left alone"


def test_ten_thousand_frames(farm, shared: Path) -> None:
    folder = shared / "long"
    (folder / "plate").mkdir(parents=True)
    source = next((shared / "the_same_bits_wherever" / "plate").iterdir())
    for number in range(1, 10_001):
        os.link(source, folder / f"plate/sh.{number:05}.exr")
    shutil.copy(shared / "the_same_bits_wherever/tiny.safetensors", folder)
    shot = folder / "long.yaml"
    shot.write_text(
        "version: 1\nplate: plate/sh.#####.exr\noutput: styled/sh.#####.exr\nstyle: {model: tiny.safetensors}\n"
    )
    script = (
        "import time; from pathlib import Path; from tsn_batch.asking import load, planned\n"
        f"shot, seconds = load(Path({str(shot)!r}), ()), []\n"
        "for _ in range(3):\n"  # a busy machine slows one more than another
        "    started = time.process_time(); plan = planned(shot, None, 4)\n"
        "    seconds.append(time.process_time() - started)\n"
        "print(len(plan.chunks), min(seconds))"
    )
    count, seconds = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    print(f"10,000 frames planned in {float(seconds):.2f} CPU-seconds")
    assert int(count) == 2500 and float(seconds) < 2
    with held(farm):
        started = time.monotonic()
        done = submit(farm, shot, "--chunk-size", "4")
        print(f"and submitted in {time.monotonic() - started:.1f} s")
        assert done.returncode == 0, done.stderr
        facts = json.loads((folder / "farm/long/job.json").read_text())
        assert [len(array["chunks"]) for array in facts["arrays"]] == [1001, 1001, 498]
        assert len(queue(farm)) == 2502
        assert farm.desk(*TSN, "cancel", shot).stdout.endswith("2502 steps cancelled\n")


# --- this machine ------------------------------------------------------------------------------------


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
        there = bits(styled)
        assert all(whole[name] == content for name, content in there.items()), "wrong under its final name"
        seen.append(len(there))
    assert seen[-1] > 0 and len(set(seen)) > 3, f"nothing was rendered between the kills: {seen}"
    done = tsn("render", shot, "--device", "cpu", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert bits(styled) == whole
    print(f"{kills}, frames after each: {seen}")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_disks_that_fail(make_shot, workers: str) -> None:
    """Full, read-only, gone: told clearly, nothing wrong on disk, and a rerun makes it whole."""
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
        there = bits(styled)
        assert 0 < len(there) < 60 and all(whole[name] == content for name, content in there.items())
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
    _, told = process.communicate(timeout=LONG)
    assert (process.returncode, "the folder does not exist" in told) == (5, True), told
    assert tsn(*render).returncode == 0
    assert bits(styled) == whole
