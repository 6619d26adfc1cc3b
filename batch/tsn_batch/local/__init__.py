"""Rendering on this machine, in one process or with a pool of worker processes."""
