"""The same files under other paths: `P:/show` on an artist's desk is `/mnt/show` on a host.

`$TSN_PATHMAP` holds rules with semicolons between: `FROM=TO`, or the name of a JSON file as Open Job Description hands
it to a session (`{{Session.PathMappingRulesFile}}`). A rule holds for a folder and all below it; of several that fit,
the longest does. Source: Open Job Description, "How Jobs Are Run", path mapping.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from tsn.errors import UsageError

VARIABLE = "TSN_PATHMAP"
HINT = f"{VARIABLE} is FROM=TO, with semicolons between several, or a JSON file of Open Job Description's rules."


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A path in the folder `source` is in the folder `destination` here.

    Attributes:
        windows: `source` is a path of Windows, so case and the kind of slash don't count.
    """

    source: str
    destination: str
    windows: bool


def read_rules(environ: Mapping[str, str] = os.environ) -> tuple[Rule, ...]:
    """The rules in `$TSN_PATHMAP`, the longest source first; none where it is not set.

    Raises:
        UsageError: it contains no rules, or names a file without rules; a rule leads into the source of another.
    """
    found: list[Rule] = []
    for entry in environ.get(VARIABLE, "").split(";"):
        if not (entry := entry.strip()):
            continue
        source, given, destination = entry.partition("=")
        if given:
            found.append(_rule(source.strip(), destination.strip()))
        else:
            found += _rules_of_file(Path(entry))
    by = tuple(sorted(found, key=lambda rule: -len(rule.source)))
    for rule in by:
        if (again := map_path(rule.destination, by)) != rule.destination:
            raise UsageError(
                f"{VARIABLE}: {rule.source} leads to {rule.destination}, and another rule from there to {again}.",
                hint="A path is mapped wherever it is read, so no rule may lead into another's source.",
            )
    return by


def _rules_of_file(path: Path) -> list[Rule]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        listed = data.get("path_mapping_rules", [])
        return [
            _rule(one["source_path"], one["destination_path"], one["source_path_format"].upper() == "WINDOWS")
            for one in listed
            if one["source_path_format"].upper() != "URI"  # of files, not of names in a bucket
        ]
    except OSError as error:
        raise UsageError(f"{VARIABLE}: can't read the rules {path}: {error.strerror}.", hint=HINT) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{VARIABLE}: {path} holds no path-mapping rules: {error}.", hint=HINT) from error


def _rule(source: str, destination: str, windows: bool | None = None) -> Rule:
    if not source or not os.path.isabs(os.path.expanduser(destination)):
        raise UsageError(
            f"{VARIABLE}: expected FROM=TO with an absolute path behind the sign, found {source!r} = {destination!r}.",
            hint=HINT,
        )
    if windows is None:
        windows = is_windows(source)
    return Rule(source=source.rstrip("/\\") or source, destination=os.path.expanduser(destination), windows=windows)


def is_windows(path: str) -> bool:
    """Whether a path can only be one of Windows: `P:\\show`, `P:/show`, `\\\\server\\show`."""
    drive = PureWindowsPath(path).drive
    return bool(drive) and (len(drive) == 2 or path.startswith("\\\\"))


def map_path(path: str, by: Sequence[Rule]) -> str:
    """A path as this host has it; a path that no rule fits, or that is mapped already, is unchanged.

    A rule may lead into a folder below its own source, `/mnt=/mnt/nas`, and a plan that was made here is read here too.
    """
    for rule in by:
        rest = _below(path, rule.source, windows=rule.windows)
        if rest is not None:
            if _below(path, rule.destination) is not None and _below(rule.destination, rule.source) is not None:
                return path
            return os.path.join(rule.destination, (rest.replace("\\", "/") if rule.windows else rest).lstrip("/"))
    return path


def _below(path: str, folder: str, *, windows: bool = False) -> str | None:
    """The part of a path after a folder, where it is that folder or lies in it; else None."""
    text, start = (_folded(path), _folded(folder)) if windows else (path, folder)
    rest = path[len(folder) :]
    if text == start or (text.startswith(start) and (rest[:1] in ("/", "\\") or start.endswith("/"))):
        return rest
    return None


def _folded(path: str) -> str:
    """In lower case with forward slashes, of the same length, which `casefold` doesn't keep."""
    return "".join(low if len(low := one.lower()) == 1 else one for one in path.replace("\\", "/"))
