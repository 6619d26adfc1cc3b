"""TemporalStyleNet: paints a shot in a style that sticks to what moves.

    import tsn
    tsn.render("shot.yaml")

For notebooks: `tsn.load` (a shot file), `tsn.plan`, `tsn.read_frame`, `tsn.codec`, `tsn.painter`. Everything raises
`tsn.TsnError` or one of its subclasses (`tsn.errors`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Cancelled",
    "DeviceError",
    "InputError",
    "OutputError",
    "ShotError",
    "TsnError",
    "UsageError",
    "__version__",
    "codec",
    "load",
    "painter",
    "plan",
    "read_frame",
    "render",
]

if TYPE_CHECKING:
    from tsn.api import load, plan, render
    from tsn.colour import codec
    from tsn.errors import Cancelled, DeviceError, InputError, OutputError, ShotError, TsnError, UsageError
    from tsn.io import read_frame
    from tsn.style.factory import painter

_MODULES = {
    "codec": "tsn.colour",
    "load": "tsn.api",
    "painter": "tsn.style.factory",
    "plan": "tsn.api",
    "read_frame": "tsn.io",
    "render": "tsn.api",
}
"""Where each exported name is defined; the errors, which are not listed, are in `tsn.errors`."""


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; `tsn --help` and a plug-in that asks for the version must not wait for it.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_MODULES.get(name, "tsn.errors")), name)
    raise AttributeError(f"module 'tsn' has no attribute {name!r}")
