"""What the tests of the Nuke plug-in read from a node, and the frames that its input renders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

PLUGIN = Path(__file__).parents[2] / "plugins/nuke"


def write_frame(path, number, node):
    """Write a frame of random pixels with the settings of a Write node."""
    rgb = np.random.default_rng(number).uniform(0, 5, (3, 24, 40))
    kind = np.float16 if node["datatype"].value() == "16 bit half" else np.float32
    channels = dict(zip("RGB", rgb.astype(kind), strict=True))
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(path)


def status(node):
    """The line under the node's buttons."""
    return node["tsn_status"].value()


def refused(call, *arguments):
    """The sentence with which a call is refused."""
    with pytest.raises(RuntimeError) as caught:
        call(*arguments)
    return str(caught.value)
