"""The same bits wherever a shot is rendered: one process, workers, a real Slurm on two hosts, Open Job Description."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from farm_work import LONG, PYTHON, TSN, bits, held, queue, right, submit, taken, tsn, words_of

pytestmark = pytest.mark.usefixtures("an_idle_farm")


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


def test_open_job_description_runs_on_copies(make_shot) -> None:
    """As with Deadline Cloud's job attachments: everything lies below another folder, with other dates."""
    shot = make_shot(6)
    whole = right(shot)
    assert tsn("submit", shot, "--farm", "openjd", "--chunk-size", "3", "--device", "cpu").returncode == 0
    here, session = shot.parent, shot.parent.with_name("session")
    shutil.copytree(here, session, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("styled"))
    for path in (session / "plate").iterdir():
        os.utime(path, (1, 1))
    shutil.rmtree(here)
    (session / "styled").mkdir()  # a session has its output folders made
    rule = {"source_path_format": "POSIX", "source_path": str(here), "destination_path": str(session)}
    rules = json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": [rule]})
    bundle = session / "farm" / shot.stem
    command = [Path(PYTHON).with_name("openjd"), "run", bundle / "template.yaml", "--path-mapping-rules", rules]
    ran = subprocess.run(
        [*command, "--step", "Finish", "--run-dependencies"], capture_output=True, text=True, timeout=LONG, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert bits(session / "styled") == whole
    assert not here.exists()


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
        "import time; from pathlib import Path; from tsn_batch.cli.planning import load_shot, make_plan\n"
        f"shot, seconds = load_shot(Path({str(shot)!r}), ()), []\n"
        "for _ in range(3):\n"  # a busy machine slows one more than another
        "    started = time.process_time(); plan = make_plan(shot, None, 4)\n"
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
