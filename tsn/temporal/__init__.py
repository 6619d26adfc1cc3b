"""Passes over painted frames that keep the paint still and sharp."""

METHOD = "passes-7"
"""Version of the pixels that the passes make. It is part of a frame's hash, so frames of an older tsn are stale."""
