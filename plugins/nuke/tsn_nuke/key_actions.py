"""What the buttons of key frames do: export a frame to paint over, paint one from a painting, learn the keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nuke

from . import actions, key_knobs
from .group_node import tsn_command
from .shared import shot_yaml, tsn_process
from .shared.tsn_process import PluginError


def key_export(node: Any) -> None:
    """Write the current frame as a picture to paint over, and open it with the system's program for pictures."""

    def work() -> None:
        frame = int(nuke.frame())
        path = key_knobs.key_file(node, frame)
        if not path.is_file():
            shot = actions.write_input(node, [frame], preview=True, paint=False)
            printed = tsn_process.run_command(
                tsn_command(), "key", str(shot), "-F", str(frame), "-o", str(path.parent)
            ).split("\n")
            _take(Path(printed[0]), path)
        key_knobs.add_key(node, frame)
        actions.set_status(node, f"Paint over {path}")
        if nuke.GUI:
            import nukescripts

            nukescripts.start(str(path))

    actions.report_errors(node, work)


def key_paint(node: Any) -> None:
    """Have tsn paint the current frame in the manner of a painting, as a key: minutes, by optimisation."""

    def work() -> None:
        actions.require_idle(node)
        frame, painting = int(nuke.frame()), key_knobs.painting(node)
        path = key_knobs.key_file(node, frame)
        if path.is_file():
            raise PluginError(f"{path} is there already, and may be painted over.", "Move it away to have another.")
        if error := shot_yaml.style_file_error(painting, painting=True):
            raise PluginError(error)
        shot = actions.write_input(node, [frame], preview=True, paint=False)
        process = tsn_process.PaintProcess(
            tsn_command(), shot, device=_device(), frame=frame, painting=painting, folder=path.parent
        )

        def finish() -> None:
            _take(path.parent / f"{shot.stem}.{frame:04d}.png", path)
            key_knobs.add_key(node, frame)
            actions.set_status(node, f"Painted {path}")

        actions.run(node, process, finish)

    actions.report_errors(node, work)


def learn(node: Any) -> None:
    """Write the input and learn the keys; a render takes what was learnt."""

    def work() -> None:
        actions.require_idle(node)
        shot = actions.write_input(node, actions.frame_range(node), preview=False)
        process = tsn_process.LearnProcess(tsn_command(), shot, device=_device())
        actions.run(node, process, lambda: actions.set_status(node, "Learnt: render the range"))

    actions.report_errors(node, work)


def _device() -> str:
    return os.environ.get("TSN_DEVICE", "auto")


def _take(written: Path, path: Path) -> None:
    """Give a key the name of the artist's own pattern."""
    if not written.is_file():
        raise PluginError(f"tsn wrote no {written}.")
    if written != path:
        os.replace(written, path)
