"""Render one node in small steps: export its input, have tsn paint it, show the result.

    for _ in NodeRender(...).steps(): ...      # blocks, as on a farm; in a window a timer takes the steps (see `ops`)

A window can be drawn between any two steps. No Blender data is kept from one step to the next, since undo and opening a
file move it in memory: each step finds the node again by its id.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import bpy

from . import compat, exr_header, frame_status, inner_tree, node_trees, plate_export, prefs, styles
from .shared import frame_numbers, key_style, shot_yaml, stroke_style, tsn_process
from .shared.tsn_process import PluginError

running: dict[str, NodeRender] = {}
"""Node id -> its render."""


class NodeRender:
    """Renders a node's frame range, or the current frame as a preview.

    Attributes:
        phase: what it does now, for the progress bar.
        done: finished frames of this phase, of `total`.
        note: tsn's last note, or "".
    """

    def __init__(self, uid: str, scene: bpy.types.Scene, *, preview: bool = False) -> None:
        self.uid, self.scene, self.preview = uid, scene.name, preview
        self.phase, self.done, self.total, self.note = "Exporting", 0, 0, ""
        self.cancelled = False
        self._process: tsn_process.RenderProcess | None = None
        self._painting_since = 0.0

    def cancel(self) -> None:
        """End the child process now, and stop at the next step."""
        self.cancelled = True
        if self._process is not None:
            self._process.cancel()

    @property
    def factor(self) -> float:
        """How much of the phase is done, from 0 to 1."""
        return self.done / self.total if self.total else 0.0

    def __str__(self) -> str:
        """For the progress bar, such as `Painting 12 of 48, 0:01:10 left`."""
        text = f"{self.phase} {self.done} of {self.total}"
        if self.phase == "Painting" and self.done:
            left = round((time.monotonic() - self._painting_since) / self.done * (self.total - self.done))
            text += f", {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
        return text

    def steps(self) -> Generator[None, None, None]:
        """Do the work; each step exports one frame, or reads tsn's events. Raises PluginError."""
        if self.uid in running:
            raise PluginError("The node is being rendered already.")
        running[self.uid] = self
        try:
            yield from self._all_steps()
        except OSError as error:
            raise PluginError(shot_yaml.write_error(error)) from None
        finally:
            running.pop(self.uid, None)
            if self._process is not None:
                self._process.cancel()

    def _all_steps(self) -> Iterator[None]:
        node, scene = self._find_node()
        if self.preview and node.node_tree.tsn.source == "KEYS":
            yield from self._render_one(scene.frame_current)
            return
        shot, home, frame, digest = yield from self._exported()
        yield from self._paint(shot, home, digest)
        node, scene = self._find_node()
        settings = node.node_tree.tsn
        settings.shown, settings.shown_frame = ("PREVIEW", frame) if self.preview else ("RANGE", 0)
        self._show(node, scene, home)

    def _render_one(self, frame: int) -> Iterator[None]:
        """Render one frame of the whole shot: keys are learnt on all of it, so its frames must be exported."""
        node, scene = self._find_node()
        settings = node.node_tree.tsn
        home = frame_status.node_folder(settings)
        digest = frame_status.paint_digest(node, scene)
        shot = write_shot(node, scene, home, list(settings.frames(scene)))
        yield from self._paint(shot, home, digest, only=str(frame))
        node, scene = self._find_node()
        node.node_tree.tsn.shown = "RANGE"
        refresh(node, scene)

    def _exported(self) -> Generator[None, None, tuple[Path, Path, int, str]]:
        """Export the frames and write the shot file: (shot file, folder, first frame, digest of the paint)."""
        node, scene = self._find_node()
        plate_export.check_node(node, scene)
        tsn_process.resolve_command(prefs.get().command)
        settings = node.node_tree.tsn
        frames = [scene.frame_current] if self.preview else list(settings.frames(scene))
        _style(settings, frames)
        plate_export.check_frame_numbers(frames)
        home = frame_status.node_folder(settings) / ("preview" if self.preview else "")
        name = settings.basename
        shot_yaml.make_folders(home)
        if not self.preview:
            frame_status.start_export(settings)
        frame_status.clear_cache()
        digest = frame_status.paint_digest(node, scene)
        self.total = len(frames)
        for number in frames:
            node, scene = self._find_node()
            plate = home / "plate" / f"{name}.{number:04d}.exr"
            with frame_status.ignoring_own_changes():
                export(node, scene, number, plate)
            if not self.done:  # report what the render lacks after the first frame, not after all
                _layers(node, scene, plate)
            self.done += 1
            yield
        shot = write_shot(node, scene, home, frames, window=0 if self.preview else None)
        return shot, home, frames[0], digest

    def _show(self, node: bpy.types.Node, scene: bpy.types.Scene, home: Path) -> None:
        missing = refresh(node, scene)
        if missing:
            raise PluginError(
                f"{_frames_are(missing)} missing in {home / 'styled'}.", "The input is shown there; render again."
            )

    def _paint(self, shot: Path, home: Path, digest: str, only: str | None = None) -> Iterator[None]:
        self.phase, self.done, self._painting_since = "Starting tsn:", 0, time.monotonic()
        preferences = prefs.get()
        self._process = process = tsn_process.RenderProcess(
            preferences.command, shot, device=preferences.device, frames=only
        )
        painted: dict[int, str] = {}
        try:
            while True:
                for event in process.events():
                    if event["kind"] == "note":
                        self.note = event["text"]
                    elif event["kind"] == "frame":
                        self.phase, self.done, self.total = "Painting", event["done"], event["total"]
                        painted[event["frame"]] = digest
                self._stop_if_cancelled(len(painted))
                if process.ended:
                    break
                yield
            process.raise_if_failed()
        finally:
            if painted and (only is not None or not self.preview):
                frame_status.record_painted(home / "state.json", painted)

    def _until_end(self, process: tsn_process.TsnProcess) -> Iterator[None]:
        """Show what a command of keys reports until it ends. Raises PluginError where it fails."""
        while not process.ended:
            for event in process.events():
                if "share" in event:
                    self.done, self.note = round(100 * event["share"]), f"See {event['picture']}"
            self._stop_if_cancelled(0)
            yield
        process.raise_if_failed()

    def _find_node(self) -> tuple[bpy.types.Node, bpy.types.Scene]:
        self._stop_if_cancelled(0)
        tree, node = node_trees.find_node(self.uid)
        if node is None:
            raise PluginError("The node was removed while it was being rendered.")
        # Where several scenes share the tree: the one it was started for, unless that was renamed or removed.
        return node, node_trees.scene_of_tree(tree, bpy.data.scenes.get(self.scene))

    def _stop_if_cancelled(self, painted: int) -> None:
        if self.cancelled:
            kept = f"; {painted} painted frames are kept" if painted else ""
            raise PluginError(f"Cancelled{kept}.")


