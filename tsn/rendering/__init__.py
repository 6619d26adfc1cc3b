"""From a resolved shot to frames on disk.

`inspect` looks at the plate, `plan` cuts the shot into chunks and hashes what each frame depends on, `pin` takes the
calibration, `engine` loads what paints, `render` streams the frames through it and writes them.
"""
