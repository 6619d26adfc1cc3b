"""What both plug-ins carry needs no host, is the same in both, and is all there."""

from __future__ import annotations

import sys

import pytest
from plain_modules import BLENDER, NUKE, PLUGINS

from tsn.style.catalogue import bundled_styles


@pytest.mark.parametrize("name", ["command", "shotfile", "frames"])
def test_both_plug_ins_carry_the_same_plain_modules(name):
    assert (BLENDER / f"{name}.py").read_bytes() == (NUKE / f"{name}.py").read_bytes()


@pytest.mark.parametrize("name", ["command", "shotfile", "frames", "exr", "unseen"])
def test_plain_modules_need_the_standard_library_only(name):
    import ast

    tree = ast.parse((BLENDER / f"{name}.py").read_text())
    names = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}  # fmt: skip
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize("file", sorted((PLUGINS / "nuke").rglob("*.py")), ids=lambda file: file.name)
def test_nuke_14_can_read_the_scripts(file):
    import ast

    ast.parse(file.read_text(), feature_version=(3, 9))


def test_every_shipped_style_has_a_thumbnail():
    shipped = {path.stem for path in (BLENDER / "thumbnails").glob("*.png")}
    missing = {info.name for info in bundled_styles() if info.family != "adain"} - shipped
    assert not missing, "run plugins/blender/make_thumbnails.py"
