"""The zips contain everything that a plug-in needs, and nothing needs more than its host and the standard library."""

from __future__ import annotations

import ast
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from plain_modules import BLENDER, NUKE, PLUGINS, SHARED, make_zips

from tsn import __version__
from tsn.strokes.preset_file import preset_names
from tsn.style.catalogue import bundled_styles

PLAIN = sorted([*SHARED.glob("*.py"), BLENDER / "exr_header.py", BLENDER / "ignored_properties.py"])
NUKE_FILES = sorted([*(PLUGINS / "nuke").rglob("*.py"), *SHARED.glob("*.py")])
PYTHON_OF_NUKE_14 = (3, 9)


@pytest.mark.parametrize("file", PLAIN, ids=lambda file: file.name)
def test_plain_modules_need_the_standard_library_only(file):
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    "file", [*sorted((PLUGINS / "nuke").rglob("*.py")), *SHARED.glob("*.py")], ids=lambda f: f.name
)
def test_nuke_14_can_read_the_scripts(file):
    ast.parse(file.read_text(), feature_version=PYTHON_OF_NUKE_14)


def test_every_shipped_style_has_a_thumbnail():
    shipped = {path.stem for path in (BLENDER / "thumbnails").glob("*.png")}
    missing = {info.name for info in bundled_styles() if info.family != "adain"} - shipped
    missing |= set(preset_names()) - {path.stem for path in (BLENDER / "thumbnails/strokes").glob("*.png")}
    assert not missing, "run plugins/blender/make_thumbnails.py"


@pytest.mark.parametrize(("name", "package"), [("tsn_blender", BLENDER), ("tsn_nuke", NUKE)])
def test_a_zip_holds_the_package_and_the_shared_modules(tmp_path, name, package):
    path = make_zips.make_zip(name, tmp_path)
    assert path.name == f"{name}-{__version__}.zip"
    with zipfile.ZipFile(path) as archive:
        content = {Path(file): archive.read(file) for file in archive.namelist()}
    assert len(content) == len(zipfile.ZipFile(path).namelist())
    (inside,) = {file.parent for file in content if file.parent.name == name}
    for folder, place in ((package, inside), (SHARED, inside / "shared")):
        for file in folder.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert content[place / file.relative_to(folder)] == file.read_bytes()
    assert path.read_bytes() == make_zips.make_zip(name, tmp_path / "..").read_bytes()


def test_the_zip_for_nuke_works_without_the_repository(nuke, tmp_path, monkeypatch, style):
    """Unpacked into a folder that NUKE_PATH names: init.py is run, then the menu's command."""
    with zipfile.ZipFile(make_zips.make_zip("tsn_nuke", tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    folder = tmp_path / "unpacked/tsn_for_nuke"
    assert sorted(path.name for path in folder.iterdir()) == ["init.py", "menu.py", "tsn_nuke"]
    monkeypatch.setattr(sys, "path", list(sys.path))
    for file in ("init.py", "menu.py"):
        exec(compile((folder / file).read_text(), folder / file, "exec"), {"__file__": str(folder / file)})
    ours = [name for name in sys.modules if name.split(".")[0] == "tsn_nuke"]
    for name in ours:
        monkeypatch.delitem(sys.modules, name)
    try:
        exec(nuke.menus["Nodes"].commands["Filter/TSN Stylize"], {})
        loaded = {name: Path(sys.modules[name].__file__) for name in sys.modules if name.startswith("tsn_nuke")}
        assert loaded.keys() >= {"tsn_nuke.actions", "tsn_nuke.shared.tsn_process", "tsn_nuke.shared.shot_yaml"}
        assert all(path.is_relative_to(folder) for path in loaded.values()), loaded
        (node,) = nuke.allNodes("Group")
        node["tsn_source"].setValue("File")
        node["tsn_file"].setValue(str(style))
        node["tsn_shot_file"].execute()
        shot = yaml.safe_load((tmp_path / "tsn/comp/TSN_Stylize1/TSN_Stylize1.yaml").read_text())
        assert shot["style"]["model"] == str(style)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "tsn_nuke"]:
            del sys.modules[name]