def export(node: bpy.types.Node, scene: bpy.types.Scene, number: int, path: Path) -> None:
    """Export a frame. A file with the same pixels is kept with its date, so that tsn does not paint it again."""
    new = path.with_name(f".new.{path.name}")
    try:
        plate_export.render_frame(node, scene, number, new)
        if exr_header.same_pixels(new, path):
            return
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


class _Layers(NamedTuple):
    """Layers of an exported frame: the picture, and what the shot file names beside it, or None.

    Attributes:
        matte: (Cryptomatte layer, names of objects) that the paint keeps to.
        ids: the Cryptomatte layer that strokes keep to, or by which keys tell objects apart.
        surface: the layer of the surface that strokes stay on.
    """

    picture: str
    vectors: str | None
    matte: tuple[str, list[str]] | None
    ids: str | None
    surface: str | None


def _style(settings: Any, frames: Sequence[int]) -> tuple[str, bool]:
    """(style as the shot file has it, whether it is a painting). Raises PluginError where a file is missing."""
    style, painting = settings.style_argument()
    error = None
    if settings.source == "KEYS":
        error = key_style.error(settings.key_frames.files(), list(frames))
    elif settings.source == "STROKES":
        strokes = settings.strokes
        error = stroke_style.preset_file_error(style) if strokes.file else None
        if strokes.palette:
            error = error or shot_yaml.style_file_error(strokes.palette_path(), painting=True)
    elif settings.source != "STYLE":
        error = shot_yaml.style_file_error(style, painting=painting)
    if error:
        raise PluginError(error)
    return style, painting


def _portable(path: str, home: Path) -> str:
    """A path in the project as seen from the shot file: on the farm the project may be in another place."""
    return os.path.relpath(path, home) if Path(path).is_relative_to(bpy.path.abspath("//")) else path


def _layers(node: bpy.types.Node, scene: bpy.types.Scene, path: Path) -> _Layers:
    """The layers of an exported frame. Raises PluginError where one that the node needs is not rendered."""
    settings = node.node_tree.tsn
    picture, vectors, cryptomatte = plate_export.find_layers(path, node_trees.render_layers_node(node, scene))
    if settings.matte_object and not cryptomatte:
        raise PluginError(
            f"{scene.render.engine} renders no Cryptomatte for the matte.", "Render with Cycles or EEVEE."
        )
    borders = settings.source == "KEYS" or (settings.source == "STROKES" and settings.strokes.borders)
    return _Layers(
        picture=picture,
        vectors=vectors,
        matte=(cryptomatte, [settings.matte_object]) if settings.matte_object and cryptomatte else None,
        ids=cryptomatte if borders else None,
        surface=plate_export.find_surface(path, node, scene),
    )


