"""Passes over painted frames that keep the paint still and sharp."""

METHOD = "passes-7"
"""Changes with the pixels that the passes make: a finished frame names it, so those of an older tsn are stale."""
