"""The operators of key frames."""
# Blender reads properties from annotations, so these must not become strings: no `from __future__ import annotations`.
# mypy: disable-error-code="valid-type"

import os
from typing import Any

import bpy
from bpy.props import IntProperty

from . import key_frames, key_jobs, node_render, node_trees
from .ops import NodeOperator, SteppingOperator
from .shared.tsn_process import PluginError


class TSN_OT_key_export(SteppingOperator, bpy.types.Operator):
    """Export the current frame as a picture, and open it in the image editor of the preferences to paint over it"""

    bl_idname = "tsn.key_export"
    bl_label = "Export Frame to Paint"
    bl_options = {"INTERNAL", "UNDO"}

    def _make(self, scene: bpy.types.Scene) -> node_render.NodeRender:
        return key_jobs.KeyExport(self._uid, scene)

    def _finish(self) -> set[str]:
        super()._finish()
        try:
            key_jobs.open_in_editor(self._render.file)
        except PluginError as error:  # the key is there all the same
            _, node = node_trees.find_node(self._uid)
            if node is not None:
                node.node_tree.tsn.message = str(error)
            self.report({"WARNING"}, str(error))
        return {"FINISHED"}


class TSN_OT_key_paint(SteppingOperator, bpy.types.Operator):
    """Have tsn paint the current frame in the manner of the painting, as a key: minutes, by optimisation"""

    bl_idname = "tsn.key_paint"
    bl_label = "Paint Key from Painting"
    bl_options = {"INTERNAL", "UNDO"}

    def _make(self, scene: bpy.types.Scene) -> node_render.NodeRender:
        return key_jobs.KeyPainting(self._uid, scene)


class TSN_OT_learn(SteppingOperator, bpy.types.Operator):
    """Learn the keys for this shot, ahead of the render"""

    bl_idname = "tsn.learn"
    bl_label = "Learn"
    bl_options = {"INTERNAL"}

    def _make(self, scene: bpy.types.Scene) -> node_render.NodeRender:
        return key_jobs.KeyLearning(self._uid, scene)


class KeyOperator(NodeOperator):
    """What the operators of one key have in common."""

    frame: IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def act(self: Any, tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
        """Do it. Raises PluginError."""
        raise NotImplementedError

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        """Called by Blender."""
        try:
            tree, node = self.find_node(context)
            self.act(node.node_tree, node_trees.scene_of_tree(tree, context.scene) or context.scene)
        except PluginError as error:
            return self.report_error(error, self.uid)
        return {"FINISHED"}


class TSN_OT_key_add(KeyOperator, bpy.types.Operator):
    """Add a key at the current frame, for a file of your own"""

    bl_idname = "tsn.key_add"
    bl_label = "Add Key"
    bl_options = {"INTERNAL", "UNDO"}

    def act(self, tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
        """Add it."""
        if scene.frame_current not in tree.tsn.key_frames.files():
            key_frames.add_key(tree, scene, scene.frame_current, "")


class TSN_OT_key_remove(KeyOperator, bpy.types.Operator):
    """Take the key out of the list; its file stays"""

    bl_idname = "tsn.key_remove"
    bl_label = "Remove Key"
    bl_options = {"INTERNAL", "UNDO"}

    def act(self, tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
        """Remove it."""
        key_frames.remove_key(tree, scene, self.frame)


class TSN_OT_key_edit(KeyOperator, bpy.types.Operator):
    """Open the key in the image editor of the preferences"""

    bl_idname = "tsn.key_edit"
    bl_label = "Edit Key"
    bl_options = {"INTERNAL"}

    def act(self, tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
        """Open it."""
        file = tree.tsn.key_frames.files().get(self.frame, "")
        if not os.path.isfile(file):
            raise PluginError(f"There is no key at {file or 'an empty path'}, for frame {self.frame}.")
        key_jobs.open_in_editor(file)


CLASSES = (
    TSN_OT_key_export, TSN_OT_key_paint, TSN_OT_learn, TSN_OT_key_add, TSN_OT_key_remove, TSN_OT_key_edit,
)  # fmt: skip


def register() -> None:
    """Register the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Remove them."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
