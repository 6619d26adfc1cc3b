"""What the buttons do: write the input, run tsn or submit it, read the result back.

Nuke writes the input itself, which blocks as any render does. tsn then runs beside it: a thread reads what it says into
Nuke's own progress bar, and hands the result over in the main thread. Without a window everything blocks.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nuke

from . import command, frames, place, shotfile
from .group import KNOBS, executable

PAUSE = 0.2
MOTION = ("forward.u", "forward.v"), ("backward.u", "backward.v")
"""Channels of one direction of motion each; tsn needs no more than one."""
_running: dict[str, command.Child] = {}


def render(node: Any) -> None:
    """Paint the node's range."""
    _told(node, lambda: _render(node, _range(node), preview=False))


def preview(node: Any) -> None:
    """Paint the frame that is shown, by itself."""
    _told(node, lambda: _render(node, [nuke.frame()], preview=True))


def submit(node: Any) -> None:
    """Write the input and the shot file, and give the shot to the farm."""

    def work() -> None:
        shot = _write_input(node, _range(node), preview=False)
        said = command.ask(executable(), "submit", str(shot), "--farm", str(_value(node, "farm")), seconds=600)
        _tell(node, said.strip().splitlines()[-1] if said.strip() else "Submitted")

    _told(node, work)


def reload(node: Any) -> None:
    """Show what is on disk of the node's range."""
    _told(node, lambda: _show(node, place.home(node, preview=False), set(_range(node))))


def shot_file(node: Any) -> None:
    """Write the shot file as the node is set now."""

    def work() -> None:
        wanted, home = _range(node), place.home(node, preview=False)
        path = _write_shot(node, wanted, home, preview=False)
        missing = set(wanted) - frames.on_disk(home / "plate", place.name(node))
        lacks = f", whose plate lacks {frames.named(missing)}: press Render range" if missing else ""
        _tell(node, f"Wrote {path}{lacks}")

    _told(node, work)


def cancel(node: Any) -> None:
    """Stop tsn; painted frames stay."""
    child = _running.get(node.fullName())
    if child is not None:
        child.cancel()


def _told(node: Any, work: Callable[[], None]) -> None:
    """One sentence on the node where something can't be done; in a window also as a message."""
    try:
        work()
    except command.Failed as failed:
        _fail(node, str(failed))
    except OSError as error:
        _fail(node, shotfile.unwritten(error))


def _fail(node: Any, sentence: str) -> None:
    _tell(node, sentence)
    if nuke.GUI:
        nuke.message(sentence)
    else:
        raise RuntimeError(sentence)  # a farm's task must not end well


def _tell(node: Any, sentence: str) -> None:
    node[KNOBS + "status"].setValue(sentence)


def _value(node: Any, name: str) -> Any:
    return node[KNOBS + name].value()


def _range(node: Any) -> list[int]:
    first, last = int(_value(node, "first")), int(_value(node, "last"))
    if last < first:
        raise command.Failed(f"The frame range is empty: {first} to {last}.")
    return list(range(first, last + 1))


def _write_input(node: Any, wanted: list[int], *, preview: bool) -> Path:
    """Write the node's input as EXR and the shot file beside it, and return its path. Raises Failed, OSError."""
    _connected(node)
    command.found(executable())
    _style(node)
    home = place.home(node, preview=preview)
    shotfile.prepare(home)
    write = node.node("TSNWrite")
    write["file"].setValue(f"{(home / 'plate').as_posix()}/{place.name(node)}.%04d.exr")
    # Half floats would destroy Cryptomatte's ids.
    write["datatype"].setValue("32 bit float" if _value(node, "matte_layer") else "16 bit half")
    try:
        nuke.execute(write, wanted[0], wanted[-1], 1)
    except RuntimeError as error:
        raise command.Failed(f"The input could not be rendered: {error}.") from None
    return _write_shot(node, wanted, home, preview=preview)


def _connected(node: Any) -> None:
    if node.input(0) is None:
        raise command.Failed("Nothing is connected to the node's input.")


def _style(node: Any) -> str:
    """The style as tsn calls it. Raises Failed where its file is not there."""
    source = _value(node, "source")
    style = str(_value(node, "style")) if source == "Shipped" else node[KNOBS + "file"].evaluate() or ""
    if source != "Shipped" and (fault := shotfile.style_fault(style, painting=source == "Painting")):
        raise command.Failed(fault)
    return style


