"""The reference of the command line in docs/ is what the commands themselves say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/reference/command-line.md"


def test_the_reference_is_up_to_date() -> None:
    command = [sys.executable, ROOT / "docs/command_line.py"]
    narrow = os.environ | {"COLUMNS": "20", "TSN_DEVICE": "cuda:7"}
    text = subprocess.run(command, capture_output=True, text=True, check=True, env=narrow).stdout
    for words in ("## tsn render\n", "`-F, --frames RANGE`", "`TSN_DEVICE`; default: auto]", "`--log-level debug|info"):
        assert words in text
    assert not PAGE.exists() or PAGE.read_text() == text, f"python docs/command_line.py > {PAGE.relative_to(ROOT)}"
