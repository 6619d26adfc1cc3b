"""`tsn cache` on what renders left there, and renders under a bound."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def cached(tsn, shot, tmp_path) -> Path:
    """The cache of a shot that was rendered: two pairs of motion and a survey."""
    assert tsn("render", shot(), "--device", "cpu").exit_code == 0
    return tmp_path / "cache"


def kinds(tsn: Callable[..., object]) -> dict[str, dict[str, object]]:
    return json.loads(tsn("cache", "--json").stdout)["kinds"]


def test_it_shows_what_is_kept(tsn, cached, monkeypatch) -> None:
    monkeypatch.setenv("TSN_CACHE_SIZE", "5G")
    flow, survey = ([path.stat() for path in (cached / kind).iterdir()] for kind in ("flow", "survey"))
    os.utime(next((cached / "flow").iterdir()), (0, 86400))
    result = json.loads(tsn("cache", "--json").stdout)
    assert (result["folder"], result["bound"], result["entries"]) == (str(cached), 5 * 2**30, 3)
    assert result["size"] == sum(status.st_size for status in (*flow, *survey))
    assert result["kinds"]["flow"]["entries"] == 2 and result["kinds"]["survey"]["entries"] == 1
    assert result["kinds"]["flow"]["oldest"].startswith("1970-01-0") and result["kinds"]["logs"]["oldest"] is None
    text = tsn("cache").stdout
    assert f"folder  {cached}\nbound   5.0 GiB\n" in text
    (line,) = [line.split() for line in text.splitlines() if line.startswith("flow")]
    assert line[1] == "2" and line[4].startswith("1970-01-0")
    for path in cached.iterdir():
        assert path.is_dir()


def test_an_empty_cache_is_shown_and_not_made(tsn, tmp_path) -> None:
    assert tsn("cache").exit_code == 0 and tsn("cache", "clear").stdout.endswith(": 0 files removed, 0 B freed\n")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("words", [["clear"], ["--clear"]])
def test_clearing_takes_what_tsn_made_and_nothing_else(tsn, cached, tmp_path, words) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    entry = next((cached / "flow").iterdir())
    foreign = [mine / entry.name, cached / "notes.txt", cached / "flow" / "weights.safetensors", cached / entry.name]
    for path in foreign:
        path.write_text("keep me")
    log = cached / "logs/sh-12345678/20250101-120000-000000-host-1/chunk-0000.log"
    log.parent.mkdir(parents=True)
    log.write_text("frame 1001")
    (cached / "flow" / f"{1:040x}.safetensors").symlink_to(foreign[0])
    done = tsn("cache", *words)
    assert done.exit_code == 0 and ": 3 files removed, " in done.stdout
    assert all(path.read_text() == "keep me" for path in foreign) and log.exists()
    assert [kinds(tsn)[kind]["entries"] for kind in ("flow", "survey", "logs")] == [0, 0, 1]


def test_a_folder_that_is_a_link_is_not_cleared(tsn, cached, tmp_path) -> None:
    (cached / "flow").rename(tmp_path / "elsewhere")
    (cached / "flow").symlink_to(tmp_path / "elsewhere")
    assert kinds(tsn)["flow"]["entries"] == 0
    assert ": 1 file removed, " in tsn("cache", "clear").stdout
    assert len(list((tmp_path / "elsewhere").iterdir())) == 2


def test_a_bound_that_is_none_is_refused_before_anything_is_written(tsn, shot, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TSN_CACHE_SIZE", "much")
    for words in (["cache"], ["render", shot(), "--device", "cpu"]):
        result = tsn(*words)
        assert result.exit_code == 2 and "TSN_CACHE_SIZE is 'much'" in result.stderr and "20G" in result.stderr
    assert not list((tmp_path / "styled").iterdir())
    assert tsn("cache", "clear").exit_code == 0, "which needs no bound"


def test_frames_are_the_same_whatever_is_kept(tsn, shot, tmp_path, monkeypatch) -> None:
    """Cold, warm, damaged, without a cache, and with one too small that another shot filled."""
    file = shot(frames=range(1001, 1007))
    flow = tmp_path / "cache/flow"

    def render() -> dict[str, bytes]:
        result = tsn("render", file, "--device", "cpu", "--force")
        assert result.exit_code == 0, result.stderr
        return {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}

    cold = render()
    before = {path: path.stat().st_mtime_ns for path in flow.iterdir()}
    assert len(cold) == 6 and len(before) == 5
    time.sleep(0.02)
    assert render() == cold
    assert all(path.stat().st_mtime_ns > used for path, used in before.items()), "what is used is young again"
    for path in flow.iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    assert render() == cold
    monkeypatch.setenv("TSN_CACHE_SIZE", "0")
    assert render() == cold
    for path in flow.iterdir():  # of the day before yesterday
        os.utime(path, (0, time.time() - 10**5))
        size = path.stat().st_size
    for path in sorted(flow.iterdir())[1:]:
        path.rename(path.with_name(f"{int(path.stem, 16) ^ 1:040x}.safetensors"))
    monkeypatch.setenv("TSN_CACHE_SIZE", str(4 * size))
    assert render() == cold
    assert sum(path.stat().st_size for path in flow.iterdir()) <= 4 * size
    assert all(path.stat().st_mtime > time.time() - 1000 for path in flow.iterdir()), "the old ones went"
