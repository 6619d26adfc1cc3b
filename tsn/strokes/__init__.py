"""Brush strokes that stick to what moves: placed by a hash, carried by motion, painted over a finite window.

A shot asks for it by `style.strokes`; `tsn.rendering.stroke_stream` feeds it. Data flow:

    plate -> guides -> placement -> tracking (over the window) -> thinning, stroke_colour -> rasterise -> relief

Lengths are in pixels of a plate of 360 lines; pixel coordinates have x right, y down, pixel centres at halves.
"""
