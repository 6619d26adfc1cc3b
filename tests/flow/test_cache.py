from __future__ import annotations

import errno
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tsn.flow.base import View
from tsn.flow.cache import CachedSource, cache_key
from tsn.flow.dis import DisSource


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
        save_file({"flows": torch.zeros(2, 2, 4, 4)}, path)
    elif how == "another type":
        save_file({"flows": torch.zeros(2, 2, 96, 160).half()}, path)
    elif how == "no checksum":
        save_file({"flows": torch.zeros(2, 2, 96, 160)}, path)
    elif how == "other names":
        save_file({"flow": torch.zeros(2, 2, 96, 160)}, path)


@pytest.mark.parametrize(
    "how", ["empty", "cut short", "a flipped bit", "another size", "another type", "no checksum", "other names"]
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
