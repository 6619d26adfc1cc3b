"""Colour spaces by name: those of the OCIO configs, Kodak's Cineon, and the one that a plate's header names.

Not in `tsn.colour`, which imports torch: a shot file is checked against the config when it is loaded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import PyOpenColorIO as OCIO

from tsn.errors import InputError, UsageError, near_miss

BUILTIN_CONFIG = "studio-config-v5.0.0_aces-v2.1_ocio-v2.6"
"""Pinned by name: `ocio://default` moves between OCIO releases, and the same shot must give the same pixels."""

WORKING = "lin_rec709"
"""The working space: linear Rec.709."""
CINEON = "cineon"
"""Kodak's Cineon log, which the built-in configs lack: code/1023 of printing density, black at 95, white at 685."""

# CIE xy of R, G, B, white as EXR's `chromaticities` holds them. Sources: ITU-R BT.709, BT.2020, SMPTE ST 2065-1 (AP0),
# S-2014-004 (AP1), SMPTE EG 432-1 (P3-D65), Adobe RGB (1998).
_GAMUTS = {
    "lin_rec709": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "ACEScg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "lin_rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "lin_p3d65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    "lin_adobergb": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290),
}
_DPX_TRANSFERS = {"printing density": CINEON, "logarithmic": CINEON, "linear": WORKING}
# OpenImageIO's names of a few spaces; the config knows its other names.
_OIIO_NAMES = {"linear": WORKING, "srgb": "srgb_tx", "rec709": "camera_rec709", "kodaklog": CINEON}


@cache
def _builtin_config() -> Any:
    """The ACES studio config that comes with OCIO."""
    return OCIO.Config.CreateFromBuiltinConfig(BUILTIN_CONFIG)


@lru_cache(maxsize=2)
def _show_config(file: str, environment: frozenset[tuple[str, str]]) -> Any:
    """The config that $OCIO names. It reads its context variables ($SHOT) from the environment when it is loaded."""
    try:
        return OCIO.Config.CreateFromFile(file)
    except (OCIO.Exception, OCIO.ExceptionMissingFile) as error:
        raise InputError(
            f"{file}: the OCIO environment variable names a config that can't be read: {error}",
            hint="Correct the variable, or unset OCIO to use the built-in ACES studio config.",
        ) from error


def configs() -> tuple[Any, ...]:
    """The show's config ($OCIO) if there is one, then the built-in one, so that standard names work in every show."""
    if not (file := os.environ.get("OCIO")):
        return (_builtin_config(),)
    return (_show_config(file, frozenset(os.environ.items())), _builtin_config())


def find_space(name: str) -> tuple[Any, str]:
    """Find the config that has a space, role or alias (None for Cineon, which is our own), and the space's full name.

    Raises:
        UsageError: no config has it, or it is a space for data.
    """
    for config in configs():
        if space := config.getColorSpace(name):
            if space.isData():
                raise UsageError(
                    f"Colour space {name!r} is for data, not for pictures: nothing says what its values look like.",
                    hint="Name the space the plate was rendered or graded in, such as lin_rec709, ACEScg or acescct.",
                )
            return config, space.getName()
    if name.lower() == CINEON:
        return None, CINEON
    raise UsageError(
        f"Colour space {name!r} is not in the OCIO config ({os.environ.get('OCIO') or BUILTIN_CONFIG}).",
        hint=near_miss(name, [*space_names(), *(known.lower() for known in space_names())])
        or "Common names: lin_rec709, ACEScg, acescct, srgb_tx, cineon, or auto.",
    )


def space_names() -> tuple[str, ...]:
    """The names that `find_space` knows, in any case: full names, `cineon`, then aliases."""
    found = [
        space
        for config in configs()
        for space in config.getColorSpaces(OCIO.SEARCH_REFERENCE_SPACE_ALL, OCIO.COLORSPACE_ALL)
        if not space.isData()
    ]
    names = [space.getName() for space in found] + [CINEON]
    return tuple(dict.fromkeys(names + [alias for space in found for alias in space.getAliases()]))


