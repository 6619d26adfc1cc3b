"""Paths as other systems and programs write them: variables are filled in, and paths that can't be one of this host
are refused.

Otherwise a folder called `$RENDER_ROOT` or `P:` would be made beside the shot.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from tsn.errors import UsageError, near_miss
from tsn.shot.pathmap import map_path, read_rules

TOKENS = ("show", "seq", "shot", "version", "layer", "frame")
"""The tokens of plate, output and style.frames, written in braces; `tsn.shot.paths` fills them in."""
WINDOWS = os.name == "nt"
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<plain>[A-Za-z_]\w*))", re.ASCII)
_WINDOWS_VARIABLE = re.compile(r"%(?P<percent>[A-Za-z_][\w()]*)%", re.ASCII)
_FRAME = re.compile(r"\$(?:\{(F\d*)\}|(F\d+|F(?![A-Za-z0-9])))")
"""Houdini's frame number, which is a token of the file name, not a variable."""
_OTHERS = (
    (re.compile(r"\[(?:getenv|value|python|file)\b"), "an expression of Nuke"),
    (re.compile(r"<[A-Za-z]\w*>"), "a token of another program"),
    (re.compile(r"%[vV](?![A-Za-z0-9])"), "Nuke's token of a view"),
)
_MAPPED = "Write it as this host sees it, or say where that is with TSN_PATHMAP."


def expand_variables(text: str, environ: Mapping[str, str], *, windows: bool = WINDOWS) -> str:
    """A path with `$VAR` and `${VAR}` filled in, on Windows `%VAR%` too; `$F4` in a file's name stays.

    Raises:
        UsageError: a variable is not set, or empty.
    """
    start = len(text) - len(os.path.basename(text))
    frames = {match.start(): match for match in _FRAME.finditer(text) if match.start() >= start}

    def value(match: re.Match[str]) -> str:
        variable = next(filter(None, match.groups()))
        if environ.get(variable):
            return environ[variable]
        state = "empty" if variable in environ else "not set"
        raise UsageError(f"the variable {match[0]} is {state}, in {text!r}", hint=_hint(variable, environ))

    def fill(match: re.Match[str]) -> str:
        frame = frames.get(match.start())
        return value(match) if frame is None else f"${frame[1] or frame[2]}{text[frame.end() : match.end()]}"

    filled = _VARIABLE.sub(fill, text)
    return _WINDOWS_VARIABLE.sub(value, filled) if windows else filled


def _hint(variable: str, environ: Mapping[str, str]) -> str:
    if re.fullmatch(r"F\d*", variable):
        return "A frame number stands in the file's name only."
    if variable in TOKENS:
        return f"Perhaps you meant the token {{{variable}}}, without $?"
    return near_miss(variable, environ.keys() - {variable}) or "Set it where tsn runs, or write the path out."


def localise_path(text: str, environ: Mapping[str, str], *, windows: bool = WINDOWS) -> str:
    """A path as this host writes it; variables and tokens are filled in already.

    Args:
        environ: where TSN_PATHMAP is looked up, which says where this host has the files of another.

    Raises:
        UsageError: an address, another system's path, or another program's token; no rules in TSN_PATHMAP.
    """
    text = map_path(text, read_rules(environ))
    if address := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", text):
        scheme = address[1].lower()
        plain = re.sub(r"\Afile:(?://(?:localhost)?)?(?=/)", "", text, flags=re.IGNORECASE)
        hint = f"Write {plain!r}." if scheme == "file" else "tsn reads and writes files: mount it, or copy it first."
        raise UsageError(f"expected a path, found an address ({scheme}): {text!r}", hint=hint)
    for token, what in _OTHERS:
        if found := token.search(text):
            hint = f"Tokens of a shot file: {' '.join('{' + name + '}' for name in TOKENS)}; variables: $VAR."
            raise UsageError(f"expected a path, found {what}, {found[0]!r}, in {text!r}", hint=hint)
    if text.startswith("~") and os.path.expanduser(text) == text:
        user = re.split(r"[\\/]", text)[0]
        raise UsageError(f"nobody on this host is called {user[1:]!r}, in {text!r}", hint=f"A folder is ./{user}.")
    if windows:
        return text
    _require_posix(text)
    return re.sub(r"\A//(?!/)", "/", text)


def _require_posix(text: str) -> None:
    share = re.match(r"//(?!/)([^/]+)", text)
    if variable := _WINDOWS_VARIABLE.search(text):
        hint = f"Write ${variable['percent']}, and set it where tsn runs."
        raise UsageError(f"expected a path of this host, found Windows' {variable[0]}, in {text!r}", hint=hint)
    if re.match(r"[A-Za-z]:", text):
        raise UsageError(f"expected a path of this host, found the Windows drive {text[:2]}, in {text!r}", hint=_MAPPED)
    # POSIX lets a system read // as it likes, and Linux reads /: taken where there is such a folder.
    if text.startswith("\\\\") or (share and not os.path.isdir(f"/{share[1]}")):
        raise UsageError(f"expected a path of this host, found a Windows share, {text!r}", hint=_MAPPED)
    if "\\" in text:
        raise UsageError(f"expected / between folders, found a backslash, in {text!r}", hint="Write / instead.")
