"""Make the zip that Blender installs: one for all versions.

An extension may lie in a folder of its name inside its zip, and a legacy add-on (Blender 3.4) must::

    python plugins/blender/make_zip.py     # writes tsn_blender-0.1.0.zip here
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ADDON = Path(__file__).resolve().parent / "tsn_blender"
WRITTEN = (1980, 1, 1, 0, 0, 0)
"""The date of every file, so that the same add-on is the same zip."""


def make(folder: Path) -> Path:
    """Write the zip into a folder, and return its path."""
    manifest = (ADDON / "blender_manifest.toml").read_text(encoding="utf-8")
    version = next(line.split('"')[1] for line in manifest.splitlines() if line.startswith("version = "))
    path = folder / f"tsn_blender-{version}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(ADDON.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                entry = zipfile.ZipInfo(file.relative_to(ADDON.parent).as_posix(), WRITTEN)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, file.read_bytes())
    return path


if __name__ == "__main__":
    print(make(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
