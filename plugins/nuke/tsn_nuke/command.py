"""The command `tsn` as a child process. Plain Python, without the host; the same file in tsn_blender and tsn_nuke.

A child gets none of the host's `PYTHON*` variables, which would make it import the host's libraries, and a session of
its own, so that it can be ended with all it started.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

GRACE = 10.0
"""Seconds that tsn has to put its temporary files away before it is killed."""


class Failed(Exception):
    """One sentence for the artist; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())


def environment() -> dict[str, str]:
    """The host's environment without what would lead another Python astray."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def not_found(command: str) -> Failed:
    return Failed(f"The command {command!r} can't be started.", "Set its path in the preferences, or in TSN_COMMAND.")


def found(command: str) -> str:
    """Where the command is, whatever folder it will run in. Raises Failed where there is none.

    A path that starts nowhere, as bin/tsn does, starts in the folder that the host was started in.
    """
    path = shutil.which(os.path.expanduser(command))
    if path is None:
        raise not_found(command)
    return os.path.abspath(path)


def ask(command: str, *words: str, seconds: float = 120) -> str:
    """Run a short command and return what it printed. Raises Failed."""
    try:
        done = subprocess.run(
            [found(command), *words],
            env=environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        raise not_found(command) from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{command} {' '.join(words)} did not answer within {seconds:.0f} seconds.") from None
    if done.returncode:
        raise Failed(explained(done.stderr, done.returncode))
    return done.stdout


def explained(stderr: str, code: int) -> str:
    """What tsn said was wrong, as one line: `tsn: message` and the hint below it."""
    said = stderr.splitlines()
    for number, line in enumerate(said):
        if line.startswith(("tsn: ", "Error: ")):
            message = line.split(": ", 1)[1].rstrip(".")
            hint = said[number + 1].strip() if said[number + 1 :] and said[number + 1].startswith("  ") else ""
            return f"{message}. {hint}".strip()
    last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
    return f"tsn ended with code {code}: {last}"


def _event(line: str) -> Mapping[str, Any] | None:
    """What a line reports; None for one that is no event, or half of one: tsn may be killed while it writes."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


class Child:
    """`tsn render SHOT --json`, running."""

    def __init__(self, command: str, shot: Path, *, device: str) -> None:
        words = [found(command), "render", str(shot), "--json", "--device", device]
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 (read at its end)
        try:
            self._process = subprocess.Popen(
                words,
                env=environment(),
                cwd=shot.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=os.name == "posix",
            )
        except OSError:
            self._stderr.close()
            raise not_found(command) from None
        self.pid = self._process.pid
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ended = self.cancelled = False
        self._said = ""

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self._lines.put(line)
        self._lines.put(None)

    def events(self) -> Iterator[Mapping[str, Any]]:
        """What it reported since the last call, at once; see `tsn.rendering.event`. Nothing more after its end."""
        while not self._ended:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return
            if line is None:
                self._ended = True
            elif (event := _event(line)) is not None:
                yield event

    @property
    def ended(self) -> bool:
        """Whether it is gone and all it said was read."""
        return self._ended and self._process.poll() is not None

    def finish(self) -> None:
        """After its end: raise Failed where it did not do what it should."""
        code = self._process.wait()
        said = self._heard()
        if self.cancelled:
            raise Failed("Cancelled.")
        if code:
            raise Failed(explained(said, code))

    def cancel(self) -> None:
        """End it and all it started; returns when it is gone, and `events` has the rest of what it said."""
        if self._process.poll() is None:
            self.cancelled = True
            self._process.terminate()
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
                self._process.wait()
        self._reader.join(GRACE)
        if self._reader.is_alive():  # something that it started got away, and holds the pipe open
            self._ended = True
        self._heard()

    def _heard(self) -> str:
        if not self._stderr.closed:
            self._stderr.seek(0)
            self._said = self._stderr.read()
            self._stderr.close()
        return self._said
