"""One machine: the fault that is reported when frames are removed while others are rendered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tsn.errors import OutputError
from tsn.rendering.event import Event
from tsn_batch import progress
from tsn_batch.cli.planning import load_shot, make_plan
from tsn_batch.local import rendering


@pytest.mark.parametrize("lost", ["sh_styled.1002.exr", "."])
def test_frames_that_go_away_meanwhile_are_named(shot, monkeypatch, lost) -> None:
    plan = make_plan(load_shot(shot(), ()), None, None)
    folder = Path(plan.shot.output).parent

    @contextmanager
    def removing(*_: object) -> Iterator[progress.ShowEvent]:
        def show(event: Event) -> None:
            if event.kind == "done":
                shutil.rmtree(folder) if lost == "." else (folder / lost).unlink()

        yield show

    monkeypatch.setitem(progress.DISPLAYS, "removing", removing)
    expected = "1 of 3 frames were written and then removed: 1002$" if lost != "." else "3 of 3 .*: 1001-1003$"
    with pytest.raises(OutputError, match=expected):
        rendering.render_plan(plan, device="cpu", display="removing")
