"""Job folders, tasks and several shots; the farms themselves are in tests/hosts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tsn.errors import Cancelled, InputError, TsnError, UsageError
from tsn.rendering import plan_file
from tsn_batch.farms import slurm_queue, status, submit, wait
from tsn_batch.farms.finish import host_table, unfinished_chunks, unfinished_frames
from tsn_batch.farms.job import FarmJob, StepRecord, prepare_job, save_record
from tsn_batch.farms.job_progress import JobProgress

# --- a job, step by step, as farms run it ------------------------------------------------------------


def test_task_by_task(installed, tsn, job, tmp_path) -> None:
    assert unfinished_chunks(job.plan()) == [0, 1, 2], "nobody can tell yet"
    assert installed("task", job.folder, "survey", "--device", "cpu").returncode == 0
    plan = job.plan()
    assert plan.pins is not None and plan.pins.cuts is None, "the shot lists its cuts"
    ran = installed("task", job.folder, "1", "--device", "cpu", "--threads", "1", "--openjd")
    assert ran.returncode == 0, ran.stdout
    assert "openjd_progress: 100.0" in ran.stdout.splitlines()
    record = job.record("1")
    assert record is not None
    assert (record.code, record.rendered, record.skipped, record.attempts) == (0, 3, 0, 1)
    assert record.host == os.uname().nodename and 0 < record.painting < record.seconds
    assert job.log("1").read_text().startswith("--- chunk 1, attempt 1 on ")
    assert unfinished_chunks(plan) == [0, 2] and list(unfinished_frames(plan, plan.requested)) == [
        1001,
        1002,
        1003,
        1007,
    ]
    host, chunks, rendered, *_ = host_table(plan, job.records()).splitlines()[1].split()
    assert (host, chunks, rendered) == (record.host, "1", "3")

    failed = tsn("finish", job.folder)
    assert failed.exit_code == 3
    assert "4 of 7 frames are not finished: 1001-1003,1007" in failed.stderr
    assert tsn("render", tmp_path / "sh.yaml", "--device", "cpu").exit_code == 0  # it makes the same frames
    assert installed("finish", job.folder).stdout.splitlines()[-1] == f"Look at {tmp_path}/sh_styled_contact.png"
    assert (job.folder / "summary.txt").exists()

    again, plan = prepare_job(plan_file.load(tmp_path / "plan.json"), job.folder)
    assert plan.pins is not None, "an equal plan keeps its pins"
    assert unfinished_chunks(again.plan()) == []


def test_a_gap_that_is_skipped_is_no_frame(tsn, shot, tmp_path) -> None:
    """Neither counted, nor left with what was rendered before the plate lost it."""
    file, older = shot("missing: skip", frames=range(1001, 1005)), tmp_path / "styled/sh_styled.1002.exr"
    assert tsn("render", file, "--device", "cpu").exit_code == 0
    (tmp_path / "plate/sh.1002.exr").unlink()
    sent = tsn("submit", file, "--farm", "openjd", "--device", "cpu", "--chunk-size", "2")
    assert sent.exit_code == 0, sent.stderr
    job = FarmJob(tmp_path / "farm/sh")
    assert tsn("survey", job.plan_file, "--device", "cpu").exit_code == 0
    chunk = tsn("chunk", job.plan_file, 1, "--device", "cpu", "--record", job.record_file("1"))
    assert chunk.exit_code == 0
    failed = tsn("finish", job.folder)
    assert failed.exit_code == 3 and "1001-1002 (the plate has no 1002 any more)" in failed.stderr
    assert older.exists() and tsn("task", job.folder, "0", "--device", "cpu").exit_code == 0
    assert not older.exists()
    assert "Rendered 1 frame in " in job.log("0").read_text() and "; 1 without a plate: " in job.log("0").read_text()
    output = tsn("finish", job.folder).stdout
    assert f"All 3 frames are finished; 1 without a plate: {tmp_path}/styled/sh_styled.####.exr\n" in output
    assert "sh: 2 of 2 chunks, 3 of 3 frames done; 1 without a plate\n" in tsn("status", job.folder).stdout
    again = tsn("submit", file, "--farm", "openjd", "--device", "cpu", "--chunk-size", 2)
    assert again.stdout == "sh: all 3 frames are finished, nothing to submit; 1 without a plate.\n"
    dry = json.loads(tsn("render", file, "--dry-run", "--json").stdout)
    assert list(dry["outputs"]) == ["1001", "1003", "1004"]


@pytest.fixture
def done(tsn, job, tmp_path) -> FarmJob:
    """The job with all of its frames, which `tsn render` makes alike."""
    assert tsn("survey", job.plan_file, "--device", "cpu,cpu").exit_code == 0  # as a host's TSN_DEVICE may be
    assert tsn("render", tmp_path / "sh.yaml", "--device", "cpu").exit_code == 0
    return job


def test_a_chunk_that_was_cancelled_when_its_frames_were_there_is_done(tsn, done, tmp_path) -> None:
    """Else its old fault would end the job that does the rest."""
    save_record(done.record_file("0"), StepRecord(code=130, host="n1", rendered=2, message="exit code 130"))
    save_record(done.record_file("1"), StepRecord(code=130, host="n1", message="exit code 130"))
    lost = done.plan().chunks[1].frames[0]
    (tmp_path / f"styled/sh_styled.{lost}.exr").unlink()
    again = tsn("submit", tmp_path / "sh.yaml", "--farm", "openjd", "--device", "cpu", "--chunk-size", 3)
    assert again.exit_code == 0, again.output
    assert done.record("0") == StepRecord(code=0, host="n1", rendered=2)
    assert done.record("1") is None, "to be done"


def test_a_byte_that_was_flipped_is_found_at_the_end(tsn, done, tmp_path) -> None:
    """By the one check that decodes every frame; headers and sizes are right."""
    path = tmp_path / "styled/sh_styled.1003.exr"
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(data)
    assert unfinished_chunks(done.plan()) == []
    result = tsn("finish", done.folder)
    assert result.exit_code == 3 and "1 of 7 frames are damaged: 1003\n  Remove them" in result.stderr
    path.unlink()
    assert unfinished_chunks(done.plan()) == [0]


def test_a_sheet_that_cannot_be_made_fails_no_job(tsn, done, tmp_path) -> None:
    (tmp_path / "sh_styled_contact.png").mkdir()
    result = tsn("finish", done.folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "All 7 frames are finished: " in result.stdout
    assert f"There is no contact sheet: Can't write {tmp_path}/sh_styled_contact.png: a folder has" in result.stdout
    assert tsn("qc", tmp_path / "sh.yaml").exit_code == 5, "the command qc itself fails"


def test_a_task_tries_three_times_and_says_where_to_look(job, monkeypatch, capfd) -> None:
    from tsn_batch.farms import task

    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    (job.folder.parents[1] / "plate/sh.1005.exr").unlink()
    with pytest.raises(InputError, match=r"chunk 1 failed 3 times: .*1005") as caught:
        task.run_step(job, "1", device="cpu")
    assert caught.value.hint == f"Log: {job.log('1')}"
    assert pauses == [2.0, 8.0]
    assert job.log("1").read_text().count("--- chunk 1, attempt ") == 3
    record = job.record("1")
    assert record is not None and (record.code, record.attempts) == (3, 3) and "1005" in record.message
    assert "Attempt 2 of chunk 1 ended with exit code 3." in capfd.readouterr().out


def test_what_an_earlier_attempt_died_of_is_not_told_of_the_last(job, monkeypatch) -> None:
    from tsn_batch.farms import task

    fault = "print('tsn: frame 1005 is damaged', flush=True); raise SystemExit(3)"
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    children = iter([fault, kill, kill])
    popen = subprocess.Popen
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(subprocess, "Popen", lambda _, **kw: popen([sys.executable, "-c", next(children)], **kw))
    with pytest.raises(TsnError, match="chunk 1 failed 3 times: SIGKILL"):
        task.run_step(job, "1", device="cpu")


@pytest.mark.parametrize("openjd", [False, True])
def test_a_task_that_was_told_to_end_is_not_tried_again(job, tmp_path, monkeypatch, openjd: bool) -> None:
    """However its child took it."""
    from tsn_batch.farms import task

    child = tmp_path / "child"
    child.write_text("#!/bin/sh\ntrap 'exit 1' TERM\necho at work\nfor i in 1 2 3 4 5 6; do sleep 1; done\n")
    child.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(child))

    def tell() -> None:
        while not (job.log("1").exists() and "at work" in job.log("1").read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=tell).start()
    with pytest.raises(Cancelled):
        task.run_step(job, "1", device="cpu", openjd=openjd)
    record = job.record("1")
    assert record is not None and (record.code, record.attempts) == (130, 1)
    assert job.log("1").read_text().count("attempt") == 1


@pytest.mark.parametrize(("chunk", "tries", "why"), [("9", 1, "The plan has no chunk 9"), ("1", 3, "1005")])
def test_open_job_description_is_told_why_once(job, monkeypatch, capfd, chunk: str, tries: int, why: str) -> None:
    """At the end, since the next try may go well, and also where the child fails before it could say so."""
    from tsn_batch.farms import task

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    (job.folder.parents[1] / "plate/sh.1005.exr").unlink()
    with pytest.raises(TsnError):
        task.run_step(job, chunk, device="cpu", openjd=True)
    (line,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("openjd_fail")]
    assert line.startswith(f"openjd_fail: chunk {chunk}: ") and why in line
    assert job.log(chunk).read_text().count("attempt") == tries


def test_a_chunk_that_isnt_there_is_not_tried_again(installed, job) -> None:
    run = installed("task", job.folder, "9", "--device", "cpu")
    assert run.returncode == 2 and job.log("9").read_text().count("attempt") == 1


@pytest.mark.parametrize("step", ["sweep", "-1", "1.5"])
def test_no_such_step(tsn, job, step) -> None:
    assert tsn("task", job.folder, "--", step).exit_code == 2


def test_a_host_with_other_weights_is_refused(installed, job, style, tmp_path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(style)
    plan = job.plan()
    changed = tmp_path / "tiny.safetensors"
    facts = {"family": "feedforward", "width": "4", "blocks": "1", "name": "tiny"}
    save_file({name: torch.zeros_like(tensor) for name, tensor in tensors.items()}, changed, metadata=facts)
    data = plan_file.to_dict(plan)
    data["shot"]["style"]["model"] = str(changed)
    data["weights"] = {str(changed): next(iter(plan.weights.values()))}
    job.plan_file.write_text(json.dumps(data))
    for words in (["survey", job.plan_file], ["chunk", job.plan_file, "0"]):
        run = installed(*words, "--device", "cpu")
        assert run.returncode == 3 and "has other weights than the plan" in run.stderr, run.stderr


# --- several shots, and what became of them ----------------------------------------------------------


def test_several_shots_in_one_command(tsn, shot, tmp_path) -> None:
    file = shot()
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text().replace("sh_styled", "other"))
    done = tsn("submit", file, other, "--farm", "openjd", "--out", tmp_path / "jobs", "--device", "cpu")
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {"sh", "other"}
    result = tsn("status", tmp_path / "jobs/sh", tmp_path / "jobs/other")
    assert result.stdout.splitlines() == [
        "sh: 0 of 1 chunks, 0 of 3 frames done",
        "other: 0 of 1 chunks, 0 of 3 frames done",
    ]
    assert tsn("cancel", tmp_path / "jobs/sh").exit_code == 2

    third = tmp_path / "third.yaml"
    third.write_text(file.read_text())  # writes what sh.yaml writes
    refused = tsn("submit", other, third, file, "--farm", "openjd", "--out", tmp_path / "more")
    assert refused.exit_code == 2 and "Two of the shots write" in refused.stderr
    broken = tsn("submit", other, tmp_path / "none.yaml", "--farm", "openjd", "--out", tmp_path / "more")
    assert broken.exit_code == 2 and not (tmp_path / "more").exists(), "all or nothing"


def test_frames_that_are_painted_again_are_submitted_again(tsn, shot, tmp_path) -> None:
    from tsn.io import write_png

    for number in (1001, 1002, 1003):
        write_png(tmp_path / f"painted.{number}.png", np.full((24, 40, 3), 0.5, np.float32))
    file, job = shot(style="{frames: painted.####.png}"), FarmJob(tmp_path / "farm/sh")
    send = ("submit", file, "--farm", "openjd", "--device", "cpu")
    assert tsn(*send).exit_code == 0
    assert tsn("survey", job.plan_file, "--device", "cpu").exit_code == 0
    assert tsn("chunk", job.plan_file, 0, "--device", "cpu").exit_code == 0
    assert tsn(*send).stdout == "sh: all 3 frames are finished, nothing to submit.\n"

    write_png(tmp_path / "painted.1002.png", np.full((24, 40, 3), 0.25, np.float32))
    refused = tsn("chunk", job.plan_file, 0, "--device", "cpu")
    assert refused.exit_code == 3 and "painted frames that changed after the plan was made: 1002" in refused.stderr
    assert "A bundle with 1 of 1 chunks" in tsn(*send).stdout
    assert job.plan().pins is None, "what was pinned belongs to the old paint"


def test_a_frame_painted_again_leaves_what_is_beyond_its_window(tsn, shot, tmp_path) -> None:
    from tsn.io import write_png

    for number in (1001, 1002, 1003):
        write_png(tmp_path / f"painted.{number}.png", np.full((24, 40, 3), 0.5, np.float32))
    file = shot(style="{frames: painted.####.png}", temporal="{window: 1}")
    assert tsn("render", file, "--device", "cpu").exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}
    write_png(tmp_path / "painted.1003.png", np.full((24, 40, 3), 0.25, np.float32))
    assert tsn("render", file, "--device", "cpu").exit_code == 0
    after = {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}
    assert sorted(name for name in before if after[name] != before[name]) == [
        "sh_styled.1002.exr",
        "sh_styled.1003.exr",
    ]


def test_status_names_what_failed(tsn, job) -> None:
    job.save_submission({"farm": "slurm", "survey": "1", "arrays": [{"id": "2", "offset": 0}], "finish": "3"})
    save_record(job.record_file("0"), StepRecord(code=0, host="n1", rendered=3, painting=1.5))
    save_record(job.record_file("1"), StepRecord(code=3, host="n2", attempts=3, message="sh.1005.exr is gone"))
    job.log("1").write_text("")
    states = {"2": slurm_queue.QueueState(id="7_2", state="RUNNING", host="n1", reason="None")}
    text = status.as_text(job, states)
    assert text.splitlines()[0] == "sh: 1 of 3 chunks, 3 of 7 frames done"
    assert re.search(rf"chunk 1 \(1004-1006\) +failed with 3: sh.1005.exr is gone +n2 +{job.log('1')}", text)
    assert re.search(r"chunk 2 \(1007\) +running +n1", text)
    assert re.search(r"^n1 +1 +3 +0 +0.50$", text, flags=re.MULTILINE)
    with pytest.raises(InputError, match=r"sh, chunk 1 \(1004-1006\): sh.1005.exr is gone"):
        wait.require_done(JobProgress.read(job))


def test_no_job(tsn, shot) -> None:
    result = tsn("status", shot())
    assert result.exit_code == 3 and "tsn submit" in result.stderr


def test_slurm_that_isnt_here(tsn, shot, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = tsn("submit", shot(), "--farm", "slurm")
    assert result.exit_code == 2 and "no `sbatch`" in result.stderr


@pytest.mark.parametrize("words", [["--farm", "openjd", "--wait"], ["--farm", "slurm", "--device", "cuda:0,cuda:1"]])
def test_submissions_that_cant_be(tsn, shot, words) -> None:
    assert tsn("submit", shot(), *words).exit_code == 2


def test_command_of_the_hosts(monkeypatch) -> None:
    assert submit.tsn_command() == [sys.executable, "-P", "-m", "tsn_batch"]
    monkeypatch.setenv("TSN_COMMAND", "'/opt/tsn env/bin/tsn' --debug")
    assert submit.tsn_command() == ["/opt/tsn env/bin/tsn", "--debug"]


def test_options_are_usage(tsn, shot) -> None:
    with pytest.raises(UsageError):
        submit.plans_by_folder([Path("a/sh.yaml"), Path("b/sh.yaml")], Path("jobs"), lambda shot: None)  # type: ignore[arg-type,return-value]


def test_a_show_among_the_shots_is_left_out() -> None:
    shots = [Path("a/_show.yaml"), Path("a/_sequence.yaml"), Path("a/sh.yaml")]
    assert list(submit.plans_by_folder(shots, Path("jobs"), lambda shot: shot).values()) == [Path("a/sh.yaml")]  # type: ignore[arg-type,return-value]
    with pytest.raises(InputError):
        submit.plans_by_folder(shots[:2], Path("jobs"), lambda shot: shot)  # type: ignore[arg-type,return-value]


# --- growth ------------------------------------------------------------------------------------------


@pytest.fixture
def squeue(tmp_path, monkeypatch) -> Path:
    """The input of a fake `squeue`: each call prints the first line of this file and removes it."""
    queue_file, script = tmp_path / "queue", tmp_path / "bin/squeue"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\nsed -n '1s/;/\\n/gp' {queue_file}\nsed -i 1d {queue_file}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(wait, "POLL_S", 0.0)
    return queue_file


def submitted(job: FarmJob, count: int) -> list[FarmJob]:
    """Copies of a job as they lie in Slurm's queue: array 1000 + its number, finish 2000 + its number."""
    made = []
    for number in range(count):
        copy, _ = prepare_job(job.plan(), job.folder.parent / f"copy{number}")
        arrays = [{"id": f"{1000 + number}", "offset": 0, "chunks": [0, 1, 2]}]
        copy.save_submission({"farm": "slurm", "survey": None, "arrays": arrays, "finish": f"{2000 + number}"})
        made.append(copy)
    return made


