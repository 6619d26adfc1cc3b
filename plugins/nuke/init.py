"""Nuke runs this at every start, also on farms. An error here must not keep Nuke from starting.

Install: add this folder to NUKE_PATH, or `nuke.pluginAddPath("/path/to/plugins/nuke")` in ~/.nuke/init.py.
"""

import contextlib

with contextlib.suppress(Exception):  # the last line can fail too: a farm's Nuke may have no output
    try:
        import os
        import sys

        import nuke

        # pluginAddPath does not extend sys.path alike in all versions of Nuke.
        sys.path.append(os.path.dirname(os.path.abspath(__file__)))
        nuke.tprint("TSN Stylize: ready")
    except Exception as error:
        print(f"TSN Stylize could not be set up: {error}")
