"""TemporalStyleNet: paints a shot in a style that sticks to what moves.

    import tsn
    tsn.render("shot.yaml")

For notebooks: `tsn.load` (a shot file), `tsn.plan`, `tsn.read_frame`, `tsn.codec`, `tsn.painter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "codec", "load", "painter", "plan", "read_frame", "render"]

if TYPE_CHECKING:
    from tsn.api import load, plan, render
    from tsn.colour import codec
    from tsn.io import read_frame
    from tsn.style.factory import painter

_HOMES = {
    "codec": "tsn.colour",
    "load": "tsn.api",
    "painter": "tsn.style.factory",
    "plan": "tsn.api",
    "read_frame": "tsn.io",
    "render": "tsn.api",
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; `tsn --help` and a plug-in that asks for the version must not wait for it.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tsn' has no attribute {name!r}")
