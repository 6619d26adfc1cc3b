"""No colour config of the developer's."""

import pytest


@pytest.fixture(autouse=True)
def no_show_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)
