"""Where tsn keeps what it may throw away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tsn.rendering.output import cache_folder


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "home/.cache/tsn"),
        ({"XDG_CACHE_HOME": "{folder}/xdg"}, "xdg/tsn"),
        ({"XDG_CACHE_HOME": ""}, "home/.cache/tsn"),
        ({"XDG_CACHE_HOME": "relative/cache"}, "home/.cache/tsn"),
        ({"XDG_CACHE_HOME": "{folder}/xdg", "TSN_CACHE": "{folder}/own"}, "own"),
        ({"XDG_CACHE_HOME": "{folder}/xdg", "TSN_CACHE": ""}, "xdg/tsn"),
    ],
)
def test_the_cache_lies_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.setenv("HOME", f"{tmp_path}/home")
    for name in ("TSN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(folder=tmp_path))
    assert cache_folder() == tmp_path / expected
