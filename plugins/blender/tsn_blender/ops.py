"""The buttons. In a window, rendering is modal: a timer takes the job's steps, ESC cancels. Called from a script
(`bpy.ops.tsn.render(...)`), it blocks until the result is loaded.
"""

import time

import bpy
from bpy.props import BoolProperty, StringProperty

from . import export, job, prefs, state, tree
from . import node as node_module
from .command import Failed

PAUSE = 0.1


class Finding:
    """What all operators of one node share."""

    uid: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The node's id; empty: the active node")

    def found(self, context):
        """(tree, node); the active one of the scene where no id was given. Raises Failed."""
        node_module.settle()
        if self.uid:
            owner, node = tree.find(self.uid)
        else:
            ours = tree.of_scene(context.scene)
            node = next((one for one in ours if one == one.id_data.nodes.active), ours[0] if ours else None)
            owner = node.id_data if node else None
        if node is None:
            raise Failed("The scene has no TSN Stylize node.")
        return owner, node

    def failed(self, failed, uid=""):
        """Tell the artist, in the status bar and on the node."""
        _, node = tree.find(uid) if uid else (None, None)
        if node is not None:
            node.node_tree.tsn.message = str(failed)
        self.report({"WARNING" if str(failed).startswith("Cancelled") else "ERROR"}, str(failed))
        return {"CANCELLED"}


class TSN_OT_render(Finding, bpy.types.Operator):
    """Export what comes in, have tsn paint it, and show the result"""

    bl_idname = "tsn.render"
    bl_label = "Render Range"
    bl_options = {"INTERNAL", "UNDO"}  # a step of its own, or undoing what came after would hide the result too

    preview: BoolProperty(name="Preview this frame", options={"HIDDEN", "SKIP_SAVE"})

    def _start(self, context):
        owner, node = self.found(context)
        scene = tree.scene_of(owner, context.scene)
        self._uid = node.node_tree.tsn.uid
        export.require(node, scene)
        node.node_tree.tsn.message = ""
        self._job = job.Job(self._uid, scene, preview=self.preview)
        self._steps = self._job.run()

    def _finished(self):
        _, node = tree.find(self._uid)
        if node is not None:
            node.node_tree.tsn.message = ""
        state.forget()
        return {"FINISHED"}

    def execute(self, context):
        self._uid = ""
        try:
            self._start(context)
            for _ in self._steps:
                if self._job.phase != "Exporting":
                    time.sleep(PAUSE)
        except Failed as failed:
            return self.failed(failed, self._uid)
        return self._finished()

    def invoke(self, context, event):
        self._uid = ""
        try:
            self._start(context)
        except Failed as failed:
            return self.failed(failed, self._uid)
        self._timer = context.window_manager.event_timer_add(PAUSE, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type == "ESC":
            self._job.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        ended = {"CANCELLED"}  # what stays if a step fails as none should: Blender shows that and drops the operator
        try:
            next(self._steps)
            ended = {"PASS_THROUGH"}
        except StopIteration:
            ended = self._finished()
        except Failed as failed:
            ended = self.failed(failed, self._uid)
        finally:
            if ended != {"PASS_THROUGH"}:
                context.window_manager.event_timer_remove(self._timer)
            redraw(context)
        return ended

    def cancel(self, context):
        """Blender closes, or loads another file."""
        self._job.cancel()
        self._steps.close()


class TSN_OT_cancel(Finding, bpy.types.Operator):
    """Stop rendering; frames that are painted stay"""

    bl_idname = "tsn.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        if self.uid in job.running:
            job.running[self.uid].cancel()
        return {"FINISHED"}


class TSN_OT_reload(Finding, bpy.types.Operator):
    """Show the painted range, read from disk again"""

    bl_idname = "tsn.reload"
    bl_label = "Show Range"
    bl_options = {"INTERNAL", "UNDO"}

    def execute(self, context):
        try:
            owner, node = self.found(context)
            settings = node.node_tree.tsn
            settings.shown = "RANGE"
            missing = job.refresh(node, tree.scene_of(owner, context.scene) or context.scene)
            settings.message = job.missing_sentence(missing)
        except Failed as failed:
            return self.failed(failed, self.uid)
        if missing:
            self.report({"WARNING"}, settings.message)
        state.forget()
        return {"FINISHED"}


class TSN_OT_shot_file(Finding, bpy.types.Operator):
    """Write the shot file of the exported frames as the node is set now, and open it"""

    bl_idname = "tsn.shot_file"
    bl_label = "Open Shot File"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        uid = self.uid
        try:
            owner, node = self.found(context)
            scene, uid = tree.scene_of(owner, context.scene), node.node_tree.tsn.uid
            export.require(node, scene)
            settings = node.node_tree.tsn
            path = job.write_shot(node, scene, state.folder(settings), list(settings.frames(scene)))
        except Failed as failed:
            return self.failed(failed, uid)
        self.report({"INFO"}, f"Wrote {path}")
        if not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path))
        return {"FINISHED"}


class TSN_OT_render_all(Finding, bpy.types.Operator):
    """Render every TSN node of the scene, each after those upstream of it (for farms; blocks)"""

    bl_idname = "tsn.render_all"
    bl_label = "Render All TSN Nodes"

    def execute(self, context):
        node_module.settle()
        ours = [node.node_tree.tsn.uid for node in tree.of_scene(context.scene)]
        if not ours:
            return self.failed(Failed("The scene has no TSN Stylize node."))
        for uid in ours:
            if bpy.ops.tsn.render(uid=uid) != {"FINISHED"}:
                return {"CANCELLED"}
        return {"FINISHED"}


class TSN_OT_check(bpy.types.Operator):
    """Ask tsn for its version, device and styles"""

    bl_idname = "tsn.check"
    bl_label = "Check tsn"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        addon = context.preferences.addons.get(__package__)
        try:
            found = prefs.check()
        except Failed as failed:
            if addon:
                addon.preferences.found = str(failed)
            self.report({"ERROR"}, str(failed))
            return {"CANCELLED"}
        if addon:
            addon.preferences.found = found
        self.report({"INFO"}, found.replace("\n", "; "))
        return {"FINISHED"}


def redraw(context):
    """Node editors show the job's progress."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "NODE_EDITOR":
                area.tag_redraw()


CLASSES = (TSN_OT_render, TSN_OT_cancel, TSN_OT_reload, TSN_OT_shot_file, TSN_OT_render_all, TSN_OT_check)


def register():
    for one in CLASSES:
        bpy.utils.register_class(one)


def unregister():
    for one in reversed(CLASSES):
        bpy.utils.unregister_class(one)