def write_shot(
    node: bpy.types.Node,
    scene: bpy.types.Scene,
    home: Path,
    frames: Collection[int],
    *,
    window: int | None = None,
    paint: bool = True,
) -> Path:
    """Write the node's shot file beside its plate.

    Args:
        node: the node.
        scene: its scene.
        home: the folder that contains plate/.
        frames: the frames to paint, all of them exported.
        window: the node's own where it is None.
        paint: whether the shot is to be painted; otherwise a shipped style stands for the node's.

    Returns:
        The shot file's path.

    Raises:
        PluginError: frames are missing, the style's file is missing, or the shot file can't be written.
    """
    settings = node.node_tree.tsn
    name, numbers = settings.basename, sorted(frames)
    missing = set(frames) - frame_numbers.frames_on_disk(home / "plate", name)
    if missing:  # the layers are read from the first frame
        first = "Learn" if settings.source == "KEYS" else "Render Range"
        raise PluginError(f"{_frames_are(missing)} not exported yet to {home / 'plate'}.", f"Press {first} first.")
    source = settings.source if paint else "STYLE"
    style, painting = _style(settings, numbers) if paint else (styles.DEFAULT_STYLE, False)
    if source != "STYLE":
        style = _portable(style, home)
    layers = _layers(node, scene, home / "plate" / f"{name}.{numbers[0]:04d}.exr")
    strokes = keys = None
    if source == "KEYS":
        files = {frame: _portable(file, home) for frame, file in settings.key_frames.files().items()}
        keys = key_style.KeyStyle(files=files, minutes=settings.key_frames.minutes, ids=layers.ids).keys()
    if source == "STROKES":
        shown = settings.strokes.style(scene, numbers, ids=layers.ids, surface=layers.surface)
        strokes = replace(shown, palette=_portable(shown.palette, home)).keys()
    shot = shot_yaml.ShotSettings(
        plate=f"plate/{name}.####.exr",
        output=f"styled/{name}.####.exr",
        frames=frame_numbers.format_range(frames),
        colour=compat.colour_space()[1],
        style=style,
        painting=painting,
        colours=settings.colours.lower(),
        window=settings.window if window is None else window,
        layer=layers.picture,
        vectors=(layers.vectors, "blender") if layers.vectors else None,
        matte=layers.matte,
        invert=settings.matte_invert,
        strokes=strokes,
        key_frames=keys,
    )
    path = home / f"{name}.yaml"
    try:
        shot_yaml.write(shot, path)
    except OSError as error:
        raise PluginError(shot_yaml.write_error(error)) from None
    return path


def refresh(node: bpy.types.Node, scene: bpy.types.Scene) -> set[int]:
    """Show the frames on disk of what the node showed last, and return those that are missing.

    Raises:
        PluginError: the frames can't be shown (see `inner_tree.show_frames`).
    """
    with frame_status.ignoring_own_changes():
        settings = node.node_tree.tsn
        home = frame_status.node_folder(settings)
        if settings.shown == "NOTHING":
            inner_tree.pass_through(node.node_tree)
            return set()
        if settings.shown == "PREVIEW":
            home, requested = home / "preview", {settings.shown_frame}
        else:
            requested = set(settings.frames(scene))
        on_disk = frame_numbers.frames_on_disk(home / "styled", settings.basename)
        painted = {number for number in on_disk & requested if number >= 0}
        if not painted:
            inner_tree.pass_through(node.node_tree)
            return requested
        inner_tree.show_frames(node.node_tree, str(home / "styled"), settings.basename, painted)
        return requested - painted


def missing_message(missing: Collection[int]) -> str:
    """The node's message about painted frames that are missing; "" where none are."""
    return f"{_frames_are(missing)} missing; the input is shown there." if missing else ""


def _frames_are(frames: Collection[int]) -> str:
    """`Frame 2 is` or `Frames 1-3 are`."""
    text = frame_numbers.format_range(frames)
    return f"Frame {text} is" if len(frames) == 1 else f"Frames {text} are"


def cancel_all() -> None:
    """End the child process of every node, when Blender or the add-on ends."""
    for render in list(running.values()):
        render.cancel()
