"""The add-on as a package: built, validated and installed by real Blenders, with nothing to install beside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from addon_cases import ADDON, PLUGINS, SECONDS, addons, make_zip, python, run


def blender_ext(version: str, *words: str | Path) -> str:
    """Blender's own tool for extensions, which needs no Blender to run."""
    site = subprocess.run(
        [python(version), "-c", "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"],
        capture_output=True, text=True, check=True, timeout=SECONDS,
    ).stdout.strip()  # fmt: skip
    tool = next(Path(site).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    done = subprocess.run(
        [python(version), tool, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def archive(version: str, empty: Path) -> Path:
    return make_zip(empty)


def test_the_extension_builds_validates_and_installs(version: str, archive: Path, tmp_path: Path) -> None:
    blender_ext(version, "build", "--source-dir", addons() / "tsn_blender", "--output-dir", tmp_path)
    built = tmp_path / archive.name
    files = [{Path(name).name for name in zipfile.ZipFile(path).namelist()} for path in (built, archive)]
    assert files[0] == files[1]
    for path in (built, archive):
        report = blender_ext(version, "validate", path)
        assert "FATAL" not in report and "warning" not in report.lower(), report
    run(version, "installs", archive.parent)


def test_the_addon_needs_blender_and_the_standard_library_only() -> None:
    import ast

    for file in (*ADDON.glob("*.py"), *(PLUGINS / "shared").glob("*.py")):
        for one in ast.walk(ast.parse(file.read_text(), feature_version=(3, 10))):  # Python of Blender 3.4
            names = [alias.name for alias in one.names] if isinstance(one, ast.Import) else []
            names += [one.module or ""] if isinstance(one, ast.ImportFrom) and not one.level else []
            for name in {name.split(".")[0] for name in names}:
                assert name == "bpy" or name in sys.stdlib_module_names, (file, name)
                assert name not in {"socket", "urllib", "http", "ssl"}, (file, name)


def test_the_version_is_everywhere_the_same() -> None:
    import ast
    import tomllib

    from tsn import __version__

    manifest = tomllib.loads((ADDON / "blender_manifest.toml").read_text())
    source = ast.parse((ADDON / "__init__.py").read_text())
    info = next(node for node in source.body if isinstance(node, ast.Assign) and node.targets[0].id == "bl_info")
    assert manifest["version"] == ".".join(map(str, ast.literal_eval(info.value)["version"])) == __version__
