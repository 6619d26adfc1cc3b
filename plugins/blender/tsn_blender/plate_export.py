"""Render a node's input into EXR files, one a frame: half float, with the render's motion vectors and Cryptomatte.

Each frame is rendered as the artist would render it, but with the scene's output linked to the node's input, and saved
by Blender's multilayer writer: before Blender 4.5 a File Output node at 16 bit destroys Cryptomatte ids and half of the
vectors. Every setting is changed for one frame only and then put back, so that no changed setting is saved or seen.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from . import compat, exr_header, frame_status, node_trees
from .shared import shot_yaml
from .shared.tsn_process import PluginError

FILE_OUTPUT = "CompositorNodeOutputFile"
COMPOSITE_LAYER = "Composite"
"""Blender's name for the layer of the compositor's output; a view layer of that name would replace it in the file."""
MAX_LAYER_NAME_BYTES = 63 - len(".CryptoObject00.r")
"""Of a view layer's name: Blender leaves out channels whose full names are longer than 63 bytes."""
PASSES = ("use_pass_z", "use_pass_vector", "use_pass_cryptomatte_object")
SURFACE_PASSES = {"UV": ("use_pass_uv", "UV", "U"), "POSITION": ("use_pass_position", "Position", "X")}
"""A surface for strokes -> (setting of its pass, the pass's name in the file, a channel of it)."""


def check_node(node: bpy.types.Node, scene: bpy.types.Scene | None) -> None:
    """Raise PluginError where the node can't be exported."""
    if scene is None or compat.own_tree(scene) != node.id_data:
        raise PluginError("A TSN node works in a scene's own node tree, not inside a group.")
    if compat.scene_tree(scene) is None:
        raise PluginError("The scene does not use its nodes.", "Switch on Use Nodes in the compositor.")
    if node_trees.linked_socket(node) is None:
        raise PluginError("Nothing is linked to the node's Image.")
    if not bpy.data.filepath:
        raise PluginError("Save the file first: the frames go beside it.")
    config = os.environ.get("OCIO", "")
    if config and "://" not in config and not os.path.isfile(config):
        # Blender would use its own config without a message.
        raise PluginError(f"$OCIO names {config}, which is not there.", "Correct or unset it, and start Blender again.")
    settings = node.node_tree.tsn
    home = frame_status.node_folder(settings)
    error = shot_yaml.name_error(settings.basename) or shot_yaml.folder_error(str(home))
    if error:
        raise PluginError(error)
    for other in (one for each in bpy.data.scenes for one in node_trees.nodes_of_scene(each)):
        theirs = other.node_tree.tsn
        if theirs.uid != settings.uid and frame_status.node_folder(theirs) == home:
            raise PluginError(f"The node {other.name!r} writes to {home} too.", "Give one of the two another name.")
    _check_view_layer(node, scene)
    renders = node_trees.render_layers_node(node, scene) is not None
    if settings.matte_object:
        if not renders:
            raise PluginError("A matte by object needs a Render Layers node upstream.")
        if settings.matte_object not in scene.objects:
            raise PluginError(f"The scene has no object {settings.matte_object!r} for the matte.")
    if not renders and _surface(node) is not None:
        raise PluginError("A surface for the strokes needs a Render Layers node upstream.")
    if renders and scene.camera is None:
        raise PluginError("The scene has no camera.")
    if scene.render.use_multiview:
        raise PluginError(
            "The scene renders in stereo, a picture for each eye.", "Switch off Stereoscopy in its output."
        )
    if len(settings.frames(scene)) == 0:
        raise PluginError(f"The frame range is empty: {settings.frame_start} to {settings.frame_end}.")


def check_frame_numbers(frames: Sequence[int]) -> None:
    """Raise PluginError where Blender could not show one of these frames."""
    if (first := min(frames)) < 0:
        raise PluginError(
            f"Frame {first} can't be painted: Blender reads no picture whose number is below 0.",
            "Let the range begin at 0 or later, and move the shot along the timeline if it begins before.",
        )


