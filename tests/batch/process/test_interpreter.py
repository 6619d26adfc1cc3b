"""What lies in the job folder, or wherever a command is started, is never imported."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tsn_batch.farms import openjd, slurm, submit
from tsn_batch.farms.job import SURVEY, FarmJob
from tsn_batch.farms.options import FarmOptions
from tsn_batch.process.interpreter import python_command

POISON = "raise SystemExit('the job folder was imported')\n"
OPTIONS = FarmOptions(device="cpu", threads=1, priority=None, command=python_command("tsn_batch"))


@pytest.fixture
def poisoned(job: FarmJob) -> FarmJob:
    """Its folder holds modules named as those that every command needs, and packages named as tsn's own."""
    for name in ("json", "random", "numpy", "torch", "click", "socket"):
        (job.folder / f"{name}.py").write_text(POISON)
    for name in ("tsn", "tsn_batch"):
        (job.folder / name).mkdir()
        (job.folder / name / "__init__.py").write_text(POISON)
    return job


@pytest.fixture
def run_in_job(monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """run_in_job(job, command, **environment): runs a command in the job folder."""

    def run(job: FarmJob, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=job.folder, env=os.environ | environment, capture_output=True, text=True)

    return run


def test_the_poison_is_one(poisoned: FarmJob, run_in_job) -> None:
    assert "was imported" in run_in_job(poisoned, [sys.executable, "-m", "tsn_batch", "--version"]).stderr


def test_every_step_as_the_bundle_calls_it(poisoned: FarmJob, run_in_job) -> None:
    """The task, its child, and where a chunk has several, their workers."""
    openjd.submit(poisoned, poisoned.plan(), [0], OPTIONS)
    steps = yaml.safe_load((poisoned.folder / "template.yaml").read_text())["steps"]
    rules = poisoned.folder / "rules.json"
    rules.write_text("{}")  # what a session without path mapping is handed
    words = {"{{Param.JobFolder}}": str(poisoned.folder), "{{Param.Device}}": "cpu", "{{Task.Param.Chunk}}": "0"}
    words["{{Session.PathMappingRulesFile}}"] = str(rules)
    for step in steps[:2]:
        run = step["script"]["actions"]["onRun"]
        done = run_in_job(poisoned, [run["command"], *(words.get(word, word) for word in run["args"])])
        assert done.returncode == 0, done.stdout + done.stderr
    assert poisoned.record("0").rendered == 3


def test_what_slurm_runs(poisoned: FarmJob, run_in_job) -> None:
    script = slurm.script(poisoned, OPTIONS)
    assert " -P -m tsn_batch task " in script
    done = run_in_job(poisoned, ["sh", "-c", script, "task.sh", SURVEY])
    assert done.returncode == 0 and poisoned.record(SURVEY).code == 0, done.stdout + done.stderr


def test_workers(poisoned: FarmJob, run_in_job) -> None:
    shot = poisoned.folder.parents[1] / "sh.yaml"
    words = ["render", str(shot), "--device", "cpu", "--workers", "2", "--force"]
    done = run_in_job(poisoned, [*submit.tsn_command(), *words])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("entries", [":{}", "{}:"])
def test_an_empty_entry_of_pythonpath_is_not_the_job_folder(
    tmp_path: Path, run_in_job, poisoned: FarmJob, entries: str
) -> None:
    """`PYTHONPATH=$PYTHONPATH:/tools` leaves one where there was none before."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/studio.py").write_text("")
    for name in ("tsn_batch", "tsn"):  # found before anybody could look
        (poisoned.folder / name / "__init__.py").unlink()
        (poisoned.folder / name).rmdir()
    path = entries.format(tmp_path / "tools")
    done = run_in_job(
        poisoned, [*submit.tsn_command(), "task", str(poisoned.folder), SURVEY, "--device", "cpu"], PYTHONPATH=path
    )
    assert done.returncode == 0, shlex.quote(done.stdout + done.stderr)
