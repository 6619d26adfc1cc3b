"""Names of numbered files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tsn.errors import InputError, UsageError
from tsn.io.atomic import OUTPUT, alive, atomic, cannot_write, host, sweep

__all__ = ["OUTPUT", "Sequence", "alive", "atomic", "cannot_write", "host", "sweep"]

TOKEN = re.compile(r"(?P<hash>#+)|(?P<at>@+)|%(?:0(?P<printf>\d+))?d|\$F(?P<houdini>\d*)")
PATTERNS = "Name a sequence like sh010.####.exr, sh010.%04d.exr, sh010.$F4.exr or sh010.@@@@.exr."


@dataclass(frozen=True)
class Sequence:
    """Numbered files, as an absolute pattern whose number is written `####`, one `#` a digit."""

    pattern: str

    @classmethod
    def parse(cls, text: str, *, base: Path) -> Sequence:
        """Read a pattern in any usual notation, relative to the folder `base`. Folders are taken as they are called.

        Raises:
            UsageError: no frame number in the file name, or more than one.
        """
        folder, name = os.path.split(text)
        found = list(TOKEN.finditer(name))
        if len(found) > 1:
            raise UsageError(f"The sequence {text!r} has more than one place for a frame number", hint=PATTERNS)
        if not found:
            numbers = list(re.finditer(r"\d+", os.path.splitext(name)[0]))
            hint = PATTERNS
            if numbers:
                first, last = numbers[-1].span()
                hint = f"Perhaps you meant {os.path.join(folder, name[:first] + '#' * (last - first) + name[last:])!r}?"
            raise UsageError(f"The sequence {text!r} has no place for a frame number", hint=hint)
        token = found[0]
        digits = token["printf"] or token["houdini"] or len(token["hash"] or token["at"] or "#")
        name = name[: token.start()] + "#" * max(1, int(digits)) + name[token.end() :]
        return cls(os.path.normpath(os.path.join(os.path.abspath(base), folder, name)))

    def _split(self) -> tuple[str, str, int, str]:
        folder, name = os.path.split(self.pattern)
        prefix, suffix = name.split("#", 1)
        return folder, prefix, 1 + len(suffix) - len(suffix.lstrip("#")), suffix.lstrip("#")

    def _name(self, frame: int) -> str:
        from fileseq.utils import pad

        _, prefix, digits, suffix = self._split()
        return f"{prefix}{pad(frame, digits)}{suffix}"

    def path(self, frame: int) -> Path:
        """The file of one frame, whether it exists or not."""
        return Path(self._split()[0], self._name(frame))

    def on_disk(self) -> tuple[int, ...]:
        """Frames that have a file, ascending.

        Files padded another way, hidden (temporary) ones and links to nothing don't count.

        Raises:
            InputError: the folder is missing or can't be listed.
        """
        folder, prefix, _, suffix = self._split()
        numbered = re.compile(re.escape(prefix) + r"(-?\d+)" + re.escape(suffix))
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.is_file()]
        except OSError as error:
            hint = "A frame number stands in the file's name only." if TOKEN.search(folder) else None
            raise InputError(
                f"Can't list {folder}, the folder of {self.pattern}: {error.strerror}", hint=hint
            ) from error
        numbers = [int(match[1]) for name in names if (match := numbered.fullmatch(name)) and name[0] != "."]
        here = set(names)
        return tuple(sorted({number for number in numbers if self._name(number) in here}))
