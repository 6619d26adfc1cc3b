#!/usr/bin/env python3
"""Render shots with damaged files, and check that tsn reports the fault: a thousand cases of six kinds, by a seed.

    python benchmarks/fuzz.py                       # 1,000 cases: EXR, DPX, YAML, safetensors, ONNX, paintings
    python benchmarks/fuzz.py --only exr --cases 50 --seed 7
    python benchmarks/fuzz.py --only exr --keep 31  # make case 31 again, in a folder that stays

A case has failed where tsn ends with exit code 1 or a traceback, dies, takes over 10 CPU-seconds or 2 GiB beyond what
it held before, or ends with an input error although it wrote all frames. Harmless damage may render.

All cases run in one process, since starting tsn takes seconds. A process that dies is reported and replaced.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

KINDS = ("exr", "dpx", "yaml", "safetensors", "onnx", "painting")
SECONDS, MEMORY_BYTES = 10.0, 2 << 30
"""CPU time and additional memory that a case may take."""
PATIENCE_S = 120.0
"""Wall time after which a case has hung; long, as the machine may be busy."""
WORDS = (  # put into text files
    *("0", "-1", "1e9", "99999999999999999999", ".nan", "[", "{", "}", ":", "- ", "*a", "&a ", "<<: ", "!!python/x "),
    *("\t", "null", "~", "####", "{frame}", "$HOME", "\u00e9", '"', "'", "#", "|", "1001-1", "x" * 300),
)


# --- damage --------------------------------------------------------------------------------------------------------


def damaged(data: bytes, draw: random.Random, *, text: bool) -> bytes:
    """A copy of a file's bytes with one to three random faults.

    Args:
        draw: the source of randomness.
        text: some faults are `WORDS`.
    """
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 3))):
        size = len(found)
        if size < 8:
            break
        near = draw.choice((min(size, 400), min(size, 3000), size))  # most faults go into headers, which decide most
        at = draw.randrange(near)
        match draw.randrange(8 if text else 7):
            case 0:
                found[at] ^= 1 << draw.randrange(8)
            case 1:
                number = draw.choice((b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", draw.randbytes(4)))
                found[at : at + 4] = number
            case 2:
                del found[draw.randrange(size) :]
            case 3:
                del found[at : at + draw.randint(1, 64)]
            case 4:
                found[at:at] = draw.randbytes(draw.randint(1, 64))
            case 5:
                source = draw.randrange(size)
                found[at:at] = found[source : source + draw.randint(1, 256)]
            case 6:
                found[at : at + 8] = draw.randbytes(8)
            case 7:
                found[at : at + draw.randint(0, 6)] = draw.choice(WORDS).encode()
    return bytes(found)


# --- sound files, to be damaged --------------------------------------------------------------------------------------


def _exr(path: Path, number: int) -> None:
    import numpy as np
    import OpenEXR

    rng = np.random.default_rng(number)
    rgb = {name: rng.uniform(0, 1.5, (24, 40)).astype(np.float16) for name in "RGBA"}
    codes = (OpenEXR.ZIP_COMPRESSION, OpenEXR.PIZ_COMPRESSION, OpenEXR.NO_COMPRESSION, OpenEXR.DWAA_COMPRESSION)
    header = {"compression": codes[number % 4], "type": OpenEXR.scanlineimage, "owner": "somebody"}
    if number % 3 == 1:
        tiles = header["tiles"] = OpenEXR.TileDescription()
        tiles.xSize = tiles.ySize = 16
        header["type"] = OpenEXR.tiledimage
    if number % 3 == 2:
        plain = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        parts = [OpenEXR.Part(header, rgb, "beauty"), OpenEXR.Part(plain, {"Z": rgb["R"]}, "depth")]
        OpenEXR.File(parts).write(str(path))
    else:
        OpenEXR.File(header, rgb).write(str(path))


def _dpx(path: Path, number: int) -> None:
    import numpy as np
    import OpenImageIO as oiio

    bits = (8, 10, 12, 16)[number % 4]
    spec = oiio.ImageSpec(40, 24, 3, "uint16" if bits > 8 else "uint8")
    spec["oiio:BitsPerSample"] = bits
    spec["oiio:Endian"] = "big" if number % 8 < 4 else "little"
    out = oiio.ImageOutput.create(str(path))
    assert out is not None, "OpenImageIO writes DPX"
    out.open(str(path), spec)
    out.write_image(np.random.default_rng(number).integers(0, 1 << min(bits, 15), (24, 40, 3)).astype(np.uint16))
    out.close()


def _style(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from tsn.style.nets.johnson import JohnsonNet

    torch.manual_seed(0)
    facts = {"family": "feedforward", "width": "4", "blocks": "1", "title": "t", "licence": "CC0", "name": "tiny"}
    save_file({k: v.contiguous() for k, v in JohnsonNet(width=4, blocks=1).state_dict().items()}, path, metadata=facts)


def _onnx(path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shape: list[str | int | None] = [1, 3, "H", "W"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    weight = np.random.default_rng(0).normal(0, 0.1, (3, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


def _painting(path: Path, number: int) -> None:
    import cv2
    import numpy as np

    rng = np.random.default_rng(number)
    cv2.imwrite(str(path), cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (96, 72)))


YAML = """version: 1
plate: plate/s.####.{plate}
output: styled/s.####.{plate}
frames: 1001-1002
style: {style}
flow: {{method: dis}}
temporal: {{window: {window}, cuts: []}}
"""


def make(kind: str, number: int, seed: int, folder: Path, *, sound: bool = False) -> Path:
    """Write a shot with one damaged file into a folder.

    Args:
        number: of the case.
        sound: damage nothing, to check that the shot renders.

    Returns:
        Its shot file.
    """
    draw = random.Random(f"{kind} {number} {seed}")
    plate = "dpx" if kind == "dpx" else "exr"
    (folder / "plate").mkdir(parents=True)
    for frame in (1001, 1002):
        (_dpx if kind == "dpx" else _exr)(folder / f"plate/s.{frame}.{plate}", number if kind in ("exr", "dpx") else 0)
    _style(folder / "tiny.safetensors")
    style, hurt = "{model: tiny.safetensors, strength: 0.5}", folder / "tiny.safetensors"
    if kind in ("exr", "dpx"):
        hurt = folder / f"plate/s.{draw.choice((1001, 1002))}.{plate}"
    elif kind == "onnx":
        style, hurt = "{model: net.onnx}", folder / "net.onnx"
        _onnx(hurt)
    elif kind == "painting":
        hurt = folder / f"painting.{('png', 'jpg', 'tif', 'webp', 'bmp')[number % 5]}"
        style = f"{{adain: {hurt.name}}}"
        _painting(hurt, number)
    file = folder / "s.yaml"
    file.write_text(YAML.format(plate=plate, style=style, window=number % 2))
    if kind == "yaml":
        hurt = file
    if not sound:
        hurt.write_bytes(damaged(hurt.read_bytes(), draw, text=kind in ("yaml", "safetensors")))
    return file


# --- one case after another -----------------------------------------------------------------------------------------


def work() -> None:
    """Render the shot files from stdin, one per line; print the outcome of each as a line of JSON."""
    import os

    import torch
    from click.testing import CliRunner

    from tsn_batch.cli import cli

    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        file = Path(line.strip())
        os.chdir(file.parent)
        os.environ["TSN_CACHE"] = str(file.parent / "cache")
        before, clock = _peak(reset=True), time.process_time()
        found = CliRunner().invoke(cli, ["render", str(file), "--device", "cpu"])
        answer = {
            "code": found.exit_code,
            "traceback": "Traceback" in found.output or isinstance(found.exception, Exception),
            "output": found.output[-600:],
            "seconds": time.process_time() - clock,
            "bytes": _peak() - before,
        }
        print(json.dumps(answer), file=answers, flush=True)


def _peak(*, reset: bool = False) -> int:
    """Peak memory of this process in bytes; on Linux since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Worker:
    """A child process that renders cases one after another."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def render(self, file: Path) -> dict[str, object]:
        """Render a shot file, in a new process if there is none. Returns an outcome as `work` prints it."""
        import selectors

        if self.process is None:
            command = [sys.executable, "-P", __file__, "--work"]
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, bufsize=1
            )
        process, answer = self.process, ""
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError), selectors.DefaultSelector() as ready:
            process.stdin.write(f"{file}\n")
            process.stdin.flush()
            ready.register(process.stdout, selectors.EVENT_READ)
            answer = process.stdout.readline() if ready.select(PATIENCE_S) else ""
        if answer:
            found: dict[str, object] = json.loads(answer)
            return found
        return {"code": self.close(), "died": True, "output": "", "seconds": 0.0, "bytes": 0}

    def close(self) -> int:
        """End the process. Returns its exit code, negative for a signal."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.kill()
        with suppress(BrokenPipeError):
            process.communicate()
        return process.returncode