def _write_shot(node: Any, wanted: list[int], home: Path, *, preview: bool) -> Path:
    _connected(node)
    name, source = place.name(node), _value(node, "source")
    channels = node.input(0).channels()
    layer = str(_value(node, "matte_layer"))
    names = [one.strip() for one in str(_value(node, "matte_names")).split(",") if one.strip()]
    shot = shotfile.Shot(
        plate=f"plate/{name}.####.exr",
        output=f"styled/{name}.####.exr",
        frames=frames.named(wanted),
        colour=str(_value(node, "colour")),
        style=_style(node),
        painting=source == "Painting",
        colours=str(_value(node, "colours")),
        window=0 if preview else int(_value(node, "window")),
        vectors=("motion", "nuke") if any(set(one) <= set(channels) for one in MOTION) else None,
        matte=(layer, names) if layer else None,
        invert=bool(_value(node, "matte_invert")),
    )
    path = home / f"{name}.yaml"
    shotfile.write(shot, path)
    return path


def _render(node: Any, wanted: list[int], *, preview: bool) -> None:
    key = node.fullName()
    if key in _running:
        raise command.Failed("The node is being rendered already.")
    shot = _write_input(node, wanted, preview=preview)
    child = command.Child(executable(), shot, device=os.environ.get("TSN_DEVICE", "auto"))
    _running[key] = child
    if not nuke.GUI:
        _follow(key, child, lambda done, total, text: nuke.tprint(f"tsn: {text}"), lambda: False)
        _finish(node, child, shot.parent, wanted)
        return

    def beside() -> None:
        try:
            _follow_in_bar(key, child)
        finally:
            nuke.executeInMainThread(_told, args=(node, lambda: _finish(node, child, shot.parent, wanted)))

    threading.Thread(target=beside, daemon=True).start()


def _follow_in_bar(key: str, child: command.Child) -> None:
    task = nuke.ProgressTask("TSN Stylize")  # its bar goes with it, when this returns

    def report(done: int, total: int, text: str) -> None:
        task.setProgress(int(100 * done / max(total, 1)))
        task.setMessage(text)

    _follow(key, child, report, task.isCancelled)


def _follow(
    key: str, child: command.Child, report: Callable[[int, int, str], None], cancelled: Callable[[], bool]
) -> None:
    """Hear tsn out to its end."""
    try:
        while not child.ended:
            for event in child.events():
                if event["kind"] == "note":
                    report(0, 1, event["text"])
                elif event["kind"] == "frame":
                    report(event["done"], event["total"], f"{event['done']} of {event['total']} frames painted")
            if cancelled():
                child.cancel()
            time.sleep(PAUSE)
    finally:
        _running.pop(key, None)
        child.cancel()  # where it still runs, since this is left by an error


def _finish(node: Any, child: command.Child, home: Path, wanted: list[int]) -> None:
    child.finish()
    _show(node, home, set(wanted))


def _show(node: Any, home: Path, wanted: set[int]) -> None:
    """Read what is on disk; the input shows where nothing is. Raises Failed."""
    name = place.name(node)
    there = frames.on_disk(home / "styled", name) & wanted
    mix = node.node("TSNMix")
    if not there:
        mix["which"].clearAnimated()
        mix["which"].setValue(0)
        raise command.Failed(f"No painted frame is in {home / 'styled'}. Press Render range.")
    read = node.node("TSNRead")
    read["file"].setValue(f"{(home / 'styled').as_posix()}/{name}.%04d.exr")
    for knob, value in (
        ("first", min(there)),
        ("origfirst", min(there)),
        ("last", max(there)),
        ("origlast", max(there)),
    ):
        read[knob].setValue(value)
    read["reload"].execute()
    ready = " || ".join(f"(frame >= {first} && frame <= {last})" for first, last in frames.runs(there))
    mix["which"].setExpression(f"parent.{KNOBS}strength * ({ready})")
    missing = wanted - there
    gone = f"; {frames.named(missing)} missing, the input is shown there" if missing else ""
    _tell(node, frames.status(there=there, wanted=wanted, stale=()) + gone)
