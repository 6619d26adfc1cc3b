"""The TSN Stylize group: its knobs, and the nodes in it.

Input ──┬── TSNWrite (EXR, all channels)
        └── TSNMix ── Output
TSNRead (what tsn painted) ──┘ which = strength where a painted frame is there, else 0
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import nuke

from .shared import style_list, tsn_process
from .shared.key_style import DEFAULT_MINUTES
from .shared.stroke_style import DEFAULT_PRESET, DESCRIPTIONS, LAYERS, NUMBERS, WHOLE_NUMBERS

STROKES, KEYS = "Brush strokes", "Key frames"
SOURCES = ["Shipped", "File", "Painting", STROKES, KEYS]
DEFAULT_STYLE = "tarascon"
COLOURS = ["painting", "plate"]
GROUNDS = ["preset", "paint", "plate", "none", "colour"]
FARMS = ["slurm", "openjd", "opencue"]
KNOB_PREFIX = "tsn_"
"""Every knob's name begins with it: a Group has knobs `name`, `label` and more of its own."""
STROKE_PREFIX = "strokes_"
"""Follows it in the names of the knobs for brush strokes, which groups in old scripts lack."""
KEY_PREFIX = "keys_"
"""The same for those of key frames."""
STYLES_TIMEOUT_SECONDS = 20
"""How long a new node waits for tsn's list of styles."""


def tsn_command() -> str:
    """The path of the command: $TSN_COMMAND, or tsn."""
    return os.environ.get("TSN_COMMAND", "tsn")


def bundled_styles() -> style_list.StyleList:
    """The styles that tsn lists, without those that need a painting. Empty where tsn fails: a node is made anyway."""
    try:
        return style_list.read_list(
            tsn_process.run_command(tsn_command(), "styles", "--json", timeout_seconds=STYLES_TIMEOUT_SECONDS)
        )
    except (tsn_process.PluginError, ValueError, KeyError, TypeError):
        return style_list.StyleList(models=[], presets=[])


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
    group.addKnob(nuke.Enumeration_Knob(KNOB_PREFIX + "style", "style", styles.models or [DEFAULT_STYLE]))
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
    _add_stroke_knobs(group, styles.presets or [DEFAULT_PRESET])
    _add_key_knobs(group, button)


def _add_stroke_knobs(group: Any, presets: list[str]) -> None:
    """A tab of its own, for `style from: Brush strokes`. Its numbers may be animated."""

    def add(kind: Any, name: str, label: str, *more: Any) -> Any:
        knob = kind(KNOB_PREFIX + STROKE_PREFIX + name, label, *more)
        group.addKnob(knob)
        return knob

    group.addKnob(nuke.Tab_Knob("tsn_strokes", STROKES))
    chosen = add(nuke.Enumeration_Knob, "preset", "preset", presets)
    if DEFAULT_PRESET in presets:
        chosen.setValue(DEFAULT_PRESET)
    add(nuke.File_Knob, "file", "own preset (.yaml)")
    add(nuke.File_Knob, "palette", "palette: painting (else the plate's)")
    for name, (default, low, high) in NUMBERS.items():
        if name == "relief":
            add(nuke.Boolean_Knob, "own_relief", "relief: other than the preset's")
        knob = add(nuke.Int_Knob if name in WHOLE_NUMBERS else nuke.Double_Knob, name, name)
        knob.setTooltip(DESCRIPTIONS[name])
        if name not in WHOLE_NUMBERS:
            knob.setRange(low, high)
        knob.setValue(default)
    add(nuke.Enumeration_Knob, "ground", "ground", GROUNDS)
    add(nuke.String_Knob, "colour", "ground: colour").setValue("#f4efe4")
    add(nuke.Boolean_Knob, "borders", "keep to objects (Cryptomatte)").setFlag(nuke.STARTLINE)
    add(nuke.String_Knob, "surface", "surface: layer of UVs or positions")
    for name in LAYERS:
        add(nuke.Boolean_Knob, name, f"layer out: {name}").setFlag(nuke.STARTLINE)


def _add_key_knobs(group: Any, button: Callable[[str, str], None]) -> None:
    """A tab of its own, for `style from: Key frames`."""

    def add(kind: Any, name: str, label: str) -> Any:
        knob = kind(KNOB_PREFIX + KEY_PREFIX + name, label)
        group.addKnob(knob)
        return knob

    group.addKnob(nuke.Tab_Knob("tsn_keys", KEYS))
    button("key_export", "Export frame to paint")
    marks = add(nuke.Double_Knob, "marks", "keys")
    marks.setTooltip("Its keyframes are the keys: the frames that are painted. Set and delete them here.")
    add(nuke.File_Knob, "file", "painted files, key.####.png (else the exported ones)")
    add(nuke.File_Knob, "painting", "painting")
    button("key_paint", "Paint key from painting")
    minutes = add(nuke.Int_Knob, "minutes", "minutes to learn")
    minutes.setValue(DEFAULT_MINUTES)
    button("learn", "Learn")


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