def fault_of(found: dict[str, object], frames: int) -> str | None:
    """What was wrong with a case's outcome, or None.

    Args:
        frames: how many frames it wrote.
    """
    if found.get("died"):
        return "hung" if found["code"] == -9 else f"died with {found['code']}"
    if found["traceback"]:
        return "a traceback"
    if found["code"] not in (0, 2, 3, 4, 5):
        return f"exit code {found['code']}"
    if float(str(found["seconds"])) > SECONDS:
        return f"{found['seconds']:.1f} CPU-seconds"
    if int(str(found["bytes"])) > MEMORY_BYTES:
        return f"{int(str(found['bytes'])) >> 20} MiB"
    if found["code"] in (2, 3) and frames == 2:
        return f"exit code {found['code']}, and all frames are there"
    return None


def run(cases: int, seed: int, only: tuple[str, ...], say: Callable[[str], None]) -> dict[str, Counter[str]]:
    """Run cases; count exit codes by kind, and faults as `FAULT`.

    Args:
        say: prints a line.
    """
    import shutil

    worker, table = Worker(), {kind: Counter[str]() for kind in only}
    for kind in only:
        folder = Path(tempfile.mkdtemp(prefix="tsn-fuzz-"))
        found = worker.render(make(kind, 0, seed, folder, sound=True))
        if found["code"] != 0:
            table[kind]["FAULT"] += 1
            say(f"{kind}: a sound shot doesn't render: {found['output']}")
        shutil.rmtree(folder)
    for number in range(cases):
        kind = only[number % len(only)]
        folder = Path(tempfile.mkdtemp(prefix="tsn-fuzz-"))
        found = worker.render(make(kind, number, seed, folder))
        frames = len(list(folder.glob("styled/s.*")))
        if fault := fault_of(found, frames):
            table[kind]["FAULT"] += 1
            say(f"{kind} {number}: {fault}: {str(found['output'])[-300:]}")
        table[kind][f"exit {found['code']}"] += 1
        shutil.rmtree(folder)
    worker.close()
    return table


