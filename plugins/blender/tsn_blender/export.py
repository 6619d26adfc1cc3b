"""Write what is upstream of a node: one EXR a frame, half float, with the render's own vectors and Cryptomatte.

The frame is rendered as the artist would, but with the output linked to the node's input, and saved by Blender's own
multilayer writer: a File Output node at 16 bit destroys Cryptomatte ids and half of the vectors before Blender 4.5.
Everything is set for one frame and put back after it, so that nothing foreign is ever saved or seen.
"""

import contextlib
import os
from pathlib import Path

import bpy

from . import compat, exr, shotfile, state, tree
from .command import Failed

FILE_OUTPUT = "CompositorNodeOutputFile"
COMPOSITE = "Composite"
"""What Blender calls the layer of the final output; a view layer of that name takes its place in the file."""
LONGEST = 63 - len(".CryptoObject00.r")
"""Bytes of a view layer's name: Blender leaves out channels whose full names are longer than 63."""
PASSES = ("use_pass_z", "use_pass_vector", "use_pass_cryptomatte_object")


def require(node, scene):
    """Raise Failed where the node can't be exported."""
    if scene is None or compat.own_tree(scene) != node.id_data:
        raise Failed("A TSN node works in a scene's own node tree, not inside a group.")
    if compat.scene_tree(scene) is None:
        raise Failed("The scene does not use its nodes.", "Switch on Use Nodes in the compositor.")
    if tree.source(node) is None:
        raise Failed("Nothing is linked to the node's Image.")
    if not bpy.data.filepath:
        raise Failed("Save the file first: the frames go beside it.")
    config = os.environ.get("OCIO", "")
    if config and "://" not in config and not os.path.isfile(config):
        # Blender takes its own config then, without a word.
        raise Failed(f"$OCIO names {config}, which is not there.", "Correct or unset it, and start Blender again.")
    settings = node.node_tree.tsn
    home = state.folder(settings)
    fault = shotfile.name_fault(settings.basename) or shotfile.folder_fault(str(home))
    if fault:
        raise Failed(fault)
    for other in (one for each in bpy.data.scenes for one in tree.of_scene(each)):
        theirs = other.node_tree.tsn
        if theirs.uid != settings.uid and state.folder(theirs) == home:
            raise Failed(f"The node {other.name!r} writes to {home} too.", "Give one of the two another name.")
    _require_layer(node, scene)
    if settings.matte_object:
        if tree.render_layers(node, scene) is None:
            raise Failed("A matte by object needs a Render Layers node upstream.")
        if settings.matte_object not in scene.objects:
            raise Failed(f"The scene has no object {settings.matte_object!r} for the matte.")
    if tree.render_layers(node, scene) is not None and scene.camera is None:
        raise Failed("The scene has no camera.")
    if scene.render.use_multiview:
        raise Failed("The scene renders in stereo, a picture for each eye.", "Switch off Stereoscopy in its output.")
    if len(settings.frames(scene)) == 0:
        raise Failed(f"The frame range is empty: {settings.frame_start} to {settings.frame_end}.")


def require_numbers(numbers):
    """Raise Failed where frames are to be painted that Blender could not show."""
    if (first := min(numbers)) < 0:
        raise Failed(
            f"Frame {first} can't be painted: Blender reads no picture whose number is below 0.",
            "Let the range begin at 0 or later, and move the shot along the timeline if it begins before.",
        )


def _require_layer(node, scene):
    """Raise Failed where the passes of the view layer that is upstream could not be told from others."""
    shown = tree.render_layers(node, scene)
    layer = scene.view_layers.get(shown.layer) if shown else None
    if layer is None:
        return
    if not layer.use:
        raise Failed(f"The view layer {layer.name!r} is not rendered.", "Switch on its Use for Rendering.")
    if COMPOSITE in scene.view_layers:
        raise Failed(
            f"A view layer is called {COMPOSITE!r}, as Blender calls what the compositor makes.",
            "Give it another name.",
        )
    if len(layer.name.encode()) > LONGEST:
        raise Failed(
            f"The name of the view layer {layer.name!r} is too long for Blender to write all its passes.",
            f"Give it one of at most {LONGEST} letters.",
        )


def frame(node, scene, number, path):
    """Render one frame of what is upstream of `node` into an EXR of several layers. Raises Failed."""
    path = Path(path)
    with _frame_shown(scene, number), _upstream_as_output(node), _settings(scene, path), _passes(node, scene):
        try:
            bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            raise Failed(f"Frame {number} could not be rendered: {_last(error)}.") from None
    if not path.is_file():
        raise Failed(f"Blender could not write {path}.", "Choose another folder on the node.")


