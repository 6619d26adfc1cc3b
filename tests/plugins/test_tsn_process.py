"""The plug-ins run `tsn` as a child process: it is found, read, cancelled, and its errors are passed on."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from plain_modules import tsn_process


def script(path, text):
    """Write an executable Python script, and return its path."""
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


def wait_for(condition, seconds=20):
    """Wait until a condition is true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_child_has_none_of_the_hosts_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    command = script(tmp_path / "tsn", "import os; print([name for name in os.environ if name.startswith('PYTHON')])")
    assert tsn_process.run_command(command).strip() == "[]"


def test_a_missing_command_is_one_sentence(tmp_path):
    with pytest.raises(tsn_process.PluginError, match=r"'/no/tsn' can't be started\. Set its path"):
        tsn_process.run_command("/no/tsn", "--version")
    with pytest.raises(tsn_process.PluginError, match="can't be started"):
        tsn_process.RenderProcess("/no/tsn", tmp_path / "a.yaml", device="cpu")


@pytest.mark.parametrize("named", ["bin/tsn", "./bin/tsn", "~/bin/tsn"])
def test_a_command_is_found_from_the_folder_the_host_was_started_in(tmp_path, monkeypatch, named):
    """A child runs in the shot's folder, where a relative path would lead elsewhere."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "shot").mkdir()
    script(tmp_path / "bin/tsn", "import os; print(os.getcwd())")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    child = tsn_process.RenderProcess(named, tmp_path / "shot/a.yaml", device="cpu")
    wait_for(lambda: list(child.events()) or child.ended)
    child.raise_if_failed()
    assert tsn_process.run_command(named).strip() == str(tmp_path)


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("tsn: a.exr is damaged\n  Copy it again.\n", "a.exr is damaged. Copy it again."),
        ("Warning: x\ntsn: no device 'cuda'.\n", "no device 'cuda'."),
        ("Usage: tsn render\n\nError: No such option: --x\n", "No such option: --x."),
        ("Killed\n", "tsn ended with code 3: Killed"),
        ("", "tsn ended with code 3: it printed no message"),
    ],
)
def test_an_error_of_tsn_becomes_one_line(stderr, expected):
    assert tsn_process.error_message(stderr, 3) == expected


def test_events_are_read_while_it_runs(tmp_path):
    text = (
        "import json, sys, time\n"
        "print(json.dumps({'kind': 'start', 'total': 2}), flush=True)\n"
        "print('no event', flush=True)\n"
        "sys.stdin.read(); time.sleep(0.2)\n"
        "print(json.dumps({'kind': 'frame', 'frame': 1, 'done': 1, 'total': 2}), flush=True)"
    )
    child = tsn_process.RenderProcess(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    events = []

    def ended():
        events.extend(event["kind"] for event in child.events())
        return child.ended

    wait_for(ended)
    child.raise_if_failed()
    assert events == ["start", "frame"]


def test_a_line_that_cannot_be_read_ends_nothing(tmp_path):
    """Letters of another encoding, and half a line of one that was killed."""
    text = 'import sys; sys.stdout.buffer.write(b\'W\\xfcrfel\\n{"kind": "end"}\\n{"kind": "fra\')'
    child = tsn_process.RenderProcess(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    events = []
    wait_for(lambda: events.extend(event["kind"] for event in child.events()) or child.ended)
    child.raise_if_failed()
    assert events == ["end"]
    assert "fel" in tsn_process.run_command(str(tmp_path / "tsn"))


def test_a_child_that_will_not_end_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(tsn_process, "GRACE_SECONDS", 0.5)
    text = (
        "import json, os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(json.dumps({'kind': 'note', 'text': str(worker.pid)}), flush=True); time.sleep(60)"
    )
    child = tsn_process.RenderProcess(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    events = []
    wait_for(lambda: events.extend(child.events()) or events)
    child.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)

    def gone():
        status = Path(f"/proc/{events[0]['text']}/status")
        return not status.exists() or "State:\tZ" in status.read_text()

    wait_for(gone)
    with pytest.raises(tsn_process.PluginError, match="Cancelled"):
        child.raise_if_failed()


def test_sigterm_is_what_it_gets_first(tmp_path):
    text = (
        "import json, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open('terminated', 'w'), sys.exit(130)))\n"
        "print(json.dumps({'kind': 'start'}), flush=True); time.sleep(60)"
    )
    child = tsn_process.RenderProcess(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    wait_for(lambda: list(child.events()))
    child.cancel()
    assert (tmp_path / "terminated").exists()


def test_events_before_it_was_cancelled_are_read(tmp_path):
    text = (
        "import json, time; print(json.dumps({'kind': 'start'}), flush=True)\n"
        "print(json.dumps({'kind': 'frame', 'frame': 1}), flush=True); open('written', 'w'); time.sleep(60)"
    )
    child = tsn_process.RenderProcess(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    wait_for((tmp_path / "written").exists)
    child.cancel()
    assert [event["kind"] for event in child.events()] == ["start", "frame"]
    assert child.ended
