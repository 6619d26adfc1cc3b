from __future__ import annotations

import io
import json
import re

import pytest

from tsn.rendering.event import Event
from tsn_batch.progress import DISPLAYS, choose_display
from tsn_batch.render_stats import RenderStats
from tsn_batch.wording import format_table


def frame(number, done, total, status="rendered", seconds=0.5):
    return Event(kind="frame", frame=number, status=status, done=done, total=total, seconds=seconds)


RUN = (
    Event(kind="start", total=3),
    Event(kind="note", text="The plate [left] has no motion vectors."),
    frame(1001, 1, 3, "skipped", 0.0),
    frame(1002, 2, 3, seconds=1.234),
    frame(1003, 3, 3),
    Event(kind="done", done=3, total=3, seconds=1.9),
)


def shown(name, events=RUN):
    out, tally = io.StringIO(), RenderStats()
    with DISPLAYS[name](out, tally) as show:
        for event in events:
            tally.add(event)
            show(event)
    return out.getvalue()


def tallied(*events):
    tally = RenderStats()
    for event in events:
        tally.add(event)
    return tally


def test_plain_is_a_line_a_frame():
    assert shown("plain").splitlines() == [
        "The plate [left] has no motion vectors.",
        "1001  skipped  (1/3)",
        "1002  1.23 s  (2/3)",
        "1003  0.50 s  (3/3)",
    ]


def test_plain_flushes_every_line():
    class Log(io.StringIO):
        flushed = 0

        def flush(self):
            self.flushed += 1

    out = Log()
    with DISPLAYS["plain"](out, RenderStats()) as show:
        show(frame(1, 1, 2))
        assert out.flushed == 1


def test_json_is_every_event_and_nothing_else():
    events = [json.loads(line) for line in shown("json").splitlines()]
    assert [Event(**event | {"covers": tuple(event["covers"])}) for event in events] == list(RUN)


def test_silent_says_nothing():
    assert shown("silent") == ""


def test_bar_shows_frame_count_pace_and_notes(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = shown("bar")
    assert "The plate [left] has no motion vectors." in text  # its brackets are no markup
    assert re.search(r"1003.*3/3", text)
    assert "fps" in text


@pytest.mark.parametrize("no_color", [True, False])
def test_bar_honours_no_color(monkeypatch, no_color):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    coloured = re.search(r"\x1b\[[0-9;]*3[0-9]", shown("bar"))
    assert (coloured is None) == no_color


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("out", "kwargs", "expected"),
    [
        (Terminal(), {}, "bar"),
        (io.StringIO(), {}, "plain"),
        (Terminal(), {"environ": {"TERM": "dumb"}}, "plain"),
        (Terminal(), {"as_json": True}, "json"),
        (io.StringIO(), {"as_json": True, "quiet": True}, "json"),
        (Terminal(), {"quiet": True}, "silent"),
    ],
)
def test_choose_display(out, kwargs, expected):
    assert choose_display(out, **{"as_json": False, "quiet": False, "environ": {"TERM": "xterm"}} | kwargs) == expected


def test_force_color_makes_no_bar_of_a_log():
    assert (
        choose_display(io.StringIO(), as_json=False, quiet=False, environ={"FORCE_COLOR": "1", "TERM": "xterm"})
        == "plain"
    )


def test_pace_forgets_the_first_frame_and_what_was_skipped():
    start = Event(kind="start", total=48)
    skipped = [frame(n, n, 48, "skipped", 0.0) for n in range(1, 11)]
    assert tallied(start, *skipped).pace() == ""
    rendered = [frame(n, n, 48, seconds=20.0 if n == 11 else 2.0) for n in range(11, 15)]
    assert tallied(start, *skipped, *rendered).pace() == "0.50 fps, 0:01:08 left"  # 34 frames of 2 s


def test_pace_after_the_last_frame_has_nothing_left():
    assert tallied(Event(kind="start", total=1), frame(1, 1, 1, seconds=0.25)).pace() == "4.00 fps"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (RUN, "Rendered 2 frames in 1.9 s (0.87 s a frame), skipped 1 frame with nothing to do: out.####.exr"),
        ((RUN[0], RUN[2], RUN[-1]), "Skipped 1 frame with nothing to do: out.####.exr"),
        ((RUN[0], RUN[4], RUN[-1]), "Rendered 1 frame in 1.9 s (0.50 s a frame): out.####.exr"),
    ],
)
def test_summary(events, expected):
    assert tallied(*events).summary("out.####.exr") == expected


@pytest.mark.parametrize("terminal", [False, True])
def test_table(terminal):
    log = f"/farm/{'x' * 300}.log"  # to be copied: neither cut nor wrapped
    text = format_table(("step", "s a frame", "log"), [("[bold]1", "0.50", log), ("2", "12.00", "")], terminal=terminal)
    assert ("\x1b[" in text) == terminal
    lines = re.sub(r"\x1b\[\d*m", "", text).splitlines()
    assert [line.split() for line in lines if "─" not in line] == [
        ["step", "s", "a", "frame", "log"],
        ["[bold]1", "0.50", log],
        ["2", "12.00"],
    ]
    assert len(lines) == (4 if terminal else 3)
    assert lines[-2].index("0.50") + 4 == lines[-1].index("12.00") + 5, "numbers stand to the right"
