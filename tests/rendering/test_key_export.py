"""A frame as a picture to paint over is the plate, once it comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from tsn import colour, io
from tsn.alpha import statistics_weight, unpremultiply
from tsn.keys.key_file import read_painted
from tsn.rendering.key_export import export_keys


def test_straight_colours_in_the_display_window_and_the_plates_alpha(
    shot: Callable[..., Path], planned: Callable[..., object], plate: SimpleNamespace, tmp_path: Path
) -> None:
    window = ((2, 3), (60, 40))
    file = shot(frames=range(1001, 1004), windows={1002: window})
    path = list(export_keys(planned(file), tmp_path / "keys"))[1]
    style, painted = read_painted(path, height=plate.HEIGHT, width=plate.WIDTH)
    frame = io.read_frame(tmp_path / "plate/sh.1002.exr", 1002)
    place = lambda x: torch.from_numpy(io.place(x, frame.data_window, frame.display_window)).float().permute(2, 0, 1)  # noqa: E731
    rgb, alpha = place(frame.rgb), place(frame.alpha[..., None])
    assert torch.allclose(painted, statistics_weight(rgb, alpha), atol=1e-4)
    straight = unpremultiply(rgb, alpha)
    codec = colour.codec("lin_rec709", highlights="paint")
    _, reference = codec.to_style(straight)
    back = codec.from_style(style, reference)
    assert straight.max() > 7, "a light"
    shown = painted[0] > 0
    np.testing.assert_allclose(back[:, shown], straight[:, shown], rtol=2e-3, atol=1e-3)
