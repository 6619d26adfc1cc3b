"""What many frames and many farm jobs cost besides painting: seconds for N and for 10 N. Ratios should be near ten.

The plate's frames are tiny, so that only their number matters.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import OpenEXR

from tsn import io
from tsn.io import exr
from tsn.io.disk_cache import DiskCache
from tsn.qc.contact_sheet import contact_sheet
from tsn.rendering import plan as plans
from tsn.rendering import plan_file
from tsn.rendering.inspect import inspect
from tsn.rendering.plan import Pins, Plan
from tsn.shot.load import load
from tsn_batch.cli import dry_run
from tsn_batch.farms import status
from tsn_batch.farms import wait as farm_wait
from tsn_batch.farms.finish import unfinished_chunks, unfinished_frames
from tsn_batch.farms.job import FINISH, FarmJob, StepRecord, prepare_job, save_record

PINS = Pins(device="cpu", painter="p", flow="f", colour="c", cuts=(), calibration=None)
CHUNKS = 10
"""In each job."""
LOOKS = 30
"""How often `submit --wait` asks for the state of its jobs."""
Seconds = dict[str, float]
Timed = Callable[[str], AbstractContextManager[None]]


@click.command()
@click.option("--frames", default=1000, show_default=True, help="N.")
@click.option("--jobs", default=20, show_default=True, help="Jobs beside them.")
@click.option("--json", "as_json", is_flag=True)
def main(frames: int, jobs: int, as_json: bool) -> None:
    """Print seconds for N and 10 N frames and jobs."""
    measure(10, 1)  # so that late imports are not measured
    measured = [measure(frames * factor, jobs * factor) for factor in (1, 10)]
    if as_json:
        click.echo(json.dumps({"frames": frames, "jobs": jobs, "seconds": measured}, indent=1))
        return
    click.echo(f"{'seconds':42}{f'{frames}/{jobs}':>12}{f'{frames * 10}/{jobs * 10}':>12}{'ratio':>8}")
    for what, few in measured[0].items():
        many = measured[1][what]
        click.echo(f"{what:42}{few:12.3f}{many:12.3f}{many / few:8.1f}")


def measure(frames: int, jobs: int) -> Seconds:
    """Seconds of every step for one number of frames and jobs."""
    seconds: Seconds = {}

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[what] = time.perf_counter() - started

    with tempfile.TemporaryDirectory(prefix="tsn-growth-") as temporary:
        home = Path(temporary)
        of_frames(home, frames, timed)
        of_jobs(home / "farm", jobs, timed)
        of_cache(home / "flow", frames, timed)
    return seconds


def of_frames(home: Path, count: int, timed: Timed) -> None:
    """Inspect and plan a plate, find what is finished, and make a contact sheet."""
    file = write_shot(home, count)
    with timed("plan: look at every frame's header"):
        shot = load(file)
        plate = inspect(shot)
    with timed("plan: chunks, saved and loaded again"):
        plan = plans.make_plan(shot, plate)
        plan_file.save(plan, home / "plan.json")
        plan = plan_file.load(home / "plan.json")
    with timed("check, dry run: what the plan tells"):
        dry_run.as_text(plan, "cpu")
        dry_run.as_json(plan, "cpu")
    every_second = replace(shot, missing="hold", temporal=replace(shot.temporal, cuts=tuple(range(1, count, 2))))
    holes = replace(plate, stamps={number: stamp for number, stamp in plate.stamps.items() if number % 3})
    with timed("plan: a cut or a gap at most frames"):
        parted = plans.make_plan(every_second, holes)
        [parted.frame_hash(number, *PINS.fingerprint) for number in parted.output_frames]
    pinned = replace(plan, pins=PINS)
    with timed("staleness: nothing is rendered"):
        assert len(list(unfinished_frames(pinned, pinned.requested))) == count
    write_outputs(pinned)
    with timed("staleness: all is finished"):
        assert not unfinished_chunks(pinned)
    with timed("contact sheet"):
        contact_sheet(shot, frames=plan.output_frames)


def of_jobs(home: Path, count: int, timed: Timed) -> None:
    """What `submit --wait` and `tsn status` do with jobs that are nearly done."""
    file = write_shot(home, CHUNKS)
    shot = load(file)
    plan = plans.make_plan(shot, inspect(shot), chunk_size=1)
    jobs = []
    for number in range(count):
        own = replace(plan, shot=replace(shot, output=shot.output.replace("styled", f"styled{number}")))
        job, _ = prepare_job(own, home / "jobs" / str(number))
        job.save_submission({"farm": "slurm", "survey": None, "arrays": [], "finish": str(number)})
        for step in (*map(str, range(CHUNKS)), FINISH):
            save_record(job.record_file(step), StepRecord(code=0, host="n1", rendered=1, painting=0.5))
        jobs.append(job)
    with timed("status of the jobs"):
        for job in jobs:
            status.as_text(job, {})
    with timed(f"submit --wait, {LOOKS} looks"):
        wait(home, jobs)


def wait(home: Path, jobs: Sequence[FarmJob]) -> None:
    """With a `squeue` that holds every job for some looks, and without the pauses between them."""
    script = home / "bin/squeue"
    script.parent.mkdir()
    held = "\n".join(f"{number}|N/A|RUNNING|n1|None" for number in range(len(jobs)))
    (home / "queue").write_text(held + "\n")
    (home / "looks").write_text("x\n" * LOOKS)
    script.write_text(f"#!/bin/sh\n[ ! -s {home}/looks ] || cat {home}/queue\nsed -i 1d {home}/looks\n")
    script.chmod(0o755)
    before, pause = os.environ["PATH"], farm_wait.POLL_S
    os.environ["PATH"], farm_wait.POLL_S = f"{script.parent}:{before}", 0.0
    try:
        farm_wait.wait_for_jobs(jobs, report=lambda line: None)
    finally:
        os.environ["PATH"], farm_wait.POLL_S = before, pause


def of_cache(folder: Path, count: int, timed: Timed) -> None:
    """Files added to a cache that is full."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:040x}.safetensors"
        path.write_bytes(bytes(100))
        os.utime(path, (0, number))
    cache = DiskCache(folder, "flow", {"TSN_CACHE_SIZE": str(count * 100)})
    with timed("cache at its bound: a tenth more"):
        for number in range(count, count + count // 10):
            if cache.make_room(100):
                (folder / f"{number:040x}.safetensors").write_bytes(bytes(100))


def write_shot(home: Path, count: int) -> Path:
    """A shot of `count` links to one frame of 16 x 16 pixels."""
    (home / "plate").mkdir(parents=True)
    first = home / "plate/sh.00001.exr"
    pixels = np.random.default_rng(1).uniform(0, 1, (3, 16, 16)).astype(np.float16)
    window = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(window, dict(zip("RGB", pixels, strict=True))).write(str(first))
    for number in range(2, count + 1):
        os.link(first, home / f"plate/sh.{number:05}.exr")
    file = home / "sh.yaml"
    file.write_text(
        "version: 1\nplate: plate/sh.#####.exr\noutput: styled/sh.#####.exr\nstyle: great-wave\n"
        "colour: {input: lin_rec709}\nflow: {method: dis}\ntemporal: {cuts: []}\n"
    )
    return file


def write_outputs(plan: Plan) -> None:
    """Every frame as a render would have left it, to its header."""
    plates, outputs = (io.FrameSequence.parse(pattern, base=Path()) for pattern in (plan.shot.plate, plan.shot.output))
    frame = io.read_frame(plates.path(plan.output_frames[0]), plan.output_frames[0])
    Path(plan.shot.output).parent.mkdir()
    for number in plan.output_frames:
        attributes = {"tsn:frameSha256": plan.frame_hash(number, *PINS.fingerprint)}
        exr.write(frame, frame.rgb, outputs.path(number), attributes, {})


if __name__ == "__main__":
    main()
