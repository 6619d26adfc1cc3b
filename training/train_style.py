#!/usr/bin/env python3
"""Train a feed-forward style net on one painting.

    python training/gather_images.py --out data
    python training/train_style.py training/configs/tarascon.yaml --out runs/tarascon
    python training/train_style.py training/configs/tarascon.yaml --out runs/tarascon --max-steps 2   # smoke run

Every `save_every` steps it writes a checkpoint (atomically; the next start resumes from it) and a picture
of four photos painted; at the end the weights go to `OUT/NAME.safetensors` in half precision.
The crop grows in stages: small crops learn palette and stroke cheaply, large ones learn composition.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path

import click
import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import load_file, save
from torchvision.utils import save_image

from tsn.style.feedforward import StyleNet
from tsn_training import losses, perceptual
from tsn_training.photos import Photos, load_image


def learning_rate(step: int, total: int, peak: float) -> float:
    """Cosine decay to a twentieth of the peak, after 50 steps of warm-up."""
    return peak * min(1.0, (step + 1) / 50) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / total)))


def style_weight(step: int, total: int, low: float, high: float) -> float:
    """Geometric ramp over the first 40%: from the start at full weight, the net loses all structure."""
    return low * (high / low) ** min(1.0, step / (0.4 * total))


def atomically(write, path: Path) -> None:
    """Run `write(temporary path)` and move the result into place, so that a kill leaves the old file."""
    temporary = path.with_name(f".{path.name}.tmp")
    write(temporary)
    os.replace(temporary, path)


def painting_grams(
    features: perceptual.Features, path: Path, height: int, layers: Iterable[str]
) -> dict[str, torch.Tensor]:
    """Gram matrices of the painting, resized so that its strokes have the size they shall have on a plate."""
    painting = load_image(path).float()[None] / 255
    width = round(painting.shape[3] * height / painting.shape[2])
    painting = F.interpolate(painting, size=(height, width), mode="bicubic", antialias=True).clamp(0, 1)
    maps = features(painting)
    return {k: losses.gram(maps[k]) for k in layers}


@click.command(help=__doc__)
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option(
    "--start-from",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights of a style to begin with.",
)
@click.option("--max-steps", type=int, help="Stop early: a smoke run.")
def main(config: Path, out: Path, start_from: Path | None, max_steps: int | None) -> None:
    cfg = yaml.safe_load(config.read_text())
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(cfg["seed"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    features, trunk = perceptual.load(out.parent)
    features = features.to(device, memory_format=torch.channels_last)
    target = painting_grams(features.cpu(), Path(cfg["painting"]), cfg["painting_height"], cfg["style_layers"])
    features, target = features.to(device), {k: v.to(device) for k, v in target.items()}

    net = StyleNet(width=cfg["width"], blocks=cfg["blocks"])
    if start_from:
        net.load_state_dict({k: v.float() for k, v in load_file(start_from).items()})
    net = net.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=cfg["learning_rate"])
    photos = Photos(Path(cfg["photos"]), cfg["seed"])
    sizes = [size for stage in cfg["stages"] for size in [stage["crop"]] * stage["steps"]]
    show = photos.batch(4, 256).to(device)
    step, started = 0, time.monotonic()

    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        photos.rng.set_state(state["rng"])
        step = state["step"]
        click.echo(f"resumed at step {step}")

    log = out / "log.csv"
    while step < min(len(sizes), max_steps or len(sizes)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, len(sizes), cfg["learning_rate"])
        plate = photos.batch(cfg["batch"], sizes[step]).to(device, memory_format=torch.channels_last)
        painted = net(plate)
        maps = features(painted)
        with torch.no_grad():
            wanted = features(plate)[perceptual.CONTENT_LAYER]
        content = losses.content_loss(maps[perceptual.CONTENT_LAYER], wanted)
        style = losses.style_loss({k: losses.gram(maps[k]) for k in target}, target, cfg["style_layers"])
        smooth = losses.total_variation(painted)
        weight = style_weight(step, len(sizes), *cfg["style_weight"])
        if step < cfg["copy_steps"]:
            loss = content + 20 * F.mse_loss(painted, plate)
        else:
            tone = losses.tone_loss(painted, plate)
            loss = content + weight * style + cfg["tone_weight"] * tone + cfg["smooth_weight"] * smooth
        if not torch.isfinite(loss):
            raise click.ClickException(f"Loss is not a number at step {step}; the last checkpoint is {checkpoint}.")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1

        if step % 20 == 0:
            row = f"{step},{time.monotonic() - started:.0f},{content.item():.4f},{style.item():.4f},{smooth.item():.5f}"
            click.echo(row)
            with log.open("a") as file:  # opened a row at a time, so that a kill loses none
                file.write(row + "\n")
        if step % cfg["save_every"] == 0 or step == len(sizes):
            state = {
                "net": net.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rng": photos.rng.get_state(),
                "step": step,
            }
            atomically(lambda p, s=state: torch.save(s, p), checkpoint)
            with torch.inference_mode():
                save_image(torch.cat([show, net(show)]), out / f"step_{step:05d}.png", nrow=4)

    weights = {k: v.half().contiguous() for k, v in net.state_dict().items()}
    facts = {
        "family": "feedforward",
        "width": str(net.width),
        "blocks": str(net.blocks),
        "trunk": trunk,
        "steps": str(step),
    }
    facts |= {k: str(cfg[k]) for k in ("name", "title", "licence")}
    target_file = out / f"{cfg['name']}.safetensors"
    # not save_file, which writes files that nobody else on a farm can read (mode 0600)
    atomically(lambda p: p.write_bytes(save(weights, metadata=facts)), target_file)
    load_file(target_file)  # a weight file that cannot be read is no result
    click.echo(f"{target_file}")


if __name__ == "__main__":
    main()
