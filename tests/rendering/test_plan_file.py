"""A plan from a host with other paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tsn import io
from tsn.rendering import plan_file
from tsn.rendering.inspect import inspect
from tsn.rendering.pinned_weights import hash_weights, require_weights
from tsn.rendering.plan import make_plan
from tsn.rendering.render import render
from tsn.shot.load import load


def test_a_moved_plan_renders_the_same_frames(
    shot: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a show under another folder: same bits, same headers, and weights are found."""
    file = shot(flow="{method: dis}", temporal="{window: 1}")
    resolved = load(file, environ={})
    made = replace(make_plan(resolved, inspect(resolved)), weights=hash_weights(resolved))
    plan_file.save(made, tmp_path / "plan.json")
    whole = {path.name: path.read_bytes() for path in render(made, device="cpu")}
    away = tmp_path.with_name(tmp_path.name + "_away")
    tmp_path.rename(away)
    monkeypatch.setenv("TSN_PATHMAP", f"{tmp_path}={away}")
    there = plan_file.load(away / "plan.json")
    require_weights(there)
    assert there.shot.plate.startswith(str(away)) and there.canonical_shot == made.shot
    paths = render(there, device="cpu", force=True)
    assert {path.name: path.read_bytes() for path in paths} == whole
    assert all(path.is_relative_to(away) for path in paths) and not (tmp_path / "styled").exists()
    assert io.read_attributes(paths[0])["tsn:shotSha256"] == made.shot.digest
    plan_file.save(there, away / "again.json")
    assert (away / "again.json").read_bytes() == (away / "plan.json").read_bytes(), "a host's own paths stay with it"
