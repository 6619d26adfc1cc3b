"""A strict double of the part of Nuke's Python API that the plug-in uses.

Nuke itself can't be had here. This module knows the names of the reference (learn.foundry.com, "Nuke Python API
Reference" and "Reference Guide", 13 to 16) and nothing else: an unknown function, knob, node class, choice or argument
raises, as does a node made outside of its group, a knob that a Write has only after its file type was chosen, and a
node or knob touched from another thread than the main one. What is given to the main thread waits until it is free
(`spin`). `Write` writes real EXRs, so that the real `tsn` can read them.
"""

from __future__ import annotations

import itertools
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

STARTLINE = 0x1000
GUI = False
_main = threading.get_ident()


class _Main:
    """What only the main thread may touch."""

    def __getattribute__(self, name: str) -> Any:
        assert name.startswith("_") or threading.get_ident() == _main, f"{name} from another thread"
        return super().__getattribute__(name)


class Knob(_Main):
    _node: Any = None

    def __init__(self, name: str, label: str | None = None) -> None:
        self._name, self._label, self._value, self._expression = name, label, None, None

    def name(self) -> str:
        return self._name

    def value(self) -> Any:
        return self._value

    def setValue(self, value: Any) -> bool:
        self._value = value
        return True

    def setFlag(self, flag: int) -> None:
        assert flag == STARTLINE

    def setTooltip(self, text: str) -> None:
        assert isinstance(text, str)

    def setExpression(self, expression: str) -> bool:
        self._expression = expression
        return True

    def clearAnimated(self) -> bool:
        self._expression = None
        return True


class Tab_Knob(Knob):
    pass


class Text_Knob(Knob):
    def __init__(self, name: str, label: str | None = None, value: str | None = None) -> None:
        super().__init__(name, label)
        self._value = value or ""


class String_Knob(Text_Knob):
    def setValue(self, value: str) -> bool:
        assert isinstance(value, str)
        return super().setValue(value)


class File_Knob(String_Knob):
    def evaluate(self) -> str | None:
        """TCL's value of it: only the script's folder is known here."""
        text = str(self._value).replace(
            "[file dirname [value root.name]]", os.path.dirname(_root["name"].value()) or "."
        )
        assert "[" not in text, text
        return text or None


class AnimationKey:
    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = float(x), float(y)


class AnimationCurve:
    def __init__(self, values: dict[float, float]) -> None:
        self._values = values

    def keys(self) -> list[AnimationKey]:
        return [AnimationKey(x, y) for x, y in sorted(self._values.items())]


class Double_Knob(Knob):
    kinds: Any = (int, float)

    def __init__(self, name: str, label: str | None = None) -> None:
        super().__init__(name, label)
        self._value = 0

    def setValue(self, value: float) -> bool:
        assert isinstance(value, self.kinds) and not isinstance(value, bool)
        return super().setValue(value)

    def setRange(self, low: float, high: float) -> None:
        assert low < high

    keys: dict[float, float] | None = None

    def setAnimated(self) -> bool:
        self.keys = {}
        return True

    def animation(self, chan: int) -> AnimationCurve | None:
        """The curve of an animated knob."""
        assert chan == 0
        return None if self.keys is None else AnimationCurve(self.keys)

    def setValueAt(self, value: float, time: float) -> bool:
        """A key of an animated knob."""
        assert isinstance(value, self.kinds) and not isinstance(value, bool)
        assert self.keys is not None
        self.keys[time] = value
        return True

    def getValueAt(self, time: float) -> float:
        """Straight lines between keys; a number for Int_Knob, too, as Array_Knob has it."""
        keys = sorted((self.keys or {}).items())
        if not keys:
            return float(self._value)
        for (start, low), (end, high) in itertools.pairwise(keys):
            if start <= time <= end:
                return low + (high - low) * (time - start) / (end - start)
        return float(keys[0][1] if time < keys[0][0] else keys[-1][1])


class Int_Knob(Double_Knob):
    kinds = int


