"""Workers of one machine: the same bits, whatever happens to them. Real processes, real signals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tsn import io
from tsn_batch.local import worker

TSN = Path(sys.executable).with_name("tsn")


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def workers_of(parent: int) -> list[int]:
    """Process ids of a render's workers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if above == parent and b"tsn_batch.local.worker" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def start(file: Path, *words: str) -> subprocess.Popen[str]:
    command = [TSN, "render", file, "--device", "cpu", "--workers", "2", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until_frame(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if f"({count}/" in line:
            return
    pytest.fail("It ended before.")


def test_nobody_loads_what_it_does_not_need() -> None:
    """The parent of workers no torch, a renderer without RAFT no torchvision: two CPU-seconds each."""
    code = (
        "import sys; import tsn_batch.local.rendering, tsn.rendering.inspect; assert 'torch' not in sys.modules\n"
        "import tsn_batch.local.worker, tsn.rendering.render; assert 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_workers_make_what_one_makes(installed, tsn, shot, tmp_path) -> None:
    file = shot(frames=range(1001, 1008))
    one = tsn("render", file, "--device", "cpu")
    assert one.exit_code == 0, one.stderr
    whole = written(tmp_path / "styled")
    shutil.rmtree(tmp_path / "styled")
    two = installed("render", file, "--device", "cpu", "--workers", "2", "--chunk-size", "2")
    assert (two.returncode, two.stderr) == (0, "")
    assert written(tmp_path / "styled") == whole
    lines = two.stdout.splitlines()
    assert sorted(re.search(r"\((\d)/7\)", line)[1] for line in lines if re.match(r"100\d  ", line)) == list("1234567")
    assert lines[-4].split() == ["worker", "frames", "s", "a", "frame"]
    assert lines[-3].startswith("cpu 1 ") and lines[-2].startswith("cpu 2 ")
    assert lines[-1].startswith("Rendered 7 frames in ")
    ((logs,),) = (tuple(of_shot.iterdir()) for of_shot in (tmp_path / "cache/logs").iterdir())
    assert sorted(path.name for path in logs.iterdir()) == [*(f"chunk-000{i}.log" for i in range(4)), "plan.json"]

    again = installed("render", file, "--workers", "2", "--device", "cpu", "--json")
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert (events[0]["kind"], events[-1]["kind"], events[-1]["done"]) == ("start", "done", 7)
    assert {event["status"] for event in events if event["kind"] == "frame"} == {"skipped"}


def test_two_renders_of_a_shot_at_once_keep_to_their_own_plans(shot, tmp_path) -> None:
    file = shot()
    folders = [tmp_path / "one", tmp_path / "other"]
    processes = [start(file, "--chunk-size", "1", "--set", f"output={folder}/sh.####.exr") for folder in folders]
    for process in processes:
        stdout, stderr = process.communicate(timeout=300)
        assert (process.returncode, stderr) == (0, ""), stdout
    assert [sorted(written(folder)) for folder in folders] == [[f"sh.{n}.exr" for n in (1001, 1002, 1003)]] * 2


def test_a_killed_worker_gives_its_chunk_back(shot, tmp_path) -> None:
    process = start(shot(frames=range(1001, 1061)), "--chunk-size", "10")
    until_frame(process, 3)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (0, "")
    assert "was killed by SIGKILL (perhaps for memory); chunk" in stdout and "goes back to the queue." in stdout
    assert len(list((tmp_path / "styled").iterdir())) == 60, "and what it was writing is swept up"


def test_a_damaged_frame_fails_its_chunk_only(installed, shot, tmp_path) -> None:
    file = shot(frames=range(1001, 1010), temporal="{window: 0}", style=f"{{frames: {tmp_path}/painted.####.png}}")
    for number in range(1001, 1010):
        io.write_png(tmp_path / f"painted.{number}.png", np.full((24, 40, 3), 0.5, np.float32))
    (tmp_path / "painted.1005.png").write_bytes(b"nothing")
    run = installed("render", file, "--device", "cpu", "--workers", "2", "--chunk-size", "3")
    assert run.returncode == 3
    assert run.stderr.startswith("tsn: 1 chunk failed, the others are finished. Chunk 1 (1004-1006): ")
    log = re.search(r"Log: (.*chunk-0001\.log)", run.stderr)
    assert "painted.1005.png" in Path(log[1]).read_text()
    names = {path.name for path in (tmp_path / "styled").iterdir()}
    assert names >= {f"sh_styled.{n}.exr" for n in (1001, 1002, 1003, 1007, 1008, 1009)}


def test_what_every_chunk_would_meet_ends_it_at_once(installed, shot) -> None:
    run = installed("render", shot(), "--device", "gpu,gpu", "--chunk-size", "1")
    assert run.returncode == 4 and "gpu" in run.stderr and "Traceback" not in run.stdout + run.stderr


def test_ctrl_c_ends_all_of_them(shot, tmp_path) -> None:
    process = start(shot(frames=range(1001, 1201)))
    until_frame(process, 3)
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130 and len(workers) == 2
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    names = sorted(path.name for path in (tmp_path / "styled").iterdir())
    assert all(re.fullmatch(r"sh_styled\.\d{4}\.exr", name) for name in names), "no temporary files"
    assert stderr == f"tsn: Cancelled; {len(names)} frames are finished and will be skipped next time.\n"


def test_ctrl_c_while_they_start_is_no_traceback(shot) -> None:
    command = [TSN, "render", shot(), "--device", "cpu", "--workers", "2", "--chunk-size", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not workers_of(process.pid):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all of them
    stdout, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (130, "tsn: Cancelled; no frame is finished yet.\n")
    assert "Traceback" not in stdout


def test_a_cache_that_cannot_be_written_is_told(installed, shot, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TSN_CACHE", str(tmp_path / "file/cache"))
    run = installed("render", shot(), "--device", "cpu", "--workers", "2", "--chunk-size", "1")
    assert run.returncode == 5 and f"Can't write {tmp_path}/file/cache/logs" in run.stderr
    assert "Correct TSN_CACHE." in run.stderr and "output" not in run.stderr


@pytest.mark.parametrize(
    ("log", "code", "text"),
    [("none/chunk.log", 5, "chunk.log: the folder does not exist"), ("chunk.log", 1, "unexpected ValueError: no way")],
)
def test_what_a_worker_meets_is_said_and_logged(tmp_path, monkeypatch, capfd, log: str, code: int, text: str) -> None:
    def broken(job: worker.WorkerSetup) -> None:
        raise ValueError("no way")

    monkeypatch.setattr(worker, "_renderer", broken)
    sent: list[dict] = []
    order = {"chunk": 3, "log": str(tmp_path / log)}
    job = worker.WorkerSetup(plan="", device="cpu", place=0, force=False, exchange_folder="", shared=[], ahead=[])
    with capfd.disabled():  # stdout and stderr as a process has them
        worker.render_chunks(job, iter([json.dumps(order).encode()]), lambda **message: sent.append(message))
    (answer,) = sent
    assert (answer["chunk"], answer["failed"]["code"]) == (3, code) and text in answer["failed"]["message"]
    assert code == 5 or "ValueError: no way" in (tmp_path / log).read_text()


def test_a_worker_that_is_ended_while_it_loads_reports_no_fault(tmp_path, monkeypatch, capfd) -> None:
    def loading(job: worker.WorkerSetup) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    def lines() -> Iterator[bytes]:
        yield json.dumps({"chunk": 3, "log": str(tmp_path / "chunk.log")}).encode()
        threading.Event().wait()  # the parent is still there

    monkeypatch.setattr(worker, "_renderer", loading)
    sent: list[dict] = []
    job = worker.WorkerSetup(plan="", device="cpu", place=0, force=False, exchange_folder="", shared=[], ahead=[])
    try:
        with capfd.disabled(), pytest.raises(KeyboardInterrupt):
            worker.render_chunks(job, lines(), lambda **message: sent.append(message))
    finally:
        signal.alarm(0)
    assert not sent


def test_workers_end_with_their_parent(shot) -> None:
    process = start(shot(frames=range(1001, 1201)))
    until_frame(process, 3)
    workers = workers_of(process.pid)
    process.kill()
    process.communicate()
    limit = time.monotonic() + 30
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < limit
        time.sleep(0.1)
