"""The net classes that a weights file can be for, by the `family` in its metadata."""

from __future__ import annotations

from typing import Protocol

from tsn.style.nets.johnson import JohnsonNet
from tsn.style.nets.layers import StyleNet
from tsn.style.nets.mobile import MobileNet


class NetConstructor(Protocol):
    """What builds a net from its sizes and optional inputs; see `StyleNet`."""

    def __call__(
        self, *, width: int, blocks: int, recolours: bool = False, simplifies: bool = False, seeded: bool = False
    ) -> StyleNet: ...


NETS: dict[str, NetConstructor] = {"feedforward": JohnsonNet, "mobile": MobileNet}
