"""The tree inside a TSN node: mixes the painted frames over the input.

    Image ──────────────────────────┐
    Result (sequence of EXRs) ── Mix ── Image
    Ready (1 on frames that are there) × Strength ──┘ factor

Both ends are exact: at factor 0 the mix gives its first colour, at 1 its second, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Collection

import bpy

from . import compat
from .shared import frame_numbers
from .shared.tsn_process import PluginError

PAINTED_LAYER = "Composite"
MAX_EXPRESSION_LENGTH = 255
"""Characters of a driver's expression in Blender."""


def new_inner_tree() -> bpy.types.NodeTree:
    """Make an inner tree that shows its input."""
    tree = bpy.data.node_groups.new("TSN Stylize", "CompositorNodeTree")
    compat.new_socket(tree, "Image", "NodeSocketColor")
    compat.new_socket(tree, "Strength", "NodeSocketFloat", factor=True)
    compat.new_socket(tree, "Image", "NodeSocketColor", output=True)
    group_input, group_output = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
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
    for source, target in (
        (ready.outputs[0], amount.inputs[0]),
        (group_input.outputs["Strength"], amount.inputs[1]),
        (amount.outputs[0], factor),
        (group_input.outputs["Image"], first),
        (mixed, group_output.inputs["Image"]),
    ):
        tree.links.new(source, target)
    for node, location in (
        (group_input, (-500, 0)),
        (image, (-300, -250)),
        (ready, (-300, 150)),
        (amount, (-100, 100)),
        (mix, (120, 0)),
        (group_output, (320, 0)),
    ):
        node.location = location
    return tree


def show_frames(tree: bpy.types.NodeTree, folder: str, name: str, frames: Collection[int]) -> None:
    """Show the painted frames `name.####.exr` of a folder at these scene frames, and the input at all others.

    Raises:
        PluginError: there are no frames, or too many gaps between them for a driver's expression.
    """
    if not frames:
        raise PluginError(f"No painted frame is in {folder}.", "Press Render range.")
    expression = driver_expression(frames)
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise PluginError(f"The frames in {folder} have too many gaps to be shown.", "Press Render range.")
    first, last = min(frames), max(frames)
    node = tree.nodes["Result"]
    node.image = _load_sequence(node, os.path.join(folder, f"{name}.{first:04d}.exr"))
    node.frame_start, node.frame_offset, node.frame_duration = first, first - 1, last - first + 1
    node.use_auto_refresh = True
    if node.has_layers:
        node.layer = PAINTED_LAYER
    painted = next(node.outputs[output] for output in ("Combined", "Image") if output in node.outputs)
    mix = tree.nodes["Mix"]
    second = next(socket for socket in mix.inputs if socket.identifier in ("B_Color", "Image_001"))
    tree.links.new(painted, second)
    socket = tree.nodes["Ready"].outputs[0]
    socket.driver_remove("default_value")
    driver = socket.driver_add("default_value").driver
    driver.type, driver.expression = "SCRIPTED", expression


def pass_through(tree: bpy.types.NodeTree) -> None:
    """Show the input at all frames."""
    tree.nodes["Ready"].outputs[0].driver_remove("default_value")
    tree.nodes["Ready"].outputs[0].default_value = 0.0


def driver_expression(frames: Collection[int]) -> str:
    """An expression that is true at these frames. Simple enough to work where Blender may not run Python."""
    spans = []
    for first, last, step in frame_numbers.stepped_ranges(frames):
        every = f" and fmod(frame - {first}, {step}) == 0" if step > 1 else ""
        spans.append(f"(frame >= {first} and frame <= {last}{every})")
    return " or ".join(spans)


def _load_sequence(node: bpy.types.Node, path: str) -> bpy.types.Image:
    """The image of this node only, set to a path and read again, since tsn may have painted the file anew."""
    image = node.image
    if image is None or image.library is not None or image.users > 1:
        image = bpy.data.images.load(path, check_existing=False)
    image.filepath = compat.relative_path(path)
    image.source = "SEQUENCE"
    image.colorspace_settings.name, image.alpha_mode = compat.colour_space()[0], "PREMUL"
    image.reload()
    return image
