"""The TSN Stylize group: its knobs, and the nodes in it.

Input ──┬── TSNWrite (EXR, all channels)
        └── TSNMix ── Output
TSNRead (what tsn painted) ──┘ which = strength where a painted frame is there, else 0
"""

from __future__ import annotations

import json
import os
from typing import Any

import nuke

from .shared import tsn_process

SOURCES = ["Shipped", "File", "Painting"]
COLOURS = ["painting", "plate"]
FARMS = ["slurm", "openjd", "opencue"]
KNOB_PREFIX = "tsn_"
"""Every knob's name begins with it: a Group has knobs `name`, `label` and more of its own."""
STYLES_TIMEOUT_SECONDS = 20
"""How long a new node waits for tsn's list of styles."""


def tsn_command() -> str:
    """The path of the command: $TSN_COMMAND, or tsn."""
    return os.environ.get("TSN_COMMAND", "tsn")


def bundled_styles() -> list[str]:
    """The styles that tsn lists, without those that need a painting. Empty where tsn fails: a node is made anyway."""
    try:
        listed = tsn_process.run_command(tsn_command(), "styles", "--json", timeout_seconds=STYLES_TIMEOUT_SECONDS)
        return [style["name"] for style in json.loads(listed) if style["family"] not in ("adain", "strokes")]
    except (tsn_process.PluginError, ValueError, KeyError, TypeError):
        return []


def working_space() -> str:
    """The OCIO colour space of the script's working space."""
    root = nuke.root()
    if root["colorManagement"].value() == "OCIO" and "acescg" in root["workingSpaceLUT"].value().lower():
        return "ACEScg"
    return "lin_rec709"


def create() -> Any:
    """Make a TSN Stylize node behind the selected one, as the Add menu does."""
    group = nuke.createNode("Group", inpanel=False)
    group.setName("TSN_Stylize1")
    _add_knobs(group)
    group.begin()
    try:
        _add_nodes()
    finally:
        group.end()
    return group


def _add_knobs(group: Any) -> None:
    def button(name: str, label: str, *, line: bool = True) -> None:
        knob = nuke.PyScript_Knob(KNOB_PREFIX + name, label, f"import tsn_nuke; tsn_nuke.{name}(nuke.thisNode())")
        if line:
            knob.setFlag(nuke.STARTLINE)
        group.addKnob(knob)

    def text_knob(name: str, label: str, text: str) -> None:
        knob = nuke.String_Knob(KNOB_PREFIX + name, label)
        knob.setValue(text)
        group.addKnob(knob)

    root = nuke.root()
    styles = bundled_styles()
    group.addKnob(nuke.Tab_Knob("tsn", "TSN Stylize"))
    group.addKnob(nuke.Enumeration_Knob(KNOB_PREFIX + "source", "style from", SOURCES))
    group.addKnob(nuke.Enumeration_Knob(KNOB_PREFIX + "style", "style", styles or ["tarascon"]))
    group.addKnob(nuke.File_Knob(KNOB_PREFIX + "file", "file"))
    group.addKnob(nuke.Enumeration_Knob(KNOB_PREFIX + "colours", "painting: colours of the", COLOURS))
    strength = nuke.Double_Knob(KNOB_PREFIX + "strength", "strength")
    strength.setRange(0, 1)
    strength.setValue(1.0)
    group.addKnob(strength)
    for name, label, value in (
        ("first", "first", root.firstFrame()),
        ("last", "last", root.lastFrame()),
        ("window", "window", 8),
    ):
        knob = nuke.Int_Knob(KNOB_PREFIX + name, label)
        knob.setValue(value)
        group.addKnob(knob)
    for name, label, text in (
        ("matte_layer", "matte: cryptomatte", ""),
        ("matte_names", "matte: names", ""),
    ):
        text_knob(name, label, text)
    group.addKnob(nuke.Boolean_Knob(KNOB_PREFIX + "matte_invert", "matte: invert"))
    for name, label, text in (
        ("colour", "working space", working_space()),
        ("basename", "name (else the node's)", ""),
    ):
        text_knob(name, label, text)
    folder = nuke.File_Knob(KNOB_PREFIX + "folder", "folder")
    folder.setValue("[file dirname [value root.name]]/tsn")
    group.addKnob(folder)
    button("preview", "Preview this frame")
    button("render", "Render range", line=False)
    button("cancel", "Cancel", line=False)
    group.addKnob(nuke.Enumeration_Knob(KNOB_PREFIX + "farm", "farm", FARMS))
    button("submit", "Submit", line=False)
    button("reload", "Show range")
    button("shot_file", "Write shot file", line=False)
    group.addKnob(nuke.Text_Knob(KNOB_PREFIX + "status", "", "Nothing rendered yet"))


def _add_nodes() -> None:
    source = nuke.nodes.Input(name="Image")
    write = nuke.nodes.Write(name="TSNWrite", inputs=[source])
    write["channels"].setValue("all")
    write["file_type"].setValue("exr")
    write["raw"].setValue(True)
    write["compression"].setValue("Zip (16 scanlines)")
    write["metadata"].setValue("all metadata")  # the Cryptomatte manifest is in it
    write["create_directories"].setValue(True)
    read = nuke.nodes.Read(name="TSNRead")
    read["raw"].setValue(True)
    mix = nuke.nodes.Dissolve(name="TSNMix", inputs=[source, read])
    mix["which"].setValue(0)
    nuke.nodes.Output(name="Output", inputs=[mix])
