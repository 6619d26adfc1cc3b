"""The instruction set that is stated is the one that torch computes with."""

from __future__ import annotations

import platform

import pytest
import torch

from tsn.cpu_isa import OVERRIDES, instruction_set


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OVERRIDES:
        monkeypatch.delenv(name, raising=False)


def test_it_is_what_torch_uses() -> None:
    used = torch.backends.cpu.get_cpu_capability().lower()
    assert instruction_set().split()[0] == (used if used.startswith("avx") else platform.machine().lower())


def test_what_holds_a_library_to_less_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    free = instruction_set()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert instruction_set() == f"{free} (ATEN_CPU_CAPABILITY=avx2)"
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "")
    assert instruction_set() == free
