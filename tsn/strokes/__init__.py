"""Brush strokes that stick to what moves: placed by a hash, carried by motion, painted over a finite window.

Not yet a style of the shot file: `benchmarks/strokes.py` paints a shot with it. Data flow:

    plate -> guides -> placement -> tracking (over the window) -> thinning, stroke_colour -> rasterise -> relief

Lengths are in pixels of a plate of 360 lines; pixel coordinates have x right, y down, pixel centres at halves.
"""
