"""One node's way from export to result, in small steps, so that a window can be drawn between any two of them.

    for _ in Job(...).run(): ...      # blocks (a farm); a timer takes the same steps in a window (ops)

A job holds no Blender data between two steps: undo and loading a file move it. It finds its node by id each time.
"""

import os
import time
from pathlib import Path

import bpy

from . import command, compat, export, exr, frames, prefs, result, shotfile, state, tree
from .command import Failed

running = {}
"""Node id -> its job."""


class Job:
    """Render a node's range, or one frame of it as a preview.

    Attributes:
        phase: what is being done, for the progress bar.
        done: frames of that; `total` of them there are.
    """

    def __init__(self, uid, scene, *, preview=False):
        self.uid, self.scene, self.preview = uid, scene.name, preview
        self.phase, self.done, self.total, self.note = "Exporting", 0, 0, ""
        self.cancelled = False
        self._child = None
        self._painting_since = 0.0

    def cancel(self):
        """Stop at the next step; the child is gone when this returns."""
        self.cancelled = True
        if self._child is not None:
            self._child.cancel()

    @property
    def factor(self):
        return self.done / self.total if self.total else 0.0

    def __str__(self):
        """For the progress bar, such as `Painting 12 of 48, 0:01:10 left`."""
        text = f"{self.phase} {self.done} of {self.total}"
        if self.phase == "Painting" and self.done:
            left = round((time.monotonic() - self._painting_since) / self.done * (self.total - self.done))
            text += f", {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
        return text

    def run(self):
        """A generator: each step is an export of a frame, or a look at what tsn says. Raises Failed."""
        if self.uid in running:
            raise Failed("The node is being rendered already.")
        running[self.uid] = self
        try:
            yield from self._run()
        except OSError as error:
            raise Failed(shotfile.unwritten(error)) from None
        finally:
            running.pop(self.uid, None)
            if self._child is not None:
                self._child.cancel()

    def _run(self):
        node, scene = self._node()
        export.require(node, scene)
        command.found(prefs.get().command)
        settings = node.node_tree.tsn
        _style(settings)
        wanted = [scene.frame_current] if self.preview else list(settings.frames(scene))
        export.require_numbers(wanted)
        home = state.folder(settings) / ("preview" if self.preview else "")
        name = settings.basename
        shotfile.prepare(home)
        if not self.preview:
            state.begin(settings)
        state.forget()
        digest = state.digest(node, scene)
        self.total = len(wanted)
        for number in wanted:
            node, scene = self._node()
            with state.own_doing():
                _export(node, scene, number, home / "plate" / f"{name}.{number:04d}.exr")
            if not self.done:  # what the render lacks is told now, not after all frames
                _layers(node, scene, home / "plate" / f"{name}.{number:04d}.exr")
            self.done += 1
            yield
        shot = write_shot(node, scene, home, wanted, window=0 if self.preview else None)
        yield from self._paint(shot, home, digest)
        node, scene = self._node()
        settings = node.node_tree.tsn
        settings.shown, settings.shown_frame = ("PREVIEW", wanted[0]) if self.preview else ("RANGE", 0)
        missing = refresh(node, scene)
        if missing:
            raise Failed(f"{_frames(missing)} missing in {home / 'styled'}.", "The input is shown there; render again.")

    def _paint(self, shot, home, digest):
        self.phase, self.done, self._painting_since = "Starting tsn:", 0, time.monotonic()
        chosen = prefs.get()
        self._child = command.Child(chosen.command, shot, device=chosen.device)
        painted = {}
        try:
            while True:
                for event in self._child.events():
                    if event["kind"] == "note":
                        self.note = event["text"]
                    elif event["kind"] == "frame":
                        self.phase, self.done, self.total = "Painting", event["done"], event["total"]
                        painted[event["frame"]] = digest
                self._stop_if_cancelled(len(painted))
                if self._child.ended:
                    break
                yield
            self._child.finish()
        finally:
            if painted and not self.preview:
                state.record(home / "state.json", painted)

    def _node(self):
        self._stop_if_cancelled(0)
        owner, node = tree.find(self.uid)
        if node is None:
            raise Failed("The node was removed while it was being rendered.")
        # Of several scenes that share the tree the one it was started for, if that was not renamed or removed.
        return node, tree.scene_of(owner, bpy.data.scenes.get(self.scene))

    def _stop_if_cancelled(self, painted):
        if self.cancelled:
            kept = f"; {painted} painted frames are kept" if painted else ""
            raise Failed(f"Cancelled{kept}.")


