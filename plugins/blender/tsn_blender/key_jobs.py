"""What the buttons of key frames do, in small steps as a render (see `node_render`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy

from . import frame_status, key_frames, node_render, plate_export, prefs
from .shared import key_style, shot_yaml, tsn_process
from .shared.tsn_process import PluginError


class KeyExport(node_render.NodeRender):
    """Exports the current frame's input as a picture to paint over. One that is there already stays as it is.

    Attributes:
        file: the key's.
        keeps_what_is_there: whether such a file becomes the key; otherwise it is refused.
    """

    file = ""
    keeps_what_is_there = True

    def _all_steps(self) -> Iterator[None]:
        yield from self._with_frame()

    def _with_frame(self) -> Iterator[None]:
        node, scene = self._find_node()
        plate_export.check_node(node, scene)
        command = tsn_process.resolve_command(prefs.get().command)
        settings, frame = node.node_tree.tsn, scene.frame_current
        plate_export.check_frame_numbers([frame])
        home = frame_status.node_folder(settings)
        path = key_style.key_file(home, settings.basename, frame)
        if not path.is_file():
            yield from self._make(command, home, frame, path)
        elif not self.keeps_what_is_there:
            raise PluginError(f"{path} is there already, and may be painted over.", "Move it away to have another.")
        node, scene = self._find_node()
        key_frames.add_key(node.node_tree, scene, frame, str(path))
        self.file = str(path)
        frame_status.clear_cache()

    def _make(self, command: str, home: Path, frame: int, path: Path) -> Iterator[None]:
        shot = self._shot_of_frame(home, frame)
        yield
        tsn_process.run_command(command, "key", str(shot), "-F", str(frame), "-o", str(path.parent))

    def _shot_of_frame(self, home: Path, frame: int) -> Path:
        """Export one frame, and write a shot of it alone; its style does not count."""
        node, scene = self._find_node()
        folder = home / "preview"
        shot_yaml.make_folders(folder)
        self.total = 1
        frame_status.clear_cache()
        with frame_status.ignoring_own_changes():
            name = node.node_tree.tsn.basename
            node_render.export(node, scene, frame, folder / "plate" / f"{name}.{frame:04d}.exr")
        self.done = 1
        return node_render.write_shot(node, scene, folder, [frame], window=0, paint=False)


class KeyPainting(KeyExport):
    """Has a key of the current frame painted in the manner of the node's painting."""

    keeps_what_is_there = False

    def _make(self, command: str, home: Path, frame: int, path: Path) -> Iterator[None]:
        node, _ = self._find_node()
        painting = node.node_tree.tsn.key_frames.painting_path()
        error = shot_yaml.style_file_error(painting, painting=True)
        if error:
            raise PluginError(error)
        shot = self._shot_of_frame(home, frame)
        yield
        self.phase, self.done, self.total = "Painting a key:", 0, 1
        preferences = prefs.get()
        self._process = process = tsn_process.PaintProcess(
            command, shot, device=preferences.device, frame=frame, painting=painting, folder=path.parent
        )
        yield from self._until_end(process)
        if not path.is_file():
            raise PluginError(f"tsn painted no {path}.")


class KeyLearning(node_render.NodeRender):
    """Exports the range and learns the node's keys; a render takes what was learnt."""

    def _all_steps(self) -> Iterator[None]:
        shot, _, _, _ = yield from self._exported()
        self.phase, self.done, self.total = "Learning", 0, 100
        preferences = prefs.get()
        self._process = process = tsn_process.LearnProcess(preferences.command, shot, device=preferences.device)
        yield from self._until_end(process)
        frame_status.clear_cache()


def open_in_editor(file: str) -> None:
    """Open a picture in the image editor of Blender's preferences. Raises PluginError where there is none."""
    editor = bpy.context.preferences.filepaths.image_editor
    if not editor:
        raise PluginError(
            f"The frame to paint over is {file}.",
            "To have it opened, choose an image editor in Preferences > File Paths > Applications.",
        )
    command = ["open", "-a", editor] if sys.platform == "darwin" and editor.endswith(".app") else [editor]
    try:
        subprocess.Popen([*command, os.path.abspath(file)], env=tsn_process.clean_environment())
    except OSError as error:
        raise PluginError(f"The image editor {editor!r} can't be started: {error.strerror}.") from None
