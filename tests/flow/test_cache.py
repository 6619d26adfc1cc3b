from __future__ import annotations

import errno
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tsn.errors import UsageError
from tsn.flow.base import View
from tsn.flow.cache import CachedSource, cache_key
from tsn.flow.dis import DisSource
from tsn.io.float_compression import compress


class Counting:
    name = "dis"

    def __init__(self, fingerprint: str = "counting-1") -> None:
        self.fingerprint, self.calls = fingerprint, 0

    def pair(self, a: View, b: View) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls += 1
        return DisSource().pair(a, b)


def test_warm_is_cold_bit_for_bit(moving, tmp_path: Path) -> None:
    a, b = moving()
    inner = Counting()
    cold = CachedSource(inner, tmp_path / "flow").pair(a, b)
    warm = CachedSource(inner, tmp_path / "flow").pair(a, b)
    assert inner.calls == 1
    for flow, same, true in zip(cold, warm, DisSource().pair(a, b), strict=True):
        assert torch.equal(flow, true) and torch.equal(same, true) and same.dtype == torch.float32
    assert [p.suffix for p in (tmp_path / "flow").iterdir()] == [".safetensors"]


def test_passes_for_the_inner_source(tmp_path: Path) -> None:
    cached = CachedSource(DisSource(), tmp_path)
    assert (cached.name, cached.fingerprint) == (DisSource().name, DisSource().fingerprint)


def test_key_follows_all_that_the_flow_depends_on(moving) -> None:
    a, b = moving()
    wider = replace(b, image=torch.zeros(3, 96, 161))
    keys = [
        cache_key(Counting(), a, b),
        cache_key(Counting("counting-2"), a, b),
        cache_key(Counting(), b, a),
        cache_key(Counting(), replace(a, image=a.image / 2), b),
        cache_key(Counting(), a, replace(b, image=b.image / 2)),
        cache_key(Counting(), a, replace(b, number=b.number + 1)),
        cache_key(Counting(), a, wider),
    ]
    assert len(set(keys)) == len(keys)
    moved = replace(a, number=5), replace(b, number=6)
    assert cache_key(Counting(), *moved) == keys[0], "the same frames under other numbers have the same flow"


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut short":
        path.write_bytes(content[:-100])
    elif how == "a flipped bit":
        path.write_bytes(content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:])
    elif how == "another size":
        path.write_bytes(compress(np.zeros((2, 2, 4, 4), np.float32)))
    elif how == "another tensor":
        save_file({"flows": torch.zeros(2, 2, 96, 160)}, path)
    elif how == "no checksum":
        save_file(load_file(path), path)
    elif how == "no safetensors":
        path.write_bytes(b"[]" * 9000)


@pytest.mark.parametrize(
    "how", ["empty", "cut short", "a flipped bit", "another size", "another tensor", "no checksum", "no safetensors"]
)
def test_a_damaged_file_is_measured_again_and_mended(
    moving, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = moving()
    inner = Counting()
    source = CachedSource(inner, tmp_path)
    forward, _ = source.pair(a, b)
    (path,) = tmp_path.iterdir()
    damage(path, how)
    again, _ = source.pair(a, b)
    assert torch.equal(again, forward) and inner.calls == 2
    assert "measured again" in caplog.text
    source.pair(a, b)
    assert inner.calls == 2


def test_a_folder_that_cannot_be_written_is_a_warning_once(
    moving, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    source = CachedSource(Counting(), tmp_path / "file" / "flow")
    for _ in range(2):
        forward, _ = source.pair(*moving())
        assert torch.equal(forward, DisSource().pair(*moving())[0])
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and "cache" in warnings[0].message


def test_a_full_disk_is_a_warning(
    moving, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    CachedSource(Counting(), tmp_path).pair(*moving())
    assert "disk is full" in caplog.text and list(tmp_path.iterdir()) == []


def test_other_users_can_read_what_the_umask_lets_them(moving, tmp_path: Path) -> None:
    CachedSource(Counting(), tmp_path).pair(*moving())
    (path,) = tmp_path.iterdir()
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_kept_is_smaller_than_the_motion(moving, tmp_path: Path) -> None:
    forward, backward = CachedSource(Counting(), tmp_path).pair(*moving())
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 0.8 * (forward.nbytes + backward.nbytes)


def test_a_file_that_vanishes_is_measured_again_and_no_word_said(
    moving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another host makes room between the look and the reading."""
    a, b = moving()
    inner = Counting()
    source = CachedSource(inner, tmp_path)
    forward, _ = source.pair(a, b)
    read = Path.read_bytes

    def gone(path: Path) -> bytes:
        path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    again, _ = source.pair(a, b)
    assert torch.equal(again, forward) and inner.calls == 2 and not caplog.text
    assert len(list(tmp_path.iterdir())) == 1


def test_bits_do_not_depend_on_the_bound(moving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, smaller than one pair, for three pairs of eight, and for all; each cold and warm."""
    pairs = [moving(dx=dx) for dx in range(-4, 4)]
    plain = [torch.stack(DisSource().pair(*pair)) for pair in pairs]
    size = plain[0].nbytes
    for limit, calls in ((0, 16), (size // 10, 16), (3 * size, None), (100 * size, 8)):
        monkeypatch.setenv("TSN_CACHE_SIZE", str(limit))
        inner, folder = Counting(), tmp_path / str(limit)
        for _ in range(2):
            source = CachedSource(inner, folder)
            assert all(
                torch.equal(torch.stack(source.pair(*pair)), flow) for pair, flow in zip(pairs, plain, strict=True)
            )
        stored = sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0
        assert stored <= limit
        assert inner.calls == calls if calls else 8 < inner.calls < 16, "a part of them was there"


def test_the_oldest_pairs_go(moving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSN_CACHE_SIZE", str(4 * 16 * 96 * 160))
    before = CachedSource(Counting(), tmp_path)
    for dx in range(4):
        before.pair(*moving(dx=dx))
    for age, path in enumerate(sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(path, (0, time.time() - 100 + age))
    inner = Counting()
    after = CachedSource(inner, tmp_path)
    after.pair(*moving(dx=0))
    assert inner.calls == 0, "used, so it is not the oldest any more"
    for dx in (5, 6, 7):
        after.pair(*moving(dx=dx))
    for dx in (0, 5, 6, 7):
        after.pair(*moving(dx=dx))
    assert inner.calls == 3


def test_a_bound_that_is_none_is_told_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSN_CACHE_SIZE", "20 gigs")
    with pytest.raises(UsageError, match="TSN_CACHE_SIZE is '20 gigs'"):
        CachedSource(Counting(), tmp_path)
