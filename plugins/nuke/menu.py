"""Nuke runs this at its start where there is a window. An error here must not keep Nuke from starting."""

import contextlib

with contextlib.suppress(Exception):  # the last line can fail too: Nuke may have no output
    try:
        import nuke

        nuke.menu("Nodes").addCommand("Filter/TSN Stylize", "import tsn_nuke; tsn_nuke.create()", icon="Paint.png")
    except Exception as error:
        print(f"TSN Stylize has no menu entry: {error}")
