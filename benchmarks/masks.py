"""What occlusion masks are worth: the same estimated motion and paint, with masks of three kinds.

    python benchmarks/masks.py [SHOT_DIR ...] [--painted '/frames/{shot}.####.png']

By going there and back, by the net, and by the renderer's vectors (the truth, which no live plate has). `missed` is the
share of what is hidden that passes for seen, `alarm` the share of what is seen that passes for hidden; the rest are
errors of the stabilised paint over the per-frame paint's, and its texture. Skies are left out of the judgement.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import torch
from schemes import COLUMNS, Scene, _shown, ours, scene
from stability import SHARED, Plate, over, surfaces, yardstick
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import in_frame, visibility


def both(motions: list[Motion]) -> Tensor:
    """What is seen, both ways, (T - 1, 2, H, W)."""
    return torch.stack([torch.cat([m.visibility_forward, m.visibility_backward]) for m in motions])


def masked(motions: list[Motion], seen: Tensor) -> list[Motion]:
    """The same motion with other masks."""
    return [
        Motion(forward=m.forward, backward=m.backward, visibility_forward=s[:1], visibility_backward=s[1:])
        for m, s in zip(motions, seen, strict=True)
    ]


def kinds(case: Scene, known: Tensor) -> dict[str, Tensor]:
    """Masks by kind; where no vectors tell the motion, the truth is what going there and back says."""
    estimated = case.motions["dis"]
    back = torch.stack(
        [torch.cat([visibility(m.forward, m.backward), visibility(m.backward, m.forward)]) for m in estimated]
    )
    return {
        "there and back": back,
        "net": both(estimated),
        "truth": torch.where(known, both(case.motions["true motion"]), back),
    }


@click.command(help=__doc__)
@click.argument("shots", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--bench", type=click.Path(path_type=Path), default=SHARED / "bench", help="Folder of measure.py.")
@click.option("--style", default="great-wave", show_default=True)
@click.option("--painted", "frames", metavar="PATTERN", help="Frames painted elsewhere; {shot} is the folder's name.")
@torch.inference_mode()
def main(shots: tuple[Path, ...], bench: Path, style: str, frames: str | None) -> None:
    yard = yardstick(bench)
    for folder in shots or tuple(SHARED / "shots" / name for name in ("pan", "fast")):
        plate = Plate.find(folder)
        case = scene(plate, yard, style, frames and str(Path(frames.replace("{shot}", plate.name)).resolve()))
        valid = surfaces(plate, yard) or [np.ones(x.shape[1:], bool) for x in case.plates]
        judge = yard.Evaluator(case.forward, case.backward, _shown(case.paint), valid=valid)
        base = judge(_shown(case.paint))
        known = torch.stack([torch.from_numpy(np.stack(pair)) for pair in pairwise(valid)])
        true = case.motions["true motion"]
        within = known & torch.stack([torch.cat([in_frame(m.forward), in_frame(m.backward)]) for m in true])
        click.echo(f"\n{plate.name}" + "".join(name.rjust(14) for name in ("missed", "alarm", *COLUMNS)))
        masks = kinds(case, known)
        for name, seen in masks.items():
            hidden = within & (masks["truth"] < 0.5)
            missed, alarm = (seen[hidden] > 0.5).float().mean(), (seen[within & ~hidden] <= 0.5).float().mean()
            row = over(judge(_shown(ours(case.plates)(case.paint, masked(case.motions["dis"], seen)))), base)
            figures = (float(missed), float(alarm), *(row[key] for key in COLUMNS))
            click.echo(f"{name:14}" + "".join(f"{figure:14.4f}" for figure in figures))


if __name__ == "__main__":
    main()
