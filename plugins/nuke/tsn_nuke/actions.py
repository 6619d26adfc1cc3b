"""What the buttons do: write the input, run tsn or submit the shot, and read the result.

Nuke writes the input itself, which blocks as any render does. Then tsn runs beside Nuke: a thread reads its events for
Nuke's progress bar, and shows the result in the main thread. Without a window everything blocks.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nuke

from . import key_knobs, stroke_knobs
from .group_node import DEFAULT_STYLE, KEYS, KNOB_PREFIX, STROKES, tsn_command
from .node_folder import base_name, node_folder
from .shared import frame_numbers, shot_yaml, tsn_process
from .shared.tsn_process import PluginError

POLL_SECONDS = 0.2
"""The pause between two looks at tsn's events."""
SUBMIT_TIMEOUT_SECONDS = 600
MOTION_CHANNELS = ("forward.u", "forward.v"), ("backward.u", "backward.v")
"""The channels of each direction of motion; tsn needs only one of the two."""
_running: dict[str, tsn_process.TsnProcess] = {}
"""Full name of a node -> its child process."""


def render(node: Any) -> None:
    """Paint the node's frame range."""
    report_errors(node, lambda: _render(node, frame_range(node), preview=False))


def preview(node: Any) -> None:
    """Paint the current frame by itself."""
    report_errors(node, lambda: _render(node, [nuke.frame()], preview=True))


def submit(node: Any) -> None:
    """Write the input and the shot file, and submit the shot to the farm."""

    def work() -> None:
        shot = write_input(node, frame_range(node), preview=False)
        farm = str(_value(node, "farm"))
        printed = tsn_process.run_command(
            tsn_command(), "submit", str(shot), "--farm", farm, timeout_seconds=SUBMIT_TIMEOUT_SECONDS
        )
        set_status(node, printed.strip().splitlines()[-1] if printed.strip() else "Submitted")

    report_errors(node, work)


def reload(node: Any) -> None:
    """Show the frames of the node's range that are on disk."""
    report_errors(node, lambda: _show(node, node_folder(node, preview=False), set(frame_range(node))))


def shot_file(node: Any) -> None:
    """Write the shot file as the node is set now."""

    def work() -> None:
        requested, home = frame_range(node), node_folder(node, preview=False)
        path = _write_shot(node, requested, home, preview=False)
        missing = set(requested) - frame_numbers.frames_on_disk(home / "plate", base_name(node))
        text = f", whose plate lacks {frame_numbers.format_range(missing)}: press Render range" if missing else ""
        set_status(node, f"Wrote {path}{text}")

    report_errors(node, work)


def cancel(node: Any) -> None:
    """Stop tsn; painted frames are kept."""
    process = _running.get(node.fullName())
    if process is not None:
        process.cancel()


def report_errors(node: Any, work: Callable[[], None]) -> None:
    """Do something; an error becomes one sentence on the node, and in a window a message too."""
    try:
        work()
    except PluginError as error:
        _report(node, str(error))
    except OSError as error:
        _report(node, shot_yaml.write_error(error))


def _report(node: Any, sentence: str) -> None:
    set_status(node, sentence)
    if nuke.GUI:
        nuke.message(sentence)
    else:
        raise RuntimeError(sentence)  # so that a farm's task fails


def set_status(node: Any, sentence: str) -> None:
    node[KNOB_PREFIX + "status"].setValue(sentence)


def _value(node: Any, name: str) -> Any:
    return node[KNOB_PREFIX + name].value()


def frame_range(node: Any) -> list[int]:
    first, last = int(_value(node, "first")), int(_value(node, "last"))
    if last < first:
        raise PluginError(f"The frame range is empty: {first} to {last}.")
    return list(range(first, last + 1))