def _check_view_layer(node: bpy.types.Node, scene: bpy.types.Scene) -> None:
    """Raise PluginError where the passes of the view layer upstream would be missing or ambiguous in the file."""
    layers = node_trees.render_layers_node(node, scene)
    layer = scene.view_layers.get(layers.layer) if layers else None
    if layer is None:
        return
    if not layer.use:
        raise PluginError(f"The view layer {layer.name!r} is not rendered.", "Switch on its Use for Rendering.")
    if COMPOSITE_LAYER in scene.view_layers:
        raise PluginError(
            f"A view layer is called {COMPOSITE_LAYER!r}, as Blender calls what the compositor makes.",
            "Give it another name.",
        )
    if len(layer.name.encode()) > MAX_LAYER_NAME_BYTES:
        raise PluginError(
            f"The name of the view layer {layer.name!r} is too long for Blender to write all its passes.",
            f"Give it one of at most {MAX_LAYER_NAME_BYTES} letters.",
        )


def render_frame(node: bpy.types.Node, scene: bpy.types.Scene, number: int, path: str | Path) -> None:
    """Render one frame of the node's input into a multilayer EXR.

    Raises:
        PluginError: Blender can't render it or can't write the file.
    """
    path = Path(path)
    with current_frame(scene, number), _input_as_output(node), _settings(scene, path), _passes(node, scene):
        try:
            bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            raise PluginError(f"Frame {number} could not be rendered: {_last_line(error)}.") from None
    if not path.is_file():
        raise PluginError(f"Blender could not write {path}.", "Choose another folder on the node.")


def find_layers(path: str | Path, layers_node: bpy.types.Node | None) -> tuple[str, str | None, str | None]:
    """The layers of an exported frame: (layer to paint, vectors or None, Cryptomatte or None).

    Vectors and Cryptomatte are those of the given Render Layers node; without one there are none.

    Raises:
        PluginError: the file has no composite layer.
    """
    names = exr_header.channel_names(Path(path))
    picture = f"{COMPOSITE_LAYER}.Combined"
    if f"{picture}.R" not in names:
        raise PluginError(f"{path} has no composite: Blender wrote {', '.join(names[:4])}.")
    vectors = matte = None
    if layers_node is not None:
        layer, passes = layers_node.layer, _channels_of(layers_node.layer, names)
        vectors = f"{layer}.Vector" if "Vector.X" in passes else None
        matte = f"{layer}.CryptoObject" if passes & {"CryptoObject00.r", "CryptoObject00.R"} else None
    return picture, vectors, matte


def find_surface(path: str | Path, node: bpy.types.Node, scene: bpy.types.Scene) -> str | None:
    """The layer of an exported frame that the node's strokes stay on; None where the node names no surface.

    Raises:
        PluginError: the render has no such pass.
    """
    surface, layers_node = _surface(node), node_trees.render_layers_node(node, scene)
    if surface is None or layers_node is None:
        return None
    _, name, channel = surface
    if f"{name}.{channel}" not in _channels_of(layers_node.layer, exr_header.channel_names(Path(path))):
        raise PluginError(
            f"{scene.render.engine} renders no {name} pass for the strokes.",
            "Render with Cycles, or choose another surface.",
        )
    return f"{layers_node.layer}.{name}"


def _surface(node: bpy.types.Node) -> tuple[str, str, str] | None:
    """The pass of the surface that the node's strokes stay on, as in `SURFACE_PASSES`."""
    settings = node.node_tree.tsn
    return SURFACE_PASSES.get(settings.strokes.surface) if settings.source == "STROKES" else None


def _channels_of(layer: str, names: Sequence[str]) -> set[str]:
    """What follows a view layer's name in the channels' names. Such names may contain dots, or begin alike."""
    return {name[len(layer) + 1 :] for name in names if name.startswith(f"{layer}.")}