def test_waiting_reads_what_is_done_once(job, squeue, counting) -> None:
    """However often it looks: a record, the plan and what the farm calls a job; and Slurm is asked once a look."""
    jobs, looks = submitted(job, 4), 12
    for one in jobs:
        for step in ("0", "1", "2", "finish"):
            save_record(one.record_file(step), StepRecord(code=0, host="n1", rendered=3))
    squeue.write_text(f"{';'.join(f'{2000 + number}|N/A|RUNNING|n1|None' for number in range(4))}\n" * looks)
    lines: list[str] = []
    with counting("open") as opened, counting("subprocess.Popen") as started:
        wait.wait_for_jobs(jobs, report=lines.append)
    of_jobs = [path for path in opened if f"{job.folder.parent}/copy" in path]
    assert len(of_jobs) == len(set(of_jobs)) == 4 * 6
    assert started == ["squeue"] * (looks + 1)
    assert lines[:4] == ["sh: 3 of 3 chunks, 7 of 7 frames done"] * 4


def test_waiting_sees_what_changes(job, squeue) -> None:
    """A chunk that failed and then went well, one that went well, and one whose record came with the job's end."""
    (one,) = submitted(job, 1)
    save_record(one.record_file("0"), StepRecord(code=3, host="n1", message="hiccup"))
    queue = "2000|N/A|PENDING||Dependency;1000|2|RUNNING|n1|None\n"
    squeue.write_text(queue * 4)
    coming = iter([("0", 0), ("1", 0), ("2", 0), ("finish", 0)])
    lines: list[str] = []

    def record_line(line: str) -> None:
        lines.append(line)
        for step, code in coming:
            save_record(one.record_file(step), StepRecord(code=code, host="n1"))
            break

    wait.wait_for_jobs([one], report=record_line)
    assert [line.split(",")[0] for line in lines[:4]] == [f"sh: {done} of 3 chunks" for done in range(4)]
    assert lines[-1].startswith("sh: 3 of 3 chunks, 7 of 7 frames done\nhost ")


