"""Blender's side of test_blender.py: an EXR's passes and Cryptomatte mattes, as Blender's compositor reads them.

Blender's Python only (bpy)::

    python blender_read.py plate.1001.exr /tmp/out --passes Combined Depth --mattes monkey monkey,boat

writes one multilayer EXR in 32 bit into the folder, with a layer for each pass, named like it, and for each matte,
named `matte0`, `matte1` and so on.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import bpy


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("image", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--passes", nargs="*", default=[])
    parser.add_argument("--mattes", nargs="*", default=[])
    args = parser.parse_args()

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))  # Blender renders nothing without
    scene.collection.objects.link(scene.camera)
    image = bpy.data.images.load(str(args.image.resolve()))
    scene.render.resolution_x, scene.render.resolution_y = image.size
    scene.use_nodes = True
    nodes, link = scene.node_tree.nodes, scene.node_tree.links.new
    nodes.clear()

    file = nodes.new("CompositorNodeOutputFile")
    file.format.file_format, file.format.color_depth = "OPEN_EXR_MULTILAYER", "32"
    file.base_path = str(args.out.resolve() / "blender.")
    file.layer_slots.clear()
    source = nodes.new("CompositorNodeImage")
    source.image = image
    for name in args.passes:
        link(source.outputs[name], slot(file, name))
    for number, names in enumerate(args.mattes):
        matte = nodes.new("CompositorNodeCryptomatteV2")
        matte.source, matte.image, matte.matte_id = "IMAGE", image, names
        link(matte.outputs["Matte"], slot(file, f"matte{number}"))
    bpy.ops.render.render()


def slot(file: bpy.types.CompositorNodeOutputFile, name: str) -> bpy.types.NodeSocket:
    file.layer_slots.new(name)
    return file.inputs[-1]


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)  # bpy 4.5 can hang while the interpreter shuts down