def resolve_space(space: str, header: Mapping[str, Any] | None = None) -> str:
    """The full name of a plate's colour space.

    Args:
        space: a name, alias or role of the OCIO config ($OCIO, else the built-in one), `cineon`, or `auto`.
        header: the plate's header, for `auto`. In this order: `colorInteropID`; a DPX's transfer field (printing
            density and logarithmic are Cineon, linear is lin_rec709, everything else Rec.709 video, since its codes
            then look as on a monitor); `oiio:ColorSpace`; EXR's `chromaticities`. A header without these means
            lin_rec709, EXR's own default.

    Raises:
        UsageError: the space is unknown or for data, or the header names no known space.
    """
    if space.lower() != "auto":
        return find_space(space)[1]
    header = header or {}
    # A DPX with an undefined transfer field may have no key for it; only DPX has a byte order.
    is_dpx = "dpx:Transfer" in header or "oiio:Endian" in header
    for key in ("colorInteropID", "dpx:Transfer", "oiio:ColorSpace"):
        stated = str(header.get(key) or "")
        if key == "dpx:Transfer" and is_dpx:
            return find_space(_DPX_TRANSFERS.get(stated.lower(), "camera_rec709"))[1]
        if stated.lower() not in ("", "unknown"):
            try:
                return find_space(_OIIO_NAMES.get(stated.lower(), stated))[1]
            except UsageError as error:
                raise UsageError(f"The header's {key}: {error}", hint=f"Set colour.input. {error.hint}") from error
    chromaticities = header.get("chromaticities")
    return find_space(WORKING if chromaticities is None else _space_of_chromaticities(chromaticities))[1]


def _space_of_chromaticities(chromaticities: Any) -> str:
    """The linear space with these primaries and white. Raises UsageError."""
    import numpy as np

    found = np.asarray(chromaticities, dtype=np.float64).ravel()
    for name, expected in _GAMUTS.items():
        if found.shape == (8,) and np.abs(found - expected).max() < 1e-3:
            return name
    raise UsageError(
        f"The header's chromaticities {np.round(found, 4).tolist()} are of none of {', '.join(_GAMUTS)}.",
        hint="Set colour.input to the plate's space; `tsn check` lists the names.",
    )


@contextmanager
def translate_errors(name: str) -> Iterator[None]:
    """Raise OCIO's exceptions about a space as ours: InputError for a missing file, else UsageError."""
    try:
        yield
    except OCIO.ExceptionMissingFile as error:
        raise InputError(
            f"Colour space {name!r} of {os.environ.get('OCIO')} needs a file that is not there: {error}",
            hint="Copy the file, or set the context variables that its path is made of, such as $SHOT.",
        ) from error
    except OCIO.Exception as error:
        raise UsageError(
            f"Colour space {name!r} can't be converted to linear Rec.709 and back: {error}",
            hint="The config must hold both directions of the space and the role aces_interchange.",
        ) from error


def processors(config: Any, name: str, working: str = WORKING) -> tuple[Any, Any]:
    """OCIO's processors from a space of one of `configs` to one of the built-in config, and back.

    Raises:
        InputError: a file that the space reads is not there.
        UsageError: one of the directions is missing.
    """
    builtin = configs()[-1]
    with translate_errors(name):
        if config is builtin:
            return config.getProcessor(name, working), config.getProcessor(working, name)
        between = OCIO.Config.GetProcessorFromConfigs
        return between(config, name, builtin, working), between(builtin, working, config, name)


def space_fingerprint(name: str) -> str:
    """What a space's name means on this host: full name, version of OpenColorIO and, where it comes from $OCIO, a hash.

    The hash is of the transforms between the space and the working space, both ways: of all their operations and
    tables, with context variables filled in, without paths. So another config, `$SHOT` or table under the same name
    gives another fingerprint; a config that was moved, or changed in other spaces, does not.

    Raises:
        InputError, UsageError: as `processors`.
    """
    config, full = find_space(name)
    if config is None:
        return full
    version = f"{full}, OpenColorIO {OCIO.__version__}"
    if config is configs()[-1]:
        return version
    return f"{version} {_transform_digest(os.environ['OCIO'], frozenset(os.environ.items()), full)}"


@lru_cache(maxsize=8)
def _transform_digest(file: str, environment: frozenset[tuple[str, str]], name: str) -> str:
    """Hash of the transforms both ways between a space of the show's config and the working space."""
    config = _show_config(file, environment)
    with translate_errors(name):
        texts = [way.createGroupTransform().write(_CTF, config) for way in processors(config, name)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]


_CTF = "Color Transform Format"
