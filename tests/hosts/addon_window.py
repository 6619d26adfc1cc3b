"""The add-on in a real window: Debian's Blender 3.4 under Xvfb, with the zip installed as a legacy add-on.

    blender --python addon_window.py -- ZIP FOLDER escape|finish
    blender --background --python addon_window.py -- ZIP FOLDER save

Opens the compositor on the demo plate, presses Render Range as a mouse would, and takes a screenshot while tsn paints
(`progress.png`). Then it presses ESC, or waits for the result (`result.png`); docs/images/blender_*.png were made so,
in a window of 1500 x 1050. Then the node is duplicated, as Shift D does. What it saw goes to `seen.json`.

Without a window the add-on is installed for good, and a shot of three frames is saved.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import bpy

ZIP, FOLDER, ENDING = sys.argv[sys.argv.index("--") + 1 :]
FOLDER = Path(FOLDER)
PLATE = Path(__file__).parents[2] / "shots/demo/plate/demo.1001.exr"
FIRST, LAST = 1001, 1016
SEEN = {"ticks": 0}


def set_up():
    bpy.ops.preferences.addon_install(filepath=ZIP)
    bpy.ops.preferences.addon_enable(module="tsn_blender")
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = FIRST, LAST
    scene.render.resolution_x, scene.render.resolution_y = 480, 270
    scene.view_settings.view_transform = "Standard"
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    plate = tree.nodes.new("CompositorNodeImage")
    plate.image = bpy.data.images.load(str(PLATE))
    plate.image.source = "SEQUENCE"
    plate.frame_start, plate.frame_offset, plate.frame_duration = FIRST, FIRST - 1, LAST - FIRST + 1
    node = tree.nodes.new("TSNStylizeNode")
    out, viewer = tree.nodes.new("CompositorNodeComposite"), tree.nodes.new("CompositorNodeViewer")
    tree.links.new(next(s for s in plate.outputs if s.name in ("Combined", "Image")), node.inputs["Image"])
    for target in (out, viewer):
        tree.links.new(node.outputs["Image"], target.inputs["Image"])
    plate.location, node.location, viewer.location, out.location = (-520, -300), (0, 180), (340, 40), (340, -40)
    plate.hide = viewer.hide = out.hide = True
    node.width = 300
    node.node_tree.tsn.window, node.node_tree.tsn.basename = 2, "harbour"
    scene.frame_set(1008)
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "harbour.blend"))
    scene.node_tree.nodes.active = scene.node_tree.nodes["TSN Stylize"]


def editor():
    """The window's largest area as a compositor, with what its operators need as context."""
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda one: one.width * one.height)
    region = next(region for region in area.regions if region.type == "WINDOW")
    return {"window": window, "screen": window.screen, "area": area, "region": region}


def show_compositor():
    space = editor()["area"].spaces.active
    space.show_backdrop, space.show_region_ui = True, False


def frame_nodes():
    with bpy.context.temp_override(**editor()):
        bpy.ops.node.view_all()
        bpy.ops.view2d.zoom_in(zoomfacx=0.15, zoomfacy=0.15)
    space = editor()["area"].spaces.active
    area = editor()["area"]
    space.backdrop_zoom, space.backdrop_offset = area.width / 1000, (-area.width // 4, area.height // 8)


def node():
    from tsn_blender import node_trees

    return node_trees.nodes_of_scene(bpy.context.scene)[0]


def press_render():
    with bpy.context.temp_override(**editor()):
        SEEN["started"] = list(bpy.ops.tsn.render("INVOKE_DEFAULT", uid=node().node_tree.tsn.uid))


def screenshot(name):
    with bpy.context.temp_override(**editor()):
        bpy.ops.screen.screenshot_area(filepath=str(FOLDER / f"{name}.png"))


def steps():
    """Each yield gives the window back to Blender for as many seconds."""
    yield 1
    # Not screen_full_area(): called from a timer it crashes this Blender.
    bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Compositing"]
    yield 1
    set_up()
    show_compositor()
    for _ in range(2):  # nodes have no size before they were drawn
        yield 1.5
        frame_nodes()
    press_render()
    from tsn_blender import node_render

    uid = node().node_tree.tsn.uid
    for _ in range(50):  # the render begins with the first tick of a timer of its own
        if uid in node_render.running:
            break
        yield 0.1
    render = node_render.running.get(uid)
    SEEN["running"] = render is not None
    enough = 3 if ENDING == "escape" else 8  # few, so that many are left to be painted when ESC arrives
    while uid in node_render.running and (render.phase != "Painting" or render.done < enough):
        yield 0.1
    SEEN["ticks_before_painting_ended"] = SEEN["ticks"]
    if uid in node_render.running:
        SEEN["progress"], SEEN["child"] = str(render), render._process.pid
        yield 0.3
        screenshot("progress")
    if ENDING == "escape":
        editor()["window"].event_simulate(type="ESC", value="PRESS", x=400, y=400)
        editor()["window"].event_simulate(type="ESC", value="RELEASE", x=400, y=400)
    while uid in node_render.running:
        yield 0.1
    yield 1
    from tsn_blender import frame_status
    from tsn_blender.shared import frame_numbers

    painted, requested, stale = frame_status.frame_sets(node(), bpy.context.scene)
    SEEN["status"], SEEN["message"] = (
        frame_numbers.status_line(painted=painted, requested=requested, stale=stale),
        node().node_tree.tsn.message,
    )
    if ENDING == "finish":
        bpy.context.scene.frame_set(1008)
        yield 4
        screenshot("result")
    yield from duplicate()


def duplicate():
    from tsn_blender import node_trees, styles

    SEEN["icons"] = [one[3] for one in styles.MODELS.enum_items()]
    before = node().node_tree.tsn.basename
    for one in bpy.context.scene.node_tree.nodes:
        one.select = one == node()
    with bpy.context.temp_override(**editor()):
        bpy.ops.node.duplicate()
    for _ in range(100):  # on a busy machine this timer may come before the add-on's
        ours = [one.node_tree for _, one in node_trees.tsn_nodes()]
        if len({inner.tsn.uid for inner in ours}) == 2:
            break
        yield 0.1
    SEEN["copies"] = {inner.tsn.basename: (inner.users, inner.tsn.shown) for inner in ours}
    SEEN["original"] = before


def tick():
    SEEN["ticks"] += 1
    try:
        return next(RUN)
    except StopIteration:
        finish(0)
    except BaseException:
        traceback.print_exc()
        finish(1)


def finish(code):
    (FOLDER / "seen.json").write_text(json.dumps(SEEN))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if bpy.app.background:
    set_up()
    bpy.context.scene.frame_end = FIRST + 2
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.save_userpref()
else:
    RUN = steps()
    bpy.app.timers.register(tick, first_interval=0.5)
