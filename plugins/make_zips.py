"""Make the zips that artists install: the add-on for Blender, and the plug-in for Nuke.

Each one gets its own copy of the folder `shared`. An extension may lie in a folder of its name inside its zip, and a
legacy add-on (Blender 3.4) must::

    python plugins/make_zips.py            # writes tsn_blender-0.1.0.zip and tsn_nuke-0.1.0.zip here
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PLUGINS = Path(__file__).resolve().parent
FILE_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of every file, so that the same plug-in gives the same zip."""
CONTENTS = {
    "tsn_blender": {
        "blender/tsn_blender": "tsn_blender",
        "shared": "tsn_blender/shared",
    },
    "tsn_nuke": {
        "nuke": "tsn_for_nuke",
        "shared": "tsn_for_nuke/tsn_nuke/shared",
    },
}
"""Zip -> folders of the repository, and the folders that they become in the zip."""


def version() -> str:
    """The version in the add-on's manifest."""
    manifest = (PLUGINS / "blender/tsn_blender/blender_manifest.toml").read_text(encoding="utf-8")
    return next(line.split('"')[1] for line in manifest.splitlines() if line.startswith("version = "))


def make_zip(name: str, folder: Path) -> Path:
    """Write a plug-in's zip into a folder, and return its path."""
    path = folder / f"{name}-{version()}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for source, target in CONTENTS[name].items():
            for file in sorted((PLUGINS / source).rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    inside = Path(target, file.relative_to(PLUGINS / source)).as_posix()
                    entry = zipfile.ZipInfo(inside, FILE_DATE)
                    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                    archive.writestr(entry, file.read_bytes())
    return path


if __name__ == "__main__":
    for plugin in CONTENTS:
        print(make_zip(plugin, Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
