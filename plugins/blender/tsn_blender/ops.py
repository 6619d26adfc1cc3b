"""The operators behind the buttons; those of key frames are in `key_ops`.

In a window rendering is modal: a timer takes the steps of the render, and ESC cancels it. Called from a script
(`bpy.ops.tsn.render(...)`), it returns when the result is loaded.
"""
# Blender reads properties from annotations, so these must not become strings: no `from __future__ import annotations`.
# mypy: disable-error-code="valid-type"

import time
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from . import frame_status, node_render, node_trees, plate_export, prefs
from . import node as node_module
from .shared.tsn_process import PluginError

STEP_SECONDS = 0.1
"""The pause between two steps of a render."""


class NodeOperator:
    """What the operators of one node have in common."""

    uid: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The node's id; empty: the active node")

    def find_node(self, context: bpy.types.Context) -> tuple[bpy.types.NodeTree, bpy.types.Node]:
        """(tree, node) of the id; without an id, of the scene's active or first TSN node. Raises PluginError."""
        node_module.separate_copies()
        if self.uid:
            tree, node = node_trees.find_node(self.uid)
        else:
            nodes = node_trees.nodes_of_scene(context.scene)
            node = next((one for one in nodes if one == one.id_data.nodes.active), nodes[0] if nodes else None)
            tree = node.id_data if node else None
        if node is None:
            raise PluginError("The scene has no TSN Stylize node.")
        return tree, node

    def report_error(self: Any, error: PluginError, uid: str = "") -> set[str]:
        """Show an error in the status bar and on the node, and return what a failed operator returns."""
        _, node = node_trees.find_node(uid) if uid else (None, None)
        if node is not None:
            node.node_tree.tsn.message = str(error)
        self.report({"WARNING" if str(error).startswith("Cancelled") else "ERROR"}, str(error))
        return {"CANCELLED"}


