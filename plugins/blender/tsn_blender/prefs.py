"""The add-on's preferences: which command is tsn, and on which device it paints."""

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import bpy
from bpy.props import StringProperty

from . import command, shotfile, styles

DEFAULTS = {"command": "tsn", "device": "auto"}


class TSNPreferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    command: StringProperty(
        name="tsn command", default=DEFAULTS["command"], subtype="FILE_PATH", description="The tsn command, or its path"
    )
    device: StringProperty(
        name="Device", default=DEFAULTS["device"], description="What tsn paints on: auto, cpu, cuda, cuda:1, mps"
    )
    found: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def draw(self, context):
        column = self.layout.column()
        row = column.row(align=True)
        row.prop(self, "command")
        row.operator("tsn.check", icon="CHECKMARK", text="Check")
        column.prop(self, "device")
        for line in self.found.splitlines():
            column.label(text=line)


def get():
    """The settings that hold: $TSN_COMMAND and $TSN_DEVICE, for farms, then the preferences."""
    addon = bpy.context.preferences.addons.get(__package__)
    chosen = {name: getattr(addon.preferences, name) if addon else value for name, value in DEFAULTS.items()}
    chosen |= {name: os.environ[f"TSN_{name.upper()}"] for name in DEFAULTS if os.environ.get(f"TSN_{name.upper()}")}
    path = chosen["command"]
    return SimpleNamespace(**chosen | {"command": bpy.path.abspath(path) if "/" in path or "\\" in path else path})


def check():
    """Version, device and styles of tsn, a line each; a shot is checked with all that painting needs. Raises Failed."""
    chosen = get()
    version = command.ask(chosen.command, "--version").strip().partition("\n")[0]
    if not version.startswith("tsn "):
        raise command.Failed(f"{chosen.command} is not the tsn command: it answers {version[:60]!r}.")
    names = styles.ask(chosen.command)
    lines = [version, f"Styles: {', '.join(names) or 'none'}"]
    if names:
        with tempfile.TemporaryDirectory() as folder:
            lines.insert(1, f"Device: {_device(chosen, Path(folder), names[0])}")
    return "\n".join(lines)


def _device(chosen, folder, style):
    image = bpy.data.images.new("TSN check", 16, 16, float_buffer=True)
    try:
        image.filepath_raw, image.file_format = str(folder / "check.0001.exr"), "OPEN_EXR"
        image.save()
    finally:
        bpy.data.images.remove(image)
    shot = shotfile.Shot(
        plate="check.####.exr", output="out/check.####.exr", frames="1", colour="lin_rec709", style=style,
        painting=False, window=0,
    )  # fmt: skip
    shotfile.write(shot, folder / "check.yaml")
    said = command.ask(chosen.command, "check", str(folder / "check.yaml"), "--device", chosen.device)
    return next((line.split(None, 1)[1] for line in said.splitlines() if line.startswith("device ")), "unknown")


def register():
    bpy.utils.register_class(TSNPreferences)


def unregister():
    bpy.utils.unregister_class(TSNPreferences)