def write_input(node: Any, frames: list[int], *, preview: bool, paint: bool = True) -> Path:
    """Write the node's input as EXR and the shot file beside it, and return its path. Raises PluginError, OSError.

    Args:
        paint: whether the shot is to be painted; otherwise a shipped style stands for the node's.
    """
    _check_input(node)
    tsn_process.resolve_command(tsn_command())
    if paint:
        _style(node, frames)
    home = node_folder(node, preview=preview)
    shot_yaml.make_folders(home)
    write = node.node("TSNWrite")
    write["file"].setValue(f"{(home / 'plate').as_posix()}/{base_name(node)}.%04d.exr")
    write["datatype"].setValue("32 bit float" if _needs_full_floats(node) else "16 bit half")
    try:
        nuke.execute(write, frames[0], frames[-1], 1)
    except RuntimeError as error:
        raise PluginError(f"The input could not be rendered: {error}.") from None
    return _write_shot(node, frames, home, preview=preview, paint=paint)


def _check_input(node: Any) -> None:
    if node.input(0) is None:
        raise PluginError("Nothing is connected to the node's input.")


def _needs_full_floats(node: Any) -> bool:
    """Whether half floats would destroy something: Cryptomatte's ids, or positions."""
    if _value(node, "source") == STROKES:
        strokes = stroke_knobs.style(node, [])
        return bool(strokes.ids or strokes.surface or _value(node, "matte_layer"))
    if _value(node, "source") == KEYS and stroke_knobs.cryptomatte_layer(node.input(0).channels()):
        return True
    return bool(_value(node, "matte_layer"))


def _style(node: Any, frames: list[int]) -> str:
    """The style as the shot file has it. Raises PluginError where a file is missing, or a number is out of range."""
    source = _value(node, "source")
    if source == STROKES:
        stroke_knobs.check(node, frames)
        return stroke_knobs.preset(node)
    if source == KEYS:
        key_knobs.style(node, frames)
        return ""
    style = str(_value(node, "style")) if source == "Shipped" else node[KNOB_PREFIX + "file"].evaluate() or ""
    if source != "Shipped" and (error := shot_yaml.style_file_error(style, painting=source == "Painting")):
        raise PluginError(error)
    return style


def _write_shot(node: Any, frames: list[int], home: Path, *, preview: bool, paint: bool = True) -> Path:
    """Write the shot file, and return its path. Raises PluginError, OSError."""
    _check_input(node)
    name, source = base_name(node), _value(node, "source") if paint else "Shipped"
    channels = set(node.input(0).channels())
    has_motion = any(set(direction) <= channels for direction in MOTION_CHANNELS)
    matte_layer = str(_value(node, "matte_layer"))
    matte_names = [part.strip() for part in str(_value(node, "matte_names")).split(",") if part.strip()]
    shot = shot_yaml.ShotSettings(
        plate=f"plate/{name}.####.exr",
        output=f"styled/{name}.####.exr",
        frames=frame_numbers.format_range(frames),
        colour=str(_value(node, "colour")),
        style=_style(node, frames) if paint else DEFAULT_STYLE,
        painting=source == "Painting",
        colours=str(_value(node, "colours")),
        window=0 if preview else int(_value(node, "window")),
        vectors=("motion", "nuke") if has_motion else None,
        matte=(matte_layer, matte_names) if matte_layer else None,
        invert=bool(_value(node, "matte_invert")),
        strokes=stroke_knobs.style(node, frames).keys() if source == STROKES else None,
        key_frames=key_knobs.style(node, frames).keys() if source == KEYS else None,
    )
    path = home / f"{name}.yaml"
    shot_yaml.write(shot, path)
    return path


def _render(node: Any, frames: list[int], *, preview: bool) -> None:
    """Write the input and paint it; in a window, painting goes on in a thread after this returns."""
    require_idle(node)
    keys = _value(node, "source") == KEYS
    if preview and keys:  # keys are learnt on the whole shot
        shot, only = _written_shot(node), frame_numbers.format_range(frames)
    else:
        shot, only = write_input(node, frames, preview=preview), None
    device = os.environ.get("TSN_DEVICE", "auto")
    process = tsn_process.RenderProcess(tsn_command(), shot, device=device, frames=only)
    run(node, process, lambda: _show(node, shot.parent, set(frames)))