class SteppingOperator(NodeOperator):
    """An operator that takes the steps of a render or of something like it: `_make` makes it."""

    def _make(self: Any, scene: bpy.types.Scene) -> node_render.NodeRender:
        raise NotImplementedError

    def _start(self: Any, context: bpy.types.Context) -> None:
        tree, node = self.find_node(context)
        scene = node_trees.scene_of_tree(tree, context.scene)
        self._uid = node.node_tree.tsn.uid
        plate_export.check_node(node, scene)
        node.node_tree.tsn.message = ""
        self._render = self._make(scene)
        self._steps = self._render.steps()

    def _finish(self: Any) -> set[str]:
        _, node = node_trees.find_node(self._uid)
        if node is not None:
            node.node_tree.tsn.message = ""
        frame_status.clear_cache()
        return {"FINISHED"}

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        """Render until the result is loaded."""
        self._uid = ""
        try:
            self._start(context)
            for _ in self._steps:
                if self._render.phase != "Exporting":
                    time.sleep(STEP_SECONDS)
        except PluginError as error:
            return self.report_error(error, self._uid)
        return self._finish()

    def invoke(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start the render, and take its steps by a timer."""
        self._uid = ""
        try:
            self._start(context)
        except PluginError as error:
            return self.report_error(error, self._uid)
        self._timer = context.window_manager.event_timer_add(STEP_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take one step at each tick of the timer; ESC cancels."""
        if event.type == "ESC":
            self._render.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        state = {"CANCELLED"}  # kept where a step raises an unexpected exception: Blender then ends the operator
        try:
            next(self._steps)
            state = {"PASS_THROUGH"}
        except StopIteration:
            state = self._finish()
        except PluginError as error:
            state = self.report_error(error, self._uid)
        finally:
            if state != {"PASS_THROUGH"}:
                context.window_manager.event_timer_remove(self._timer)
            redraw(context)
        return state

    def cancel(self: Any, context: bpy.types.Context) -> None:
        """Stop: Blender closes, or opens another file."""
        self._render.cancel()
        self._steps.close()


class TSN_OT_render(SteppingOperator, bpy.types.Operator):
    """Export the input, have tsn paint it, and show the result"""

    bl_idname = "tsn.render"
    bl_label = "Render Range"
    bl_options = {"INTERNAL", "UNDO"}  # an undo step of its own: undoing a later change must not hide the result

    preview: BoolProperty(name="Preview this frame", options={"HIDDEN", "SKIP_SAVE"})

    def _make(self, scene: bpy.types.Scene) -> node_render.NodeRender:
        return node_render.NodeRender(self._uid, scene, preview=self.preview)


class TSN_OT_cancel(NodeOperator, bpy.types.Operator):
    """Stop rendering; frames that are painted stay"""

    bl_idname = "tsn.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Cancel the node's render, if there is one."""
        if self.uid in node_render.running:
            node_render.running[self.uid].cancel()
        return {"FINISHED"}


class TSN_OT_reload(NodeOperator, bpy.types.Operator):
    """Show the painted range, read from disk again"""

    bl_idname = "tsn.reload"
    bl_label = "Show Range"
    bl_options = {"INTERNAL", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Load the frames on disk."""
        try:
            tree, node = self.find_node(context)
            settings = node.node_tree.tsn
            settings.shown = "RANGE"
            missing = node_render.refresh(node, node_trees.scene_of_tree(tree, context.scene) or context.scene)
            settings.message = node_render.missing_message(missing)
        except PluginError as error:
            return self.report_error(error, self.uid)
        if missing:
            self.report({"WARNING"}, settings.message)
        frame_status.clear_cache()
        return {"FINISHED"}


class TSN_OT_shot_file(NodeOperator, bpy.types.Operator):
    """Write the shot file of the exported frames as the node is set now, and open it"""

    bl_idname = "tsn.shot_file"
    bl_label = "Open Shot File"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file; in a window open it with the system's program."""
        uid = self.uid
        try:
            tree, node = self.find_node(context)
            scene, uid = node_trees.scene_of_tree(tree, context.scene), node.node_tree.tsn.uid
            plate_export.check_node(node, scene)
            settings = node.node_tree.tsn
            frames = list(settings.frames(scene))
            path = node_render.write_shot(node, scene, frame_status.node_folder(settings), frames)
        except PluginError as error:
            return self.report_error(error, uid)
        self.report({"INFO"}, f"Wrote {path}")
        if not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path))
        return {"FINISHED"}


class TSN_OT_render_all(NodeOperator, bpy.types.Operator):
    """Render every TSN node of the scene, each after those upstream of it (for farms; blocks)"""

    bl_idname = "tsn.render_all"
    bl_label = "Render All TSN Nodes"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Render the nodes one after another; the first error ends it."""
        node_module.separate_copies()
        uids = [node.node_tree.tsn.uid for node in node_trees.nodes_of_scene(context.scene)]
        if not uids:
            return self.report_error(PluginError("The scene has no TSN Stylize node."))
        for uid in uids:
            if bpy.ops.tsn.render(uid=uid) != {"FINISHED"}:
                return {"CANCELLED"}
        return {"FINISHED"}


class TSN_OT_check(bpy.types.Operator):
    """Ask tsn for its version, device and styles"""

    bl_idname = "tsn.check"
    bl_label = "Check tsn"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Check the command, and show the result in the preferences."""
        addon = context.preferences.addons.get(__package__)
        try:
            result = prefs.check()
        except PluginError as error:
            if addon:
                addon.preferences.found = str(error)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if addon:
            addon.preferences.found = result
        self.report({"INFO"}, result.replace("\n", "; "))
        return {"FINISHED"}


def redraw(context: bpy.types.Context) -> None:
    """Draw all node editors again, which show the progress of renders."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "NODE_EDITOR":
                area.tag_redraw()


CLASSES = (TSN_OT_render, TSN_OT_cancel, TSN_OT_reload, TSN_OT_shot_file, TSN_OT_render_all, TSN_OT_check)


def register() -> None:
    """Register the operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Remove them."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