def _export(node, scene, number, path):
    """Export a frame; where its pixels are those that are there already, the file keeps its date, and tsn its work."""
    new = path.with_name(f".new.{path.name}")
    try:
        export.frame(node, scene, number, new)
        if exr.same_pixels(new, path):
            return
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def _style(settings):
    """(style as tsn calls it, whether it is a painting). Raises Failed where its file is not there."""
    style, painting = settings.painter()
    if settings.source != "STYLE" and (fault := shotfile.style_fault(style, painting=painting)):
        raise Failed(fault)
    return style, painting


def _layers(node, scene, path):
    """(layer to paint, vectors or None, matte or None) of an exported frame. Raises Failed where a matte is missing."""
    shown, wanted = tree.render_layers(node, scene), node.node_tree.tsn.matte_object
    layer, vectors, crypto = export.layers(path, shown)
    if wanted and not crypto:
        raise Failed(f"{scene.render.engine} renders no Cryptomatte for the matte.", "Render with Cycles or EEVEE.")
    return layer, vectors, (crypto, [wanted]) if wanted else None


def write_shot(node, scene, home, wanted, *, window=None):
    """Write the node's shot file beside its plate, and return its path. Raises Failed."""
    settings = node.node_tree.tsn
    name = settings.basename
    missing = set(wanted) - frames.on_disk(home / "plate", name)
    if missing:  # the first frame says which layers there are
        raise Failed(f"{_frames(missing)} not exported yet to {home / 'plate'}.", "Press Render Range first.")
    style, painting = _style(settings)
    if settings.source != "STYLE" and Path(style).is_relative_to(bpy.path.abspath("//")):
        style = os.path.relpath(style, home)  # the project may be elsewhere on the farm
    layer, vectors, matte = _layers(node, scene, home / "plate" / f"{name}.{min(wanted):04d}.exr")
    shot = shotfile.Shot(
        plate=f"plate/{name}.####.exr",
        output=f"styled/{name}.####.exr",
        frames=frames.named(wanted),
        colour=compat.colour_space()[1],
        style=style,
        painting=painting,
        colours=settings.colours.lower(),
        window=settings.window if window is None else window,
        layer=layer,
        vectors=(vectors, "blender") if vectors else None,
        matte=matte,
        invert=settings.matte_invert,
    )
    path = home / f"{name}.yaml"
    try:
        shotfile.write(shot, path)
    except OSError as error:
        raise Failed(shotfile.unwritten(error)) from None
    return path


def refresh(node, scene):
    """Show what is on disk of what the node last showed; the frames of it that are missing. Raises Failed."""
    with state.own_doing():
        return _refresh(node, scene)


def _refresh(node, scene):
    settings = node.node_tree.tsn
    home = state.folder(settings)
    if settings.shown == "NOTHING":
        result.hide(node.node_tree)
        return set()
    if settings.shown == "PREVIEW":
        home, wanted = home / "preview", {settings.shown_frame}
    else:
        wanted = set(settings.frames(scene))
    there = {number for number in frames.on_disk(home / "styled", settings.basename) & wanted if number >= 0}
    if not there:
        result.hide(node.node_tree)
        return wanted
    result.show(node.node_tree, str(home / "styled"), settings.basename, there)
    return wanted - there


def missing_sentence(missing):
    """For a node whose files went away."""
    return f"{_frames(missing)} missing; the input is shown there." if missing else ""


def _frames(numbers):
    return f"Frame {frames.named(numbers)} is" if len(numbers) == 1 else f"Frames {frames.named(numbers)} are"


def cancel_all():
    """No child outlives Blender or the add-on."""
    for one in list(running.values()):
        one.cancel()
