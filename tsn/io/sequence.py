"""Names of numbered files, and how a file appears under its name only when it is whole."""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tsn.errors import InputError, OutputError, UsageError

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


OUTPUT = "`output:`"
"""What a person corrects where a frame can't be written."""
REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space and render again: finished frames are kept."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and render again: finished frames are kept."),
    errno.EACCES: ("permission denied", "Check who owns the folder, or correct {setting}."),
    errno.EPERM: ("permission denied", "Check who owns the folder, or correct {setting}."),
    errno.EROFS: ("the file system is read-only", "Choose another folder: correct {setting}."),
    errno.ENOENT: ("the folder does not exist", "Create it, or correct {setting}."),
    errno.ENOTDIR: ("part of the path is a file, not a folder", "Correct {setting}."),
    errno.EISDIR: ("a folder has that name", "Correct {setting}."),
    errno.ENAMETOOLONG: ("the name is too long", "Make it shorter: correct {setting}."),
}


def cannot_write(path: Path, error: OSError, setting: str = "the path") -> OutputError:
    """The error to raise where writing `path` failed, which `setting` chose."""
    reason, hint = REASONS.get(error.errno or 0, (error.strerror or str(error), None))
    return OutputError(f"Can't write {path}: {reason}", hint=hint and hint.format(setting=setting))


def host() -> str:
    """This host, as it stands in the names of what its processes leave behind."""
    return re.sub(r"\W", "-", socket.gethostname())[:24]


def sweep(folder: Path) -> None:
    """Remove what writers on this host left half-written in `folder` when they were killed."""
    mine = re.compile(rf"\.tsn-{re.escape(host())}-(\d+)-\d+-.+")
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (match := mine.fullmatch(entry.name)) and not alive(int(match[1])):
                with suppress(OSError):
                    os.unlink(entry.path)


def alive(process: int) -> bool:
    """Whether a process of this host is still there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def atomic(path: Path, setting: str = "the path") -> Iterator[Path]:
    """Write a file so that nobody ever sees half of it under its name.

    Args:
        setting: what a person corrects where it can't be written.

    Yields:
        A hidden name in the same folder, unique to this host, process and thread, with the same suffix.
        When the block ends well its bytes are forced to disk and it replaces `path`; otherwise it goes.

    Raises:
        OutputError: the block, the fsync or the replacement met an OSError.
    """
    temporary = path.with_name(f".tsn-{host()}-{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        yield temporary
        handle = os.open(temporary, os.O_RDWR)
        try:
            os.fsync(handle)  # a farm node that loses power must not leave an empty file under a finished name
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # a folder that isn't one, or is read-only, holds no temporary either
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(path, error, setting) from error
        raise