class Boolean_Knob(Knob):
    def __init__(self, name: str, label: str | None = None) -> None:
        super().__init__(name, label)
        self._value = False

    def setValue(self, value: bool) -> bool:
        assert isinstance(value, bool)
        return super().setValue(value)


class Enumeration_Knob(Knob):
    def __init__(self, name: str, label: str, items: list[str]) -> None:
        super().__init__(name, label)
        self._items, self._value = items, items[0]

    def values(self) -> list[str]:
        return self._items

    def setValue(self, value: str | int) -> bool:
        if isinstance(value, int):
            value = self._items[value]
        if value not in self._items:
            raise ValueError(f"{self._name} has no item {value!r}")
        return super().setValue(value)


class PyScript_Knob(Knob):
    def __init__(self, name: str, label: str | None = None, command: str | None = None) -> None:
        super().__init__(name, label)
        self._value = command

    def execute(self) -> None:
        """What a press of the button does: the command, with the knob's node as `nuke.thisNode()`."""
        _this.append(self._node)
        try:
            exec(str(self._value), {"nuke": sys.modules["nuke"]})
        finally:
            _this.pop()


class _Reload(PyScript_Knob):
    presses = 0

    def execute(self) -> None:
        self.presses += 1


def _enumeration(*items: str) -> Callable[[str], Knob]:
    return lambda name: Enumeration_Knob(name, name, list(items))


CLASSES: dict[str, dict[str, Callable[[str], Knob]]] = {
    "Input": {},
    "Output": {},
    "Group": {},
    "Constant": {},
    "Dissolve": {"which": Double_Knob},
    "Write": {
        "file": File_Knob,
        "channels": _enumeration("rgb", "rgba", "alpha", "all"),
        "file_type": _enumeration(" ", "exr", "dpx", "png"),
        "raw": Boolean_Knob,
        "datatype": _enumeration("16 bit half", "32 bit float"),
        "compression": _enumeration("none", "Zip (1 scanline)", "Zip (16 scanlines)", "PIZ Wavelet (32 scanlines)"),
        "metadata": _enumeration("no metadata", "default metadata", "all metadata except input/*", "all metadata"),
        "create_directories": Boolean_Knob,
    },
    "Read": {
        "file": File_Knob,
        "raw": Boolean_Knob,
        "first": Int_Knob,
        "last": Int_Knob,
        "origfirst": Int_Knob,
        "origlast": Int_Knob,
        "reload": _Reload,
    },
    "Root": {
        "name": String_Knob,
        "colorManagement": _enumeration("Nuke", "OCIO"),
        "workingSpaceLUT": String_Knob,
    },
}  # fmt: skip


OF_EXR = {"datatype", "compression", "metadata"}


class Node(_Main):
    def __init__(self, kind: str, name: str) -> None:
        self._kind, self._name, self._inputs, self._parent = kind, name, [], None
        self._knobs = {knob: make(knob) for knob, make in CLASSES[kind].items()}

    def Class(self) -> str:
        return self._kind

    def name(self) -> str:
        return self._name

    def fullName(self) -> str:
        return f"{self._parent.fullName()}.{self._name}" if isinstance(self._parent, Group) else self._name

    def setName(self, name: str) -> None:
        """As Nuke does by default: a name that a neighbour has is counted up."""
        stem = name.rstrip("0123456789")
        number = int(name[len(stem) :] or 1)
        taken = {one._name for one in (self._parent or _root)._children if one is not self}
        while name in taken:
            number += 1
            name = f"{stem}{number}"
        self._name = name

    def knobs(self) -> dict[str, Knob]:
        return dict(self._knobs)

    def __getitem__(self, name: str) -> Knob:
        chosen = self._knobs.get("file_type")
        if name not in self._knobs or (name in OF_EXR and chosen is not None and chosen.value() != "exr"):
            raise NameError(f"knob {name} does not exist")
        return self._knobs[name]

    def input(self, index: int) -> Node | None:
        return self._inputs[index] if index < len(self._inputs) else None

    def setInput(self, index: int, node: Node | None) -> bool:
        self._inputs += [None] * (index + 1 - len(self._inputs))
        self._inputs[index] = node
        return True

    def channels(self) -> list[str]:
        return ["rgba.red", "rgba.green", "rgba.blue", "rgba.alpha", *self.extra_channels]

    extra_channels: tuple[str, ...] = ()