def _written_shot(node: Any) -> Path:
    """The shot file of the whole range, whose input was written before. Raises PluginError where it was not."""
    home, frames = node_folder(node, preview=False), frame_range(node)
    missing = set(frames) - frame_numbers.frames_on_disk(home / "plate", base_name(node))
    if missing:
        raise PluginError(f"The plate lacks {frame_numbers.format_range(missing)}.", "Press Learn first.")
    return _write_shot(node, frames, home, preview=False)


def require_idle(node: Any) -> None:
    """Raise PluginError while tsn works for the node."""
    if node.fullName() in _running:
        raise PluginError("The node is being rendered already.")


def run(node: Any, process: tsn_process.TsnProcess, finish: Callable[[], None]) -> None:
    """Wait for a process of a node, then finish; in a window both happen after this returns. Raises PluginError."""
    key = node.fullName()
    _running[key] = process

    def end() -> None:
        process.raise_if_failed()
        finish()

    if not nuke.GUI:
        _wait(key, process, lambda done, total, text: nuke.tprint(f"tsn: {text}"), lambda: False)
        end()
        return

    def in_thread() -> None:
        try:
            _wait_with_progress_bar(key, process)
        finally:
            nuke.executeInMainThread(report_errors, args=(node, end))

    threading.Thread(target=in_thread, daemon=True).start()


def _wait_with_progress_bar(key: str, process: tsn_process.TsnProcess) -> None:
    task = nuke.ProgressTask("TSN Stylize")  # Nuke removes the bar when this object is deleted

    def report(done: int, total: int, text: str) -> None:
        task.setProgress(int(100 * done / max(total, 1)))
        task.setMessage(text)

    _wait(key, process, report, task.isCancelled)


def _wait(
    key: str,
    process: tsn_process.TsnProcess,
    report: Callable[[int, int, str], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Wait for tsn's end.

    Args:
        key: the node's full name.
        process: the running tsn.
        report: is called with (finished frames, all frames, text) at each event.
        is_cancelled: whether the artist pressed the progress bar's Cancel.
    """
    try:
        while not process.ended:
            for event in process.events():
                if event["kind"] == "note":
                    report(0, 1, event["text"])
                elif event["kind"] == "learn":
                    report(round(100 * event["share"]), 100, f"Learning: see {event['picture']}")
                elif event["kind"] == "frame":
                    report(event["done"], event["total"], f"{event['done']} of {event['total']} frames painted")
            if is_cancelled():
                process.cancel()
            time.sleep(POLL_SECONDS)
    finally:
        _running.pop(key, None)
        process.cancel()  # does nothing, unless an error left tsn running


def _show(node: Any, home: Path, requested: set[int]) -> None:
    """Read the painted frames; where one is missing the input is shown. Raises PluginError where all are missing."""
    name = base_name(node)
    painted = frame_numbers.frames_on_disk(home / "styled", name) & requested
    mix = node.node("TSNMix")
    if not painted:
        mix["which"].clearAnimated()
        mix["which"].setValue(0)
        raise PluginError(f"No painted frame is in {home / 'styled'}. Press Render range.")
    read = node.node("TSNRead")
    read["file"].setValue(f"{(home / 'styled').as_posix()}/{name}.%04d.exr")
    for knob, value in (
        ("first", min(painted)),
        ("origfirst", min(painted)),
        ("last", max(painted)),
        ("origlast", max(painted)),
    ):
        read[knob].setValue(value)
    read["reload"].execute()
    runs = frame_numbers.consecutive_runs(painted)
    ready = " || ".join(f"(frame >= {first} && frame <= {last})" for first, last in runs)
    mix["which"].setExpression(f"parent.{KNOB_PREFIX}strength * ({ready})")
    missing = requested - painted
    text = f"; {frame_numbers.format_range(missing)} missing, the input is shown there" if missing else ""
    set_status(node, frame_numbers.status_line(painted=painted, requested=requested, stale=()) + text)
