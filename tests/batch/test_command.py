"""How commands end: in a line or two, and an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tsn.errors import Cancelled, DeviceError, InputError
from tsn_batch.command import CommandSettings, run_command
from tsn_batch.local import rendering

TSN = Path(sys.executable).with_name("tsn")


def test_an_unexpected_exception_is_one_line_and_1(tsn, shot, monkeypatch):
    def broken(plan, **options):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr(rendering, "render_plan", broken)
    file = shot()
    result = tsn("render", file)
    assert result.exit_code == 1
    assert result.stderr.startswith("tsn: unexpected ZeroDivisionError: a b\n")
    assert "--debug" in result.stderr and "Traceback" not in result.stderr
    for words in (["--debug", "render"], ["render", "--debug"]):
        assert "Traceback" in tsn(*words, file).stderr


def test_errors_say_message_and_hint(tsn, shot, monkeypatch):
    def refused(plan, **options):
        raise DeviceError("No device 'cuda:7' here", hint="Use --device cpu.")

    monkeypatch.setattr(rendering, "render_plan", refused)
    result = tsn("render", shot())
    assert (result.exit_code, result.stderr) == (4, "tsn: No device 'cuda:7' here\n  Use --device cpu.\n")


def test_sigterm_is_ctrl_c(capsys):
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def work():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            cleaned.append(True)

    try:
        assert run_command(work, CommandSettings()) == 130
        assert signal.alarm(0) > 20, "it would be ended if it didn't end by itself"
    finally:
        signal.alarm(0)
    assert cleaned and capsys.readouterr().err == "tsn: Cancelled.\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_an_interruption_turns_into_is_one(capsys):
    """A C++ module that is interrupted while it loads raises ImportError. A longer message than `Cancelled` is kept."""

    def loading(after):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except KeyboardInterrupt as error:
            raise after from error

    try:
        for after in (ImportError("initialization failed"), InputError("No colour"), Cancelled("Cancelled; 3 frames.")):
            assert run_command(lambda after=after: loading(after), CommandSettings()) == 130
        assert run_command(lambda: Path("/nowhere").read_text(), CommandSettings()) == 1, (
            "the next command is another one"
        )
    finally:
        signal.alarm(0)
    stderr = capsys.readouterr().err
    assert stderr.startswith(
        "tsn: Cancelled.\ntsn: Cancelled.\ntsn: Cancelled; 3 frames.\ntsn: unexpected FileNotFound"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_process_ends_even_if_it_cannot_clean_up(number):
    """Its cleaning waits for a thread that waits for a lock nobody gives back; so would the interpreter's end."""
    code = """if True:
        import signal, threading, time
        from concurrent.futures import ThreadPoolExecutor
        from tsn_batch import command
        from tsn_batch.process import interrupts
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background inherits none
        interrupts.END_S = 1
        taken = threading.Lock()
        taken.acquire()
        def work():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(taken.acquire)
                print("at work", flush=True)
                time.sleep(60)
        raise SystemExit(command.run_command(work, command.CommandSettings()))
    """
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"at work\n"
    process.send_signal(number)
    assert process.wait(timeout=300) == 130
    process.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes")
def test_a_reader_that_goes_away_is_no_traceback(shot):
    script = f'"{TSN}" plan "{shot()}" -o - | true; echo "${{PIPESTATUS[0]}}"'
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("1\n", "")
