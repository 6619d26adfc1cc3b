"""Nuke runs this at its start where there is a window. Whatever is wrong with tsn, Nuke starts."""

import contextlib

with contextlib.suppress(Exception):  # of the last line too: Nuke may have nowhere to print to
    try:
        import nuke

        nuke.menu("Nodes").addCommand("Filter/TSN Stylize", "import tsn_nuke; tsn_nuke.create()", icon="Paint.png")
    except Exception as error:
        print(f"TSN Stylize has no menu entry: {error}")