class Group(Node):
    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self._children: list[Node] = []

    def addKnob(self, knob: Knob) -> None:
        if knob.name() in self._knobs:
            raise ValueError(f"knob {knob.name()} exists already")
        self._knobs[knob.name()], knob._node = knob, self

    def begin(self) -> Group:
        _context.append(self)
        return self

    def end(self) -> None:
        assert _context.pop() is self

    def node(self, name: str) -> Node | None:
        return next((one for one in self._children if one.name() == name), None)


class _Root(Group):
    def firstFrame(self) -> int:
        return 1001

    def lastFrame(self) -> int:
        return 1003


class _Nodes:
    def __getattr__(self, kind: str) -> Callable[..., Node]:
        if kind not in CLASSES:
            raise AttributeError(f"nuke.nodes has no {kind}")

        def make(*, name: str, inputs: list[Node] | None = None) -> Node:
            node = Group(kind, name) if kind == "Group" else Node(kind, name)
            node._inputs = list(inputs or [])
            if _context:
                assert all(one in _context[-1]._children for one in node._inputs), "an input is in another group"
                node._parent = _context[-1]
            (node._parent or _root)._children.append(node)
            return node

        return make


nodes = _Nodes()
_context: list[Group] = []
_this: list[Any] = []
_root = _Root("Root", "root")
selected: Node | None = None
frame_now = 1002
writer: Callable[[str, int, Node], None] | None = None
"""What a Write does: path, frame, the Write. Set by the tests."""


def createNode(kind: str, knobs: str = "", inpanel: bool = True) -> Node:
    node = getattr(nodes, kind)(name=f"{kind}1")
    if selected is not None:
        node.setInput(0, selected)
    return node


def thisNode() -> Node:
    return _this[-1]


def root() -> _Root:
    return _root


def allNodes(filter: str | None = None, group: Group | None = None, recurseGroups: bool = False) -> list[Node]:
    found: list[Node] = []
    for one in (group or _root)._children:
        found += [one] if filter in (None, one.Class()) else []
        found += allNodes(filter, one, True) if recurseGroups and isinstance(one, Group) else []
    return found


def frame() -> int:
    return frame_now


def execute(node: Node, start: int, end: int, incr: int = 1) -> None:
    assert node.Class() == "Write"
    for number in range(start, end + 1, incr):
        assert writer is not None
        writer(node["file"].value() % number, number, node)


messages: list[str] = []
printed: list[str] = []


def message(prompt: str) -> None:
    messages.append(prompt)


def tprint(value: str) -> None:
    printed.append(value)


def executeInMainThread(
    call: Callable[..., Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
) -> None:
    if threading.get_ident() == _main:
        call(*args, **(kwargs or {}))
    else:
        _waiting.put((call, args, kwargs or {}))


_waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()


def spin() -> None:
    """The main thread is free: it does what other threads gave it. Nuke's event loop, for the tests."""
    while not _waiting.empty():
        call, args, kwargs = _waiting.get()
        call(*args, **kwargs)


class ProgressTask:
    shown: list[tuple[int, str]] = []  # noqa: RUF012 (shared on purpose: the tests look at it)
    cancel = False

    def __init__(self, message: str) -> None:
        self._progress = 0

    def setProgress(self, progress: int) -> None:
        assert isinstance(progress, int) and 0 <= progress <= 100
        self._progress = progress

    def setMessage(self, message: str) -> None:
        self.shown.append((self._progress, message))

    def isCancelled(self) -> bool:
        return self.cancel


class _Menu:
    def __init__(self) -> None:
        self.commands: dict[str, str] = {}

    def addCommand(self, name: str, command: str, shortcut: str = "", icon: str = "") -> None:
        self.commands[name] = command


menus = {"Nuke": _Menu(), "Nodes": _Menu(), "Properties": _Menu()}


def menu(name: str) -> _Menu:
    return menus[name]
