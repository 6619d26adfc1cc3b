"""Not one frame lost on a real Slurm with two hosts: cut power, pulled cables, chunks that fail, jobs cancelled."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from farm_work import TSN, bits, held, queue, right, submit, taken, tsn, until, until_empty, words_of

pytestmark = pytest.mark.usefixtures("an_idle_farm")

LAUNCH = "launch failed requeued held"


def refused(farm) -> list[str]:
    """Steps that Slurm holds since their host couldn't launch them, when none is at work that would let them go on."""
    lines = farm.desk("squeue", "-h", "-r", "-o", "%T|%r").stdout.splitlines()
    return (
        [] if any(line.startswith(("RUNNING", "COMPLETING")) for line in lines) else [x for x in lines if LAUNCH in x]
    )


def busy(farm, host: str) -> bool:
    return bool(farm.desk("squeue", "-h", "-w", host, "-t", "RUNNING", "-o", "%i").stdout.split())


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
    output = farm.desk(*TSN, "status", shot).stdout
    assert (
        "6 of 9 frames done" in output
        and "chunk 1 (1004-1006)" in output
        and "failed with 3" in output
        and str(log) in output
    )
    assert "finish" in output and not (job / "records/finish.json").exists(), "dependants are cancelled"
    rest = {f"sh.{n}.exr" for n in (1001, 1002, 1003, 1007, 1008, 1009)}
    assert rest <= bits(shot.parent / "styled").keys()

    lost.with_suffix(".away").rename(lost)
    done = submit(farm, shot, "--chunk-size", "3", "--wait")
    assert done.returncode == 0 and "1 of 3 chunks are in Slurm's queue" in done.stdout, done.stdout + done.stderr
    assert bits(shot.parent / "styled") == whole

    lost.unlink()
    (plate / "sh.1001.exr").touch()  # rendered again, with a frame short
    done = submit(farm, shot, "--chunk-size", "3", "--wait")
    assert done.returncode == 3 and "1004" in done.stderr, "reported before anything is submitted"


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
    result = farm.desk(*TSN, "cancel", shot)
    assert result.returncode == 0 and "steps cancelled" in result.stdout
    until_empty(farm)
    assert not list(styled.glob(".tsn-*")), "nothing half-written"
    kept = bits(styled)
    assert all(whole[name] == content for name, content in kept.items()) and len(kept) < 60
    dates = {name: (styled / name).stat().st_mtime_ns for name in kept}
    done = submit(farm, shot, "--chunk-size", "6", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bits(styled) == whole
    assert {name: (styled / name).stat().st_mtime_ns for name in kept} == dates, "finished frames are left alone"
