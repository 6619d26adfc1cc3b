"""Nuke starts with the plug-in whatever is broken, and a node is made with the right values."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest
from nuke_node import PLUGIN


@pytest.mark.parametrize("file", ["init.py", "menu.py"])
def test_nuke_starts_without_its_own_module(file):
    """`import nuke` fails here, as anything could there."""
    done = subprocess.run([sys.executable, PLUGIN / file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "TSN Stylize" in done.stdout and done.stderr == ""


class Broken:
    """Raises whatever is done with it."""

    def __getattribute__(self, name):
        raise RuntimeError(f"broken: {name}")

    def __call__(self, *values, **named):
        raise RuntimeError("broken")


def touched(code):
    """Every global name and every attribute that a script reads, of `try` blocks too."""
    import ast

    nodes = list(ast.walk(ast.parse(code)))
    return {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


@pytest.mark.parametrize("file", ["init.py", "menu.py"])
def test_nuke_starts_whatever_is_broken(nuke, file, monkeypatch, capfd):
    """Each thing that the script touches is broken, one after another, and none gets out."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # init.py appends to it
    code = (PLUGIN / file).read_text()
    names = touched(code)
    assert {"nuke"} <= names and len(names) >= 4, names
    for name, prints in itertools.product(
        sorted(names - {"Exception", "contextlib", "error", "suppress"}), (print, Broken())
    ):
        with monkeypatch.context() as broken:
            space = {"__file__": str(PLUGIN / file), "print": prints}
            for owner in (nuke, sys, os, os.path, nuke._Menu):
                if hasattr(owner, name):
                    broken.setattr(owner, name, Broken())
            if name in ("nuke", "os", "sys"):
                broken.setitem(sys.modules, name, None)  # its import fails
            if name in space:
                space[name] = Broken()
            exec(compile(code, file, "exec"), space)
    assert "TSN Stylize" in capfd.readouterr().out


def test_the_menu_makes_a_node(nuke, tsn_nuke, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for file in ("init.py", "menu.py"):
        exec(compile((PLUGIN / file).read_text(), PLUGIN / file, "exec"), {"__file__": str(PLUGIN / file)})
    assert nuke.printed == ["TSN Stylize: ready"]
    (entry,) = nuke.menus["Nodes"].commands.items()
    assert entry[0] == "Filter/TSN Stylize"
    exec(entry[1], {})


def test_a_node_is_made_without_tsn(tsn_nuke, monkeypatch):
    monkeypatch.setenv("TSN_COMMAND", "/no/tsn")
    node = tsn_nuke.create()
    assert (node["tsn_style"].values(), node["tsn_strokes_preset"].values()) == (["tarascon"], ["oil"])
    assert (node["tsn_first"].value(), node["tsn_last"].value()) == (1001, 1003)


def test_bundled_styles_can_be_chosen(tsn_nuke):
    assert "tarascon" in tsn_nuke.create()["tsn_style"].values()


def test_the_working_space_of_an_aces_script(nuke, tsn_nuke):
    assert tsn_nuke.create()["tsn_colour"].value() == "lin_rec709"
    nuke.root()["colorManagement"].setValue("OCIO")
    nuke.root()["workingSpaceLUT"].setValue("ACES - ACEScg")
    assert tsn_nuke.create()["tsn_colour"].value() == "ACEScg"
