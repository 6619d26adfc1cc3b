"""Run the command `tsn` as a child process.

A child process gets none of the host's `PYTHON*` variables, which would make it import the host's libraries. It gets a
session of its own, so that it can be ended together with every process that it started.
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

GRACE_SECONDS = 10.0
"""How long tsn may take to remove its temporary files before it is killed."""


class PluginError(Exception):
    """Something that the artist can put right, in one sentence; `hint` is a second one that says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())


def clean_environment() -> dict[str, str]:
    """The host's environment variables without those that would mislead another Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def resolve_command(command: str) -> str:
    """The command's absolute path. A relative one such as bin/tsn is relative to the host's current folder.

    The path is made absolute because the command runs in the shot's folder.

    Raises:
        PluginError: there is no such command.
    """
    path = shutil.which(os.path.expanduser(command))
    if path is None:
        raise _cannot_start(command)
    return os.path.abspath(path)


def run_command(command: str, *arguments: str, timeout_seconds: float = 120) -> str:
    """Run a short command and return what it printed.

    Raises:
        PluginError: it can't be started, takes too long, or fails.
    """
    try:
        done = subprocess.run(
            [resolve_command(command), *arguments],
            env=clean_environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_seconds,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        raise _cannot_start(command) from None
    except subprocess.TimeoutExpired:
        line = " ".join((command, *arguments))
        raise PluginError(f"{line} did not end within {timeout_seconds:.0f} seconds.") from None
    if done.returncode:
        raise PluginError(error_message(done.stderr, done.returncode))
    return done.stdout


def error_message(stderr: str, exit_code: int) -> str:
    """tsn's error message as one line: `tsn: message`, and the indented hint on the line below it."""
    lines = stderr.splitlines()
    for index, line in enumerate(lines):
        if line.startswith(("tsn: ", "Error: ")):
            message = line.split(": ", 1)[1].rstrip(".")
            following = lines[index + 1] if index + 1 < len(lines) else ""
            hint = following.strip() if following.startswith("  ") else ""
            return f"{message}. {hint}".strip()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed no message")
    return f"tsn ended with code {exit_code}: {last}"


def _cannot_start(command: str) -> PluginError:
    return PluginError(
        f"The command {command!r} can't be started.", "Set its path in the preferences, or in TSN_COMMAND."
    )


def _parse_event(line: str) -> Mapping[str, Any] | None:
    """The event of a line; None where it is none, or an incomplete one: tsn may be killed while it writes."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


class TsnProcess:
    """A running command of tsn; with `--json` it prints events.

    Attributes:
        pid: its process id.
        cancelled: whether `cancel` ended it.
    """

    def __init__(self, command: str, *words: str, folder: Path) -> None:
        """Start it in a folder. Raises PluginError where the command can't be started."""
        arguments = [resolve_command(command), *words]
        self._stderr_file = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 (read later)
        try:
            self._process = subprocess.Popen(
                arguments,
                env=clean_environment(),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._stderr_file,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=os.name == "posix",
            )
        except OSError:
            self._stderr_file.close()
            raise _cannot_start(command) from None
        self.pid = self._process.pid
        self.cancelled = False
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read_lines, daemon=True)
        self._reader.start()
        self._all_read = False
        self._stderr = ""

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def events(self) -> Iterator[Mapping[str, Any]]:
        """The events since the last call (see `tsn.rendering.event`). Never waits for one."""
        while not self._all_read:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return
            if line is None:
                self._all_read = True
            elif (event := _parse_event(line)) is not None:
                yield event

    @property
    def ended(self) -> bool:
        """Whether the process is gone and `events` has given all its events."""
        return self._all_read and self._process.poll() is not None

    def raise_if_failed(self) -> None:
        """Wait for its end. Raises PluginError where it was cancelled or failed."""
        exit_code = self._process.wait()
        stderr = self._read_stderr()
        if self.cancelled:
            raise PluginError("Cancelled.")
        if exit_code:
            raise PluginError(error_message(stderr, exit_code))

    def cancel(self) -> None:
        """End it and every process that it started, and wait until it is gone. `events` gives its last events."""
        if self._process.poll() is None:
            self.cancelled = True
            self._process.terminate()
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
                self._process.wait()
        self._reader.join(GRACE_SECONDS)
        if self._reader.is_alive():  # a process that it started left the session and holds the pipe open
            self._all_read = True
        self._read_stderr()

    def _read_stderr(self) -> str:
        if not self._stderr_file.closed:
            self._stderr_file.seek(0)
            self._stderr = self._stderr_file.read()
            self._stderr_file.close()
        return self._stderr


class RenderProcess(TsnProcess):
    """A running `tsn render SHOT --json`."""

    def __init__(self, command: str, shot: Path, *, device: str, frames: str | None = None) -> None:
        """Start it. Raises PluginError where the command can't be started.

        Args:
            frames: only these of the shot's frames.
        """
        only = () if frames is None else ("-F", frames)
        super().__init__(command, "render", str(shot), "--json", "--device", device, *only, folder=shot.parent)


class LearnProcess(TsnProcess):
    """A running `tsn learn SHOT --json`; its events have `share`, `loss` and `picture`."""

    def __init__(self, command: str, shot: Path, *, device: str) -> None:
        """Start it. Raises PluginError where the command can't be started."""
        super().__init__(command, "learn", str(shot), "--json", "--device", device, folder=shot.parent)


class PaintProcess(TsnProcess):
    """A running `tsn paint SHOT -F FRAME`: a key in the manner of a painting."""

    def __init__(self, command: str, shot: Path, *, device: str, frame: int, painting: str, folder: Path) -> None:
        """Start it. Raises PluginError where the command can't be started.

        Args:
            folder: where the key is written.
        """
        words = ("paint", str(shot), "-F", str(frame), "--painting", painting, "-o", str(folder), "--device", device)
        super().__init__(command, *words, folder=shot.parent)