def _last_line(error: Exception) -> str:
    lines = [line.strip(". ") for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "Blender gives no reason"


@contextlib.contextmanager
def current_frame(scene: bpy.types.Scene, number: int) -> Iterator[None]:
    """The scene is at this frame, and afterwards where it was."""
    before, subframe = scene.frame_current, scene.frame_subframe
    scene.frame_set(number)
    try:
        yield
    finally:
        scene.frame_set(before, subframe=subframe)


@contextlib.contextmanager
def _input_as_output(node: bpy.types.Node) -> Iterator[None]:
    """The node's input is the rendered image, and no File Output node writes."""
    tree = node.id_data
    final = compat.final_input(tree)
    added = None
    if final is None:
        added = compat.new_output_node(tree)
        final = added.inputs[0]
    linked = [(link.from_socket, link.is_muted) for link in final.links]
    try:
        with _muted_file_outputs(tree):
            tree.links.new(node_trees.linked_socket(node), final)
            yield
    finally:
        if added is not None:
            tree.nodes.remove(added)
        else:
            for link in list(final.links):
                tree.links.remove(link)
            for socket, muted in linked:
                tree.links.new(socket, final).is_muted = muted


@contextlib.contextmanager
def _muted_file_outputs(tree: bpy.types.NodeTree) -> Iterator[None]:
    """The File Output nodes of a tree and of its groups are muted."""
    writers = [one for part in node_trees.trees_with_groups(tree) for one in part.nodes if one.bl_idname == FILE_OUTPUT]
    unmuted = [one for one in writers if not one.mute]
    try:
        for one in unmuted:
            one.mute = True
        yield
    finally:
        for one in unmuted:
            one.mute = False


@contextlib.contextmanager
def _settings(scene: bpy.types.Scene, path: Path) -> Iterator[None]:
    """The scene's output is set to a multilayer EXR at this path."""
    render, image = scene.render, scene.render.image_settings
    names = ["filepath", "use_compositing", "use_sequencer", "use_file_extension", "use_overwrite", "use_stamp"]
    names += ["use_single_layer", "use_border"]
    before = {name: getattr(render, name) for name in names}
    format_names = ["media_type", "file_format", "color_mode", "color_depth", "exr_codec", "use_exr_interleave"]
    format_names += ["color_management"]
    format_before = {name: getattr(image, name) for name in format_names if hasattr(image, name)}
    space = image.linear_colorspace_settings.name
    try:
        render.filepath = compat.escape_braces(str(path))
        render.use_compositing, render.use_sequencer = True, False
        render.use_stamp = False  # a stamp would be burnt into the plate, and painted
        render.use_file_extension = render.use_overwrite = True
        render.use_single_layer = False  # the nodes upstream may show any view layer
        # A render region only saves time. If it were exported, the paint around it would be black after it is switched
        # off. With "crop to render region" the artist's own picture is cropped too.
        render.use_border = render.use_border and render.use_crop_to_border
        compat.set_multilayer(image)
        image.color_management = "FOLLOW_SCENE"  # the plate is in the scene's space, whatever the artist's files are in
        yield
    finally:
        for name, value in before.items():
            setattr(render, name, value)
        # In this order: codec and depth depend on the format, and some values may be unavailable now.
        for name, value in format_before.items():
            with contextlib.suppress(TypeError):
                setattr(image, name, value)
        with contextlib.suppress(TypeError):  # a change of format resets it; an empty name can't be set
            image.linear_colorspace_settings.name = space


@contextlib.contextmanager
def _passes(node: bpy.types.Node, scene: bpy.types.Scene) -> Iterator[None]:
    """Vectors, depth (which separates the background), Cryptomatte and a surface are on, in the view layer upstream.

    Cryptomatte is always on, so that a TD can add a matte to the shot file without Blender.
    """
    layers = node_trees.render_layers_node(node, scene)
    layer = scene.view_layers.get(layers.layer) if layers else None
    if layer is None:
        yield
        return
    surface = _surface(node)
    before = {name: getattr(layer, name) for name in (*PASSES, *(surface[:1] if surface else ()))}
    try:
        for name in before:
            setattr(layer, name, True)
        yield
    finally:
        for name, value in before.items():
            setattr(layer, name, value)
