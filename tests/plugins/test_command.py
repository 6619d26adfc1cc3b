"""The plug-ins run `tsn` as a child: found, heard, cancelled, and its faults passed on."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from plain_modules import command


def script(path, text):
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_child_has_none_of_the_hosts_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    asked = script(tmp_path / "tsn", "import os; print([name for name in os.environ if name.startswith('PYTHON')])")
    assert command.ask(asked).strip() == "[]"


def test_a_missing_command_is_one_sentence(tmp_path):
    with pytest.raises(command.Failed, match=r"'/no/tsn' can't be started\. Set its path"):
        command.ask("/no/tsn", "--version")
    with pytest.raises(command.Failed, match="can't be started"):
        command.Child("/no/tsn", tmp_path / "a.yaml", device="cpu")


@pytest.mark.parametrize("named", ["bin/tsn", "./bin/tsn", "~/bin/tsn"])
def test_a_command_is_found_from_the_folder_the_host_was_started_in(tmp_path, monkeypatch, named):
    """A child runs in the shot's folder, where a relative path would lead elsewhere."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "shot").mkdir()
    script(tmp_path / "bin/tsn", "import os; print(os.getcwd())")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    child = command.Child(named, tmp_path / "shot/a.yaml", device="cpu")
    wait_for(lambda: list(child.events()) or child.ended)
    child.finish()
    assert command.ask(named).strip() == str(tmp_path)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tsn: a.exr is damaged\n  Copy it again.\n", "a.exr is damaged. Copy it again."),
        ("Warning: x\ntsn: no device 'cuda'.\n", "no device 'cuda'."),
        ("Usage: tsn render\n\nError: No such option: --x\n", "No such option: --x."),
        ("Killed\n", "tsn ended with code 3: Killed"),
        ("", "tsn ended with code 3: it said nothing"),
    ],
)
def test_what_tsn_says_is_passed_on_in_one_line(said, told):
    assert command.explained(said, 3) == told


def test_events_are_heard_while_it_runs(tmp_path):
    text = (
        "import json, sys, time\n"
        "print(json.dumps({'kind': 'start', 'total': 2}), flush=True)\n"
        "print('no event', flush=True)\n"
        "sys.stdin.read(); time.sleep(0.2)\n"
        "print(json.dumps({'kind': 'frame', 'frame': 1, 'done': 1, 'total': 2}), flush=True)"
    )
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    heard = []

    def ended():
        heard.extend(event["kind"] for event in child.events())
        return child.ended

    wait_for(ended)
    child.finish()
    assert heard == ["start", "frame"]


def test_a_line_that_cannot_be_read_ends_nothing(tmp_path):
    """Letters of another encoding, and half a line of one that was killed."""
    text = 'import sys; sys.stdout.buffer.write(b\'W\\xfcrfel\\n{"kind": "end"}\\n{"kind": "fra\')'
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    heard = []
    wait_for(lambda: heard.extend(event["kind"] for event in child.events()) or child.ended)
    child.finish()
    assert heard == ["end"]
    assert "fel" in command.ask(str(tmp_path / "tsn"))


def test_a_child_that_will_not_end_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GRACE", 0.5)
    text = (
        "import json, os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(json.dumps({'kind': 'note', 'text': str(worker.pid)}), flush=True); time.sleep(60)"
    )
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    heard = []
    wait_for(lambda: heard.extend(child.events()) or heard)
    child.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)

    def gone():
        status = Path(f"/proc/{heard[0]['text']}/status")
        return not status.exists() or "State:\tZ" in status.read_text()

    wait_for(gone)
    with pytest.raises(command.Failed, match="Cancelled"):
        child.finish()


def test_sigterm_is_what_it_gets_first(tmp_path):
    text = (
        "import signal, sys, time, json; signal.signal(signal.SIGTERM, lambda *_: (open('told', 'w'), sys.exit(130)))\n"
    )
    text += "print(json.dumps({'kind': 'start'}), flush=True); time.sleep(60)"
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    wait_for(lambda: list(child.events()))
    child.cancel()
    assert (tmp_path / "told").exists()


def test_what_it_said_before_it_was_cancelled_is_heard(tmp_path):
    text = (
        "import json, time; print(json.dumps({'kind': 'start'}), flush=True)\n"
        "print(json.dumps({'kind': 'frame', 'frame': 1}), flush=True); open('said', 'w'); time.sleep(60)"
    )
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    wait_for((tmp_path / "said").exists)
    child.cancel()
    assert [event["kind"] for event in child.events()] == ["start", "frame"]
    assert child.ended
