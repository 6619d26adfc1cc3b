"""The Group: its knobs and its insides.

Input ──┬── TSNWrite (EXR, all channels)
        └── TSNMix ── Output
TSNRead (what tsn painted) ──┘ which = strength where a painted frame is there, else 0
"""

from __future__ import annotations

import json
import os
from typing import Any

import nuke

from . import command

SOURCES = ["Shipped", "File", "Painting"]
COLOURS = ["painting", "plate"]
FARMS = ["slurm", "openjd", "opencue"]
KNOBS = "tsn_"
"""All our knobs' names begin so: a Group has `name`, `label` and more of its own."""


def executable() -> str:
    """The tsn command."""
    return os.environ.get("TSN_COMMAND", "tsn")


def styles() -> list[str]:
    """The shipped styles; none where tsn can't say, so that a node can be made all the same."""
    try:
        told = json.loads(command.ask(executable(), "styles", "--json", seconds=20))
        return [one["name"] for one in told if one["family"] != "adain"]  # that one needs a painting
    except (command.Failed, ValueError, KeyError, TypeError):
        return []


def working_space() -> str:
    """The script's working space as tsn calls it."""
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
        knob = nuke.PyScript_Knob(KNOBS + name, label, f"import tsn_nuke; tsn_nuke.{name}(nuke.thisNode())")
        if line:
            knob.setFlag(nuke.STARTLINE)
        group.addKnob(knob)

    def text_knob(name: str, label: str, text: str) -> None:
        knob = nuke.String_Knob(KNOBS + name, label)
        knob.setValue(text)
        group.addKnob(knob)

    root = nuke.root()
    known = styles()
    group.addKnob(nuke.Tab_Knob("tsn", "TSN Stylize"))
    group.addKnob(nuke.Enumeration_Knob(KNOBS + "source", "style from", SOURCES))
    group.addKnob(nuke.Enumeration_Knob(KNOBS + "style", "style", known or ["tarascon"]))
    group.addKnob(nuke.File_Knob(KNOBS + "file", "file"))
    group.addKnob(nuke.Enumeration_Knob(KNOBS + "colours", "painting: colours of the", COLOURS))
    strength = nuke.Double_Knob(KNOBS + "strength", "strength")
    strength.setRange(0, 1)
    strength.setValue(1.0)
    group.addKnob(strength)
    for name, label, value in (
        ("first", "first", root.firstFrame()),
        ("last", "last", root.lastFrame()),
        ("window", "window", 8),
    ):
        knob = nuke.Int_Knob(KNOBS + name, label)
        knob.setValue(value)
        group.addKnob(knob)
    for name, label, text in (
        ("matte_layer", "matte: cryptomatte", ""),
        ("matte_names", "matte: names", ""),
    ):
        text_knob(name, label, text)
    group.addKnob(nuke.Boolean_Knob(KNOBS + "matte_invert", "matte: invert"))
    for name, label, text in (
        ("colour", "working space", working_space()),
        ("basename", "name (else the node's)", ""),
    ):
        text_knob(name, label, text)
    folder = nuke.File_Knob(KNOBS + "folder", "folder")
    folder.setValue("[file dirname [value root.name]]/tsn")
    group.addKnob(folder)
    button("preview", "Preview this frame")
    button("render", "Render range", line=False)
    button("cancel", "Cancel", line=False)
    group.addKnob(nuke.Enumeration_Knob(KNOBS + "farm", "farm", FARMS))
    button("submit", "Submit", line=False)
    button("reload", "Show range")
    button("shot_file", "Write shot file", line=False)
    group.addKnob(nuke.Text_Knob(KNOBS + "status", "", "Nothing rendered yet"))


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