def test_a_job_that_left_the_queue_is_not_looked_at_again(job, squeue, counting) -> None:
    first, second = submitted(job, 2)
    for one in (first, second):
        save_record(one.record_file("finish"), StepRecord(code=0, host="n1"))
    both = "2000|N/A|RUNNING|n1|None;2001|N/A|RUNNING|n1|None\n"
    squeue.write_text(both + "2001|N/A|RUNNING|n1|None\n" * 10)
    with counting("os.listdir") as listed:
        wait.wait_for_jobs([first, second], report=lambda line: None)
    assert listed.count(str(first.folder / "records")) == 3, "in the queue, out of it, and at the end"


def test_status_of_many_jobs_reads_each_file_once_and_asks_slurm_once(tsn, job, squeue, counting) -> None:
    jobs = submitted(job, 3)
    for one in jobs:
        save_record(one.record_file("0"), StepRecord(code=0, host="n1", rendered=3))
        save_record(one.record_file("1"), StepRecord(code=3, host="n1", message="hiccup"))
    squeue.write_text("1001|2|RUNNING|n7|None;1002|2|PENDING||Priority\n")
    with counting("open") as opened, counting("subprocess.Popen") as started:
        output = tsn("status", *(one.folder for one in jobs)).stdout
    assert started == ["squeue"]
    assert re.search(r"chunk 2 \(1007\) +running +n7", output) and "pending (Priority)" in output
    records = [path for path in opened if "/records/" in path]
    assert len(records) == len(set(records)) == 6


def test_each_frame_is_opened_once_to_tell_what_is_left(tsn, done, counting) -> None:
    """Whatever kinds of device may have rendered it, and whether it is there or not."""
    plan = done.plan()
    outputs = Path(plan.shot.output).parent
    for state, left in (("finished", []), ("missing", [0])):
        with counting("open") as opened:
            assert unfinished_chunks(plan) == left
        looked = [path for path in opened if path.startswith(str(outputs))]
        assert len(looked) == len(set(looked)) == 7, state
        (outputs / "sh_styled.1003.exr").unlink(missing_ok=True)