def layers(path, shown):
    """What the first exported frame holds: (layer to paint, vectors or None, Cryptomatte or None).

    Vectors and Cryptomatte are those of the Render Layers node `shown`; what no render makes has none.
    """
    names = exr.channels(Path(path))
    picture = f"{COMPOSITE}.Combined"
    if f"{picture}.R" not in names:
        raise Failed(f"{path} has no composite: Blender wrote {', '.join(names[:4])}.")
    vectors = matte = None
    if shown is not None:  # layers' names may begin like one another, and hold dots: the whole name decides
        passes = {name[len(shown.layer) + 1 :] for name in names if name.startswith(f"{shown.layer}.")}
        vectors = f"{shown.layer}.Vector" if "Vector.X" in passes else None
        matte = f"{shown.layer}.CryptoObject" if passes & {"CryptoObject00.r", "CryptoObject00.R"} else None
    return picture, vectors, matte


def _last(error):
    return next(
        (line.strip(". ") for line in reversed(str(error).splitlines()) if line.strip()), "Blender says no more"
    )


@contextlib.contextmanager
def _frame_shown(scene, number):
    before, between = scene.frame_current, scene.frame_subframe
    scene.frame_set(number)
    try:
        yield
    finally:
        scene.frame_set(before, subframe=between)


@contextlib.contextmanager
def _upstream_as_output(node):
    """The rendered image is the node's input, and no File Output node writes."""
    owner = node.id_data
    final = compat.final_input(owner)
    made = None
    if final is None:
        made = compat.new_final(owner)
        final = made.inputs[0]
    linked = [(link.from_socket, link.is_muted) for link in final.links]
    try:
        with _no_other_files(owner):
            owner.links.new(tree.source(node), final)
            yield
    finally:
        if made is not None:
            owner.nodes.remove(made)
        else:
            for link in list(final.links):
                owner.links.remove(link)
            for socket, muted in linked:
                owner.links.new(socket, final).is_muted = muted


@contextlib.contextmanager
def _no_other_files(owner):
    """No File Output node writes, in groups neither."""
    writers = [one for part in tree.with_groups(owner) for one in part.nodes if one.bl_idname == FILE_OUTPUT]
    busy = [one for one in writers if not one.mute]
    try:
        for one in busy:
            one.mute = True
        yield
    finally:
        for one in busy:
            one.mute = False


@contextlib.contextmanager
def _settings(scene, path):
    render, image = scene.render, scene.render.image_settings
    kept = ("filepath", "use_compositing", "use_sequencer", "use_file_extension", "use_overwrite", "use_stamp")
    kept += ("use_single_layer", "use_border")
    before = {name: getattr(render, name) for name in kept}
    forms = ("media_type", "file_format", "color_mode", "color_depth", "exr_codec", "use_exr_interleave")
    forms += ("color_management",)
    form = {name: getattr(image, name) for name in forms if hasattr(image, name)}
    space = image.linear_colorspace_settings.name
    try:
        render.filepath = compat.literal(str(path))
        render.use_compositing, render.use_sequencer = True, False
        render.use_stamp = False  # it would be burnt into the plate, and painted
        render.use_file_extension = render.use_overwrite = True
        render.use_single_layer = False  # what is upstream may show any of them
        # A region is drawn for speed: with it off again the paint would be black around it. Cropped to it, the artist's
        # own picture is as small.
        render.use_border = render.use_border and render.use_crop_to_border
        compat.set_multilayer(image)
        image.color_management = "FOLLOW_SCENE"  # the artist's files may have another space, the plate may not
        yield
    finally:
        for name, value in before.items():
            setattr(render, name, value)
        # The codec's and depth's choices depend on the format, so that goes first, and some may not be choices now.
        for name, value in form.items():
            with contextlib.suppress(TypeError):
                setattr(image, name, value)
        with contextlib.suppress(TypeError):  # a change of format sets it anew; no name is none that can be set
            image.linear_colorspace_settings.name = space


@contextlib.contextmanager
def _passes(node, scene):
    """Vectors, depth (to know the background by) and Cryptomatte, on the layer that is upstream.

    Cryptomatte without a matte too: then a TD can add one to the shot file without Blender.
    """
    shown = tree.render_layers(node, scene)
    layer = scene.view_layers.get(shown.layer) if shown else None
    if layer is None:
        yield
        return
    before = {name: getattr(layer, name) for name in PASSES}
    try:
        for name in PASSES:
            setattr(layer, name, True)
        yield
    finally:
        for name, value in before.items():
            setattr(layer, name, value)
