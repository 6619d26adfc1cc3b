"""Frame sequences: files that are numbered by frame."""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tsn.errors import InputError, UsageError

TOKEN = re.compile(r"(?P<hash>#+)|(?P<at>@+)|%(?:0(?P<printf>\d+))?d|\$F(?P<houdini>\d*)")
SEPARATORS = "._ -"
COPY = r"(?: \d+|[ _-]*\(\d+\)|[ _-]+(?:copy|kopie|copie|copia)(?:[ _-]*\(?\d+\)?)?)?"
"""What file managers append to the name of a copy."""
UNFINISHED = r"(?:~|\.(?:swp|tmp|temp|part|partial|filepart|crdownload|download|bak|old|orig|lock|\d+))?"
"""What editors, copiers and renderers append to the name of an unfinished or old file."""
PATTERN_HINT = "Name a sequence like sh010.####.exr, sh010.%04d.exr, sh010.$F4.exr or sh010.@@@@.exr."


@dataclass(frozen=True)
class FrameSequence:
    """The files of an absolute pattern whose frame number is written `####`, one `#` per digit."""

    pattern: str

    @classmethod
    def parse(cls, text: str, *, base: Path) -> FrameSequence:
        """Parse a pattern in any usual notation, relative to the folder `base`. Only the file name may hold a number.

        Raises:
            UsageError: no frame number in the file name, or more than one.
        """
        folder, name = os.path.split(text)
        found = list(TOKEN.finditer(name))
        if len(found) > 1:
            raise UsageError(f"The sequence {text!r} has more than one place for a frame number", hint=PATTERN_HINT)
        if not found:
            numbers = list(re.finditer(r"\d+", os.path.splitext(name)[0]))
            hint = PATTERN_HINT
            if numbers:
                first, last = numbers[-1].span()
                hint = f"Perhaps you meant {os.path.join(folder, name[:first] + '#' * (last - first) + name[last:])!r}?"
            raise UsageError(f"The sequence {text!r} has no place for a frame number", hint=hint)
        token = found[0]
        digits = token["printf"] or token["houdini"] or len(token["hash"] or token["at"] or "#")
        name = name[: token.start()] + "#" * max(1, int(digits)) + name[token.end() :]
        return cls(os.path.normpath(os.path.join(os.path.abspath(base), folder, name)))

    def _split(self) -> tuple[str, str, int, str]:
        """Folder, what precedes the number, digits, what follows it."""
        folder, name = os.path.split(self.pattern)
        prefix, suffix = name.split("#", 1)
        return folder, prefix, 1 + len(suffix) - len(suffix.lstrip("#")), suffix.lstrip("#")

    def _name(self, frame: int) -> str:
        """The file name of a frame; of one before 0 as C pads it: -001."""
        from fileseq.utils import pad

        _, prefix, digits, suffix = self._split()
        return f"{prefix}{pad(frame, digits)}{suffix}"

    def _signed(self, frame: int) -> str:
        """The file name with the sign before all of the digits, as Blender writes it: -0001."""
        _, prefix, digits, suffix = self._split()
        return f"{prefix}{'-' if frame < 0 else ''}{abs(frame):0{digits}}{suffix}"

    def path(self, frame: int) -> Path:
        """The path of a frame, whether it exists or not; of one before 0 the spelling that exists, -001 or -0001."""
        path = Path(self._split()[0], self._name(frame))
        if frame < 0 and not path.exists() and (signed := path.with_name(self._signed(frame))).exists():
            return signed
        return path

    def on_disk(self) -> tuple[int, ...]:
        """Frames that have a file, ascending.

        Files with another padding, hidden (temporary) ones and broken links don't count; `ignored_files` names them.

        Raises:
            InputError: the folder is missing or can't be listed.
        """
        return tuple(sorted({number for number, name, there in self._numbered() if there and self._is(name, number)}))

    def duplicate_frames(self) -> dict[int, tuple[str, str]]:
        """Frames that exist twice, with another number of digits: frame -> both names.

        Empty where the folder can't be listed.
        """
        found: dict[int, list[str]] = {}
        with suppress(InputError):
            for number, name, there in self._numbered():
                if there:
                    found.setdefault(number, []).append(name)
        own = {number: self.path(number).name for number in found}
        return {
            number: (own[number], next(name for name in sorted(names) if name != own[number]))
            for number, names in sorted(found.items())
            if len(names) > 1 and own[number] in names
        }

    def ignored_files(self) -> tuple[str, ...]:
        """Names in the folder that look like frames but are not part of the sequence, sorted.

        Such as another padding, case or separator, copies and half-written files of other programs, broken links and
        folders. Empty where the folder can't be listed.
        """
        _, prefix, _, suffix = self._split()
        prefix = _folded(prefix)
        stem = prefix.rstrip(SEPARATORS)
        between = f"[{SEPARATORS}]" + ("" if stem != prefix else "?")
        frame = rf"{re.escape(stem)}{between}[-+]?\d+(?:[.,]\d+)?{COPY}{re.escape(_folded(suffix))}"
        looks = re.compile(rf"{frame}{UNFINISHED}|\.{frame}(?:~|\.\w+)?")
        try:
            taken = {name for number, name, there in self._numbered() if there and self._is(name, number)}
            names = os.listdir(self._split()[0])
        except (InputError, OSError):
            return ()
        return tuple(sorted(name for name in names if name not in taken and looks.fullmatch(_folded(name))))

    def _is(self, name: str, number: int) -> bool:
        """Whether a name is that of a frame of this sequence."""
        return name == self._name(number) or (number < 0 and name == self._signed(number))

    def _numbered(self) -> list[tuple[int, str, bool]]:
        """Entries of the folder that are named like frames, with any padding: number, name, whether it is a file."""
        folder, prefix, _, suffix = self._split()
        numbered = re.compile(re.escape(prefix) + r"(-?[0-9]+)" + re.escape(suffix))
        try:
            with os.scandir(folder) as entries:
                return [
                    (int(match[1]), entry.name, entry.is_file())
                    for entry in entries
                    if (match := numbered.fullmatch(entry.name)) and entry.name[0] != "."
                ]
        except OSError as error:
            hint = "A frame number stands in the file's name only." if TOKEN.search(folder) else None
            raise InputError(
                f"Can't list {folder}, the folder of {self.pattern}: {error.strerror}", hint=hint
            ) from error


def _folded(name: str) -> str:
    """A name without case, its accents composed (some disks store them as separate characters), to compare."""
    return unicodedata.normalize("NFC", name).casefold()


def describe_ignored(names: tuple[str, ...]) -> str:
    """A sentence with the number of `FrameSequence.ignored_files` and a few of their names; "" for none."""
    if not names:
        return ""
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    verb = "file looks like a frame and is" if len(names) == 1 else "files look like frames and are"
    return f"{len(names)} {verb} not taken: {some}."