@click.command(help=__doc__)
@click.option("--cases", default=1000, show_default=True, help="In all.")
@click.option("--seed", default=1, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(KINDS), default=KINDS, help="Kinds of files.")
@click.option("--keep", type=int, help="Make this case again, and print its shot file.")
@click.option("--work", is_flag=True, hidden=True)
@click.pass_context
def main(ctx: click.Context, cases: int, seed: int, only: tuple[str, ...], keep: int | None, **of: bool) -> None:
    """Run the cases and print a table; exit code 1 where one failed."""
    if of["work"]:
        return work()
    if keep is not None:
        click.echo(make(only[keep % len(only)], keep, seed, Path(tempfile.mkdtemp(prefix="tsn-fuzz-"))))
        return None
    started = time.monotonic()
    table = run(cases, seed, only, click.echo)
    codes = sorted({code for row in table.values() for code in row} - {"FAULT"})
    click.echo("| | " + " | ".join([*codes, "FAULT"]) + " |\n|---|" + "---|" * (len(codes) + 1))
    for kind, row in table.items():
        click.echo(f"| {kind} | " + " | ".join(str(row[code]) for code in [*codes, "FAULT"]) + " |")
    click.echo(f"{cases} cases, seed {seed}, {time.monotonic() - started:.0f} s")
    ctx.exit(1 if any(row["FAULT"] for row in table.values()) else 0)


if __name__ == "__main__":
    main()
