"""A folder under a bound: what goes, what stays, and how often anybody looks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tsn.errors import UsageError
from tsn.io import disk_cache
from tsn.io.disk_cache import DiskCache, cache_limit, cached_files, clear, parse_size
from tsn.io.processes import host_id

LIMIT = 16_000
"""Of which flow gets 15,000."""


def name(number: int) -> str:
    return f"{number:040x}.safetensors"


def file(folder: Path, number: int, *, age: float = 0, size: int = 1000, called: str = "") -> Path:
    path = folder / (called or name(number))
    path.write_bytes(bytes(size))
    os.utime(path, (0, time.time() - age))  # read long ago, as where access times are off
    return path


def kept(folder: Path, limit: int = LIMIT) -> DiskCache:
    return DiskCache(folder, "flow", {"TSN_CACHE_SIZE": str(limit)})


def add(cache: DiskCache, number: int, size: int = 1000) -> bool:
    admitted = cache.make_room(size)
    if admitted:
        (cache.folder / name(number)).write_bytes(bytes(size))
    return admitted


def numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem, 16) for path in folder.iterdir())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1234", 1234),
        ("5G", 5 * 2**30),
        ("1.5 TiB", 3 * 2**39),
        ("20gb", 20 * 2**30),
        ("7 kB", 7168),
        ("9B", 9),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size == cache_limit(Path("/"), {"TSN_CACHE_SIZE": text})


@pytest.mark.parametrize("text", ["-1", "lots", "5 giga", "1e9", "G", "5GG", "20,5G", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="TSN_CACHE_SIZE is") as caught:
        parse_size(text)
    assert "20G" in str(caught.value.hint)


def test_without_a_size_it_is_20_gib_or_a_tenth_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for total, expected in ((10 * 2**40, 20 * 2**30), (50 * 2**30, 5 * 2**30)):
        monkeypatch.setattr("shutil.disk_usage", lambda path, total=total: SimpleNamespace(total=total))
        assert cache_limit(tmp_path / "not/there", {"TSN_CACHE_SIZE": ""}) == expected


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    for number in range(15):
        file(tmp_path, number, age=1000 - number)
    cache = kept(tmp_path)
    assert cache.touch(tmp_path / name(0)) and not cache.touch(tmp_path / name(99))
    assert add(cache, 100)
    assert numbers(tmp_path) == [0, *range(3, 15), 100], "1 and 2: room for the next one too"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 15_000


def test_what_this_render_used_stays_and_the_rest_goes_on_without(tmp_path: Path) -> None:
    cache = kept(tmp_path)
    assert [number for number in range(40) if add(cache, number)] == list(range(15))
    assert numbers(tmp_path) == list(range(15))
    again = kept(tmp_path)
    assert [number for number in range(15) if again.touch(tmp_path / name(number))] == list(range(15))
    assert not add(again, 50), "all of it is in use"


def test_a_render_that_comes_later_takes_the_place(tmp_path: Path) -> None:
    for number in range(15):
        file(tmp_path, number, age=10)
    cache = kept(tmp_path)
    assert all(add(cache, number) for number in range(100, 115))
    assert numbers(tmp_path) == list(range(100, 115))


def test_a_file_larger_than_the_bound_removes_nothing(tmp_path: Path) -> None:
    file(tmp_path, 1, age=10)
    assert not add(kept(tmp_path), 2, size=20_000)
    assert numbers(tmp_path) == [1]


def test_no_cache_at_all(tmp_path: Path) -> None:
    path = file(tmp_path, 1)
    cache = kept(tmp_path, 0)
    assert not cache.touch(path) and not cache.make_room(1) and path.exists()


def test_room_is_made_again_after_another_process_filled_it(tmp_path: Path) -> None:
    cache = kept(tmp_path)
    assert add(cache, 0)
    for number in range(100, 200):  # of another process
        file(tmp_path, number, age=10)
    assert all(add(cache, number) for number in range(1, 12))
    for number in range(12, 40):
        add(cache, number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 15_000


def test_the_folder_is_counted_once_in_many_files(tmp_path: Path, counting: Callable[..., list[str]]) -> None:
    for number in range(2000):
        file(tmp_path, number, age=10, size=10)
    cache = kept(tmp_path, 10**9)
    with counting("os.scandir") as scans:
        assert all(add(cache, number, 10) for number in range(3000, 3320))
    assert 0 < len(scans) <= 320 / 31 + 1
    with counting("os.scandir") as scans:
        small = kept(tmp_path, 16_000)
        for number in range(4000, 4400):
            add(small, number, 10)
    assert len(scans) < 40, "at the bound"


def test_only_what_tsn_made_counts_and_goes(tmp_path: Path) -> None:
    outside = file(tmp_path, 0, called="notes.safetensors", age=10_000)
    folder = tmp_path / "flow"
    folder.mkdir()
    for called in ("notes.txt", "model.safetensors", f"{0:040x}.safetensors.bak", f"{0:039x}.safetensors"):
        file(folder, 0, called=called, age=10_000)
    (folder / name(7)).symlink_to(outside)
    (folder / name(8)).mkdir()
    old = file(folder, 9, age=10_000)
    before = {path.name for path in folder.iterdir()}
    assert [entry.path for entry in cached_files(folder)] == [old]
    assert [entry.path for entry in clear(folder)] == [old]
    assert {path.name for path in folder.iterdir()} == before - {old.name} and outside.exists()


def test_what_killed_writers_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    gone = int(ended.stdout)
    mine = file(tmp_path, 0, called=f".tsn-{host_id()}-{os.getpid()}-77-1-{name(1)}")
    theirs = file(tmp_path, 0, called=f".tsn-elsewhere-{gone}-77-1-{name(2)}", age=60)
    file(tmp_path, 0, called=f".tsn-{host_id()}-{gone}-77-1-{name(3)}")
    file(tmp_path, 0, called=f".tsn-elsewhere-{gone}-77-1-{name(4)}", age=10_000)
    assert len(clear(tmp_path)) == 2
    assert set(tmp_path.iterdir()) == {mine, theirs}


def test_files_that_vanish_meanwhile_are_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        file(tmp_path, number, age=1000 - number)
    before = disk_cache.cached_files

    def vanishing(folder: Path):
        found = list(before(folder))
        for entry in found[::2]:  # another process makes room
            entry.path.unlink()
        return found

    monkeypatch.setattr(disk_cache, "cached_files", vanishing)
    assert add(kept(tmp_path), 100)
