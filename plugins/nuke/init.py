"""Nuke runs this at every start, on farms too. Whatever is wrong with tsn, Nuke starts.

Install: add this folder to NUKE_PATH, or `nuke.pluginAddPath("/path/to/plugins/nuke")` in ~/.nuke/init.py.
"""

import contextlib

with contextlib.suppress(Exception):  # of the last line too: a farm's Nuke may have nowhere to print to
    try:
        import os
        import sys

        import nuke

        # By hand: what pluginAddPath adds to sys.path differs between Nuke's versions.
        sys.path.append(os.path.dirname(os.path.abspath(__file__)))
        nuke.tprint("TSN Stylize: ready")
    except Exception as error:
        print(f"TSN Stylize could not be set up: {error}")
