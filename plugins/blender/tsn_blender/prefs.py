"""The add-on's preferences: the path of the tsn command, and the device it paints on."""
# Blender reads properties from annotations, so these must not become strings: no `from __future__ import annotations`.
# mypy: disable-error-code="valid-type"

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import bpy
from bpy.props import StringProperty

from . import styles
from .shared import shot_yaml, tsn_process

DEFAULTS = {"command": "tsn", "device": "auto"}


class TSNPreferences(bpy.types.AddonPreferences):
    """The preferences as Blender stores and draws them."""

    bl_idname = __package__

    command: StringProperty(
        name="tsn command", default=DEFAULTS["command"], subtype="FILE_PATH", description="The tsn command, or its path"
    )
    device: StringProperty(
        name="Device", default=DEFAULTS["device"], description="What tsn paints on: auto, cpu, cuda, cuda:1, mps"
    )
    found: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The result of the last check")

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        column = self.layout.column()
        row = column.row(align=True)
        row.prop(self, "command")
        row.operator("tsn.check", icon="CHECKMARK", text="Check")
        column.prop(self, "device")
        for line in self.found.splitlines():
            column.label(text=line)


def get() -> SimpleNamespace:
    """`command` and `device`: from $TSN_COMMAND and $TSN_DEVICE, which farms set, else from the preferences."""
    addon = bpy.context.preferences.addons.get(__package__)
    chosen = {name: getattr(addon.preferences, name) if addon else value for name, value in DEFAULTS.items()}
    chosen |= {name: os.environ[f"TSN_{name.upper()}"] for name in DEFAULTS if os.environ.get(f"TSN_{name.upper()}")}
    path = chosen["command"]
    return SimpleNamespace(**chosen | {"command": bpy.path.abspath(path) if "/" in path or "\\" in path else path})


def check() -> str:
    """Check a shot of one frame with all that painting needs.

    Returns:
        tsn's version, device, styles and presets of brush strokes, a line each.

    Raises:
        tsn_process.PluginError: the command can't be started, fails, or is another program.
    """
    preferences = get()
    version = tsn_process.run_command(preferences.command, "--version").strip().partition("\n")[0]
    if not version.startswith("tsn "):
        raise tsn_process.PluginError(f"{preferences.command} is not the tsn command: it answers {version[:60]!r}.")
    listed = styles.load_names(preferences.command)
    lines = [version, f"Styles: {', '.join(listed.models) or 'none'}"]
    if listed.presets:
        lines.append(f"Brush strokes: {', '.join(listed.presets)}")
    if listed.models:
        with tempfile.TemporaryDirectory() as folder:
            lines.insert(1, f"Device: {_find_device(preferences, Path(folder), listed.models[0])}")
    return "\n".join(lines)


def _find_device(preferences: SimpleNamespace, folder: Path, style: str) -> str:
    """The device that `tsn check` reports for a shot of one small frame, which is written into a folder."""
    image = bpy.data.images.new("TSN check", 16, 16, float_buffer=True)
    try:
        image.filepath_raw, image.file_format = str(folder / "check.0001.exr"), "OPEN_EXR"
        image.save()
    finally:
        bpy.data.images.remove(image)
    shot = shot_yaml.ShotSettings(
        plate="check.####.exr", output="out/check.####.exr", frames="1", colour="lin_rec709", style=style,
        painting=False, window=0,
    )  # fmt: skip
    path = folder / "check.yaml"
    shot_yaml.write(shot, path)
    report = tsn_process.run_command(preferences.command, "check", str(path), "--device", preferences.device)
    return next((line.split(None, 1)[1] for line in report.splitlines() if line.startswith("device ")), "unknown")


def register() -> None:
    """Register the preferences."""
    bpy.utils.register_class(TSNPreferences)


def unregister() -> None:
    """Remove them."""
    bpy.utils.unregister_class(TSNPreferences)
