"""The double of Nuke's documented API is strict."""

from __future__ import annotations

import threading

import pytest


def test_the_double_is_strict(nuke):
    with pytest.raises(AttributeError):
        nuke.nodes.Blurr(name="b")
    with pytest.raises(NameError):
        nuke.nodes.Write(name="w")["colour"]
    with pytest.raises(ValueError, match="has no item"):
        nuke.nodes.Write(name="w")["file_type"].setValue("jpeg2000")
    with pytest.raises(NameError):
        nuke.nodes.Write(name="w")["datatype"]  # before the file type was chosen
    with pytest.raises(AttributeError):
        nuke.rendre()
    with pytest.raises(AttributeError):
        nuke.nodes.Write(name="w").writeNow()
    with pytest.raises(TypeError):
        nuke.nodes.Write(name="w", colour="red")
    caught = []

    def touch():
        try:
            nuke.root()["name"].value()
        except AssertionError as error:
            caught.append(str(error))

    thread = threading.Thread(target=touch)
    thread.start()
    thread.join()
    assert len(caught) == 1 and caught[0].endswith("from another thread")
