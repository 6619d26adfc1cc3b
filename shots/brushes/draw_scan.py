"""Draws `dry_brush.png` and `dry_brush_height.png`: a stroke of a worn hog-hair brush as a scanner would see it.

An example of a brush of one's own: `python shots/brushes/draw_scan.py`. `scanned.yaml` beside it is a preset that
paints with it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 180, 640
TOP, BOTTOM, LEFT, RIGHT = 30, 150, 36, 604
HAIRS = 44
FOLDER = Path(__file__).parent


def draw_stroke(random: np.random.Generator) -> np.ndarray:
    """Thickness of the paint, float32 (HEIGHT, WIDTH) in about 0..1: hairs side by side that run dry one by one."""
    x = np.arange(WIDTH, dtype=np.float32)
    y = np.arange(HEIGHT, dtype=np.float32)[:, None]
    paint = np.zeros((HEIGHT, WIDTH), np.float32)
    sway = 5 * np.sin(x / 150 + 0.6) + 2 * np.sin(x / 65)
    for hair in range(HAIRS):
        share = (hair + random.random()) / HAIRS
        middle = TOP + share * (BOTTOM - TOP) + sway + 1.5 * np.sin(x / 60 + 6 * random.random())
        round_end = 28 * (2 * share - 1) ** 2
        begin = LEFT + round_end + 10 * random.random()
        load = random.gamma(5.0, 0.22)  # paint on the hair, which the canvas takes off it
        end = LEFT + (RIGHT - LEFT) * min(1.0, 0.5 + 0.45 * load) - round_end - 60 * random.random() ** 2
        pressure = np.clip((x - begin) / 8, 0, 1) * np.clip((end - x) / (30 + 160 * random.random()), 0, 1)
        skips = cv2.GaussianBlur(random.normal(size=(1, WIDTH)).astype(np.float32), (0, 0), 24)[0]
        skips = np.clip(1.1 + 4 * skips - 1.1 * (x - LEFT) / (RIGHT - LEFT) * (1.5 - load), 0, 1)
        half = 1.6 + 1.6 * random.random()
        paint = np.maximum(paint, (0.55 + 0.45 * load) * pressure * skips * np.exp(-(((y - middle) / half) ** 2)))
    return np.clip(cv2.GaussianBlur(paint, (0, 0), 0.7), 0, 1)


def scan_of(paint: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The sheet as a scanner sees it, in [0, 1]: black paint on paper with its grain, darker towards one corner."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    paper = 0.95 - 0.03 * (x / WIDTH + y / HEIGHT) + 0.006 * random.normal(size=paint.shape).astype(np.float32)
    return paper * (1 - 0.9 * np.clip(1.6 * paint, 0, 1))


if __name__ == "__main__":
    seeded = np.random.default_rng(11)
    stroke = draw_stroke(seeded)
    cv2.imwrite(str(FOLDER / "dry_brush.png"), np.rint(255 * scan_of(stroke, seeded)).astype(np.uint8))
    cv2.imwrite(str(FOLDER / "dry_brush_height.png"), np.rint(65535 * stroke).astype(np.uint16))
