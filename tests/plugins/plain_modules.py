"""What the plug-ins do without their hosts; modules are loaded by path, as nothing here could import the packages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PLUGINS = Path(__file__).parents[2] / "plugins"
BLENDER, NUKE = PLUGINS / "blender/tsn_blender", PLUGINS / "nuke/tsn_nuke"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"plain_{name}", BLENDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # dataclasses look it up
    spec.loader.exec_module(made)
    return made


command, shotfile, frames, exr = (module(name) for name in ("command", "shotfile", "frames", "exr"))
