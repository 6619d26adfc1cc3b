"""The inner tree of a node: what was painted, over what comes in.

    Image ──────────────────────────┐
    Result (sequence of EXRs) ── Mix ── Image
    Ready (1 on frames that are there) × Strength ──┘ factor

Pass-through is exact: at factor 0 the mix gives its first colour, at 1 its second, bit for bit.
"""

import os

import bpy

from . import compat
from . import frames as ranges
from .command import Failed

LAYER = "Composite"
LONGEST = 255
"""Characters of a driver's expression in Blender."""


def new_tree():
    """An inner tree that passes its Image through."""
    tree = bpy.data.node_groups.new("TSN Stylize", "CompositorNodeTree")
    compat.new_socket(tree, "Image", "NodeSocketColor")
    compat.new_socket(tree, "Strength", "NodeSocketFloat", factor=True)
    compat.new_socket(tree, "Image", "NodeSocketColor", output=True)
    entry, leave = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    image = tree.nodes.new("CompositorNodeImage")
    image.name = image.label = "Result"
    ready = compat.new_node(tree, "CompositorNodeValue", "ShaderNodeValue")
    ready.name = ready.label = "Ready"
    ready.outputs[0].default_value = 0.0
    amount = compat.new_node(tree, "CompositorNodeMath", "ShaderNodeMath")
    amount.operation = "MULTIPLY"
    mix, factor, first, second, mixed = compat.new_mix(tree)
    mix.name = mix.label = "Mix"
    second.default_value = (0, 0, 0, 0)
    for a, b in (
        (ready.outputs[0], amount.inputs[0]),
        (entry.outputs["Strength"], amount.inputs[1]),
        (amount.outputs[0], factor),
        (entry.outputs["Image"], first),
        (mixed, leave.inputs["Image"]),
    ):
        tree.links.new(a, b)
    for node, place in ((entry, (-500, 0)), (image, (-300, -250)), (ready, (-300, 150)), (amount, (-100, 100))):
        node.location = place
    mix.location, leave.location = (120, 0), (320, 0)
    return tree


def show(tree, folder, name, frames):
    """Show the painted frames `name.####.exr` of a folder on these scene frames, the input on all others.

    Raises:
        Failed: none is there, or the gaps between them are too many to be told to a driver.
    """
    if not frames:
        raise Failed(f"No painted frame is in {folder}.", "Press Render range.")
    text = expression(frames)
    if len(text) > LONGEST:
        raise Failed(f"The frames in {folder} have too many gaps to be shown.", "Press Render range.")
    first, last = min(frames), max(frames)
    path = os.path.join(folder, f"{name}.{first:04d}.exr")
    node = tree.nodes["Result"]
    image = _image(node, path)
    node.image = image
    node.frame_start, node.frame_offset, node.frame_duration = first, first - 1, last - first + 1
    node.use_auto_refresh = True
    if node.has_layers:
        node.layer = LAYER
    painted = next(node.outputs[wanted] for wanted in ("Combined", "Image") if wanted in node.outputs)
    mix = tree.nodes["Mix"]
    second = next(socket for socket in mix.inputs if socket.identifier in ("B_Color", "Image_001"))
    tree.links.new(painted, second)
    _drive(tree, text)


def hide(tree):
    """Pass the input through."""
    tree.nodes["Ready"].outputs[0].driver_remove("default_value")
    tree.nodes["Ready"].outputs[0].default_value = 0.0


def _image(node, path):
    """The node's own image, of this path; read anew, since tsn may have painted it again."""
    image = node.image
    if image is None or image.library is not None or image.users > 1:
        image = bpy.data.images.load(path, check_existing=False)
    short = (
        bpy.path.relpath(path)
        if bpy.data.filepath and os.path.splitdrive(path)[0] == os.path.splitdrive(bpy.data.filepath)[0]
        else path
    )
    image.filepath, image.source = short, "SEQUENCE"
    image.colorspace_settings.name, image.alpha_mode = compat.colour_space()[0], "PREMUL"
    image.reload()
    return image


def expression(frames):
    """True on these frames; simple enough for Blender's own evaluator, so it runs where scripts may not."""
    spans = []
    for first, last, step in ranges.stepped(frames):
        every = f" and fmod(frame - {first}, {step}) == 0" if step > 1 else ""
        spans.append(f"(frame >= {first} and frame <= {last}{every})")
    return " or ".join(spans)


def _drive(tree, text):
    socket = tree.nodes["Ready"].outputs[0]
    socket.driver_remove("default_value")
    driver = socket.driver_add("default_value").driver
    driver.type, driver.expression = "SCRIPTED", text
