"""The plug-ins' modules that need no host. They are loaded by path: without a host their packages can't be imported."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PLUGINS = Path(__file__).parents[2] / "plugins"
BLENDER, NUKE, SHARED = PLUGINS / "blender/tsn_blender", PLUGINS / "nuke/tsn_nuke", PLUGINS / "shared"
PATHS = {
    "tsn_process": SHARED / "tsn_process.py",
    "shot_yaml": SHARED / "shot_yaml.py",
    "stroke_style": SHARED / "stroke_style.py",
    "key_style": SHARED / "key_style.py",
    "style_list": SHARED / "style_list.py",
    "frame_numbers": SHARED / "frame_numbers.py",
    "exr_header": BLENDER / "exr_header.py",
    "make_zips": PLUGINS / "make_zips.py",
}


def load(name: str) -> ModuleType:
    """Import a module from its file."""
    spec = importlib.util.spec_from_file_location(f"plain_{name}", PATHS[name])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


tsn_process, shot_yaml, stroke_style, key_style, style_list, frame_numbers, exr_header, make_zips = (
    load(name) for name in PATHS
)
