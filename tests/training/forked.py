"""Training commands in processes of their own, forked from one that has imported everything.

The imports cost more than the small trainings. Groups run one after another, the processes of a group at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TRAINING = str(Path(__file__).parents[2] / "training")

DRIVER = """\
import importlib.util, json, os, signal, sys, traceback
spec = importlib.util.spec_from_file_location("helper", {helper!r})
helper = importlib.util.module_from_spec(spec)
spec.loader.exec_module(helper)
import torch
from pathlib import Path
from tsn_training import perceptual, records
import {command}
import torch.utils.tensorboard
torch.set_num_threads(1)
perceptual.load = lambda: (helper.thin_features({channels}), "thin")
{command}.LOG_EVERY = 1
helper.palette.COLOUR_SAMPLES = helper.FEW_COLOURS
{setup}

def started(job):
    if child := os.fork():
        return child
    if job["output"]:
        file = os.open(job["output"], os.O_CREAT | os.O_WRONLY)
        os.dup2(file, 1), os.dup2(file, 2)
    os.environ.update(job["variables"])
    code = 99
    try:
        exec(job["extra"], globals())
        {command}.main(job["arguments"])
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code)

ended = []
for group in json.loads(Path(sys.argv[1]).read_text()):
    children = [started(job) for job in group]
    ended.append([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
print(json.dumps(ended))
sys.exit(ended[-1][-1] if ended[-1][-1] > 0 else 0)
"""

Job = dict[str, Any]
"""Arguments of the command, `extra` code that breaks something on purpose, and environment `variables`."""


class ForkedCommand:
    """One training command, such as `train_style`.

    Args:
        home: a folder for its files.
        command: the module's name.
        helper: file of a conftest with `thin_features`, `FEW_COLOURS` and `palette`.
        channels: of the thin perceptual net.
        setup: more code for the driver.
    """

    def __init__(self, home: Path, command: str, helper: str, *, channels: int, setup: str = "") -> None:
        self.home, self.driver = home, home / "driver.py"
        self.driver.write_text(DRIVER.format(command=command, helper=helper, channels=channels, setup=setup))

    def launch(self, groups: list[list[Job]], *before: str) -> subprocess.CompletedProcess[str]:
        """Run the driver, which prints the exit codes; `before` are arguments of Python before it."""
        (self.home / "jobs.json").write_text(json.dumps(groups))
        command = [sys.executable, *before, str(self.driver), str(self.home / "jobs.json")]
        environment = os.environ | {"PYTHONPATH": TRAINING, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)

    def processes(self, groups: list[list[Job]]) -> list[list[tuple[int, str]]]:
        """Run groups of jobs; (exit code, output) of each."""
        logs = [[self.home / f"{i}-{j}.txt" for j in range(len(group))] for i, group in enumerate(groups)]
        done = self.launch(
            [
                [one | {"output": str(log)} for one, log in zip(*pair, strict=True)]
                for pair in zip(groups, logs, strict=True)
            ]
        )
        assert done.stdout, done.stderr
        codes = json.loads(done.stdout.splitlines()[-1])
        return [
            [(code, log.read_text()) for code, log in zip(*pair, strict=True)] for pair in zip(codes, logs, strict=True)
        ]
