"""Check and render warn about a matte that misses."""

from __future__ import annotations

import json

import numpy as np
import OpenEXR
import pytest

from tsn.matte import cryptomatte_id
from tsn.shot.model import Matte
from tsn_batch.matte_report import coverage_text, frames_to_check, miss_warning

OBJECT = Matte(cryptomatte="CryptoObject", names=("monkey",))
INVERTED = Matte(channel="mask.V", invert=True)


@pytest.mark.parametrize(
    ("matte", "shares", "expected"),
    [
        (OBJECT, [0.0], "The matte (Cryptomatte CryptoObject, monkey) covers 0 % of frame 1001: nothing is painted."),
        (OBJECT, [0.0, 0.0], "covers 0 % of all 2 frames checked, 1001-1002: nothing is painted."),
        (OBJECT, [0.0, 1e-7], None),
        (OBJECT, [1.0], None),
        (OBJECT, [], None),
        (INVERTED, [1.0, 1.0], "The matte (mask.V), inverted, covers 100 % of all 2 frames"),
        (INVERTED, [1.0, 0.999], None),
        (INVERTED, [0.0], "covers 0 % of frame 1001: nothing is painted."),
        (INVERTED, [0.0, 1.0], "covers 0 % or 100 % of all 2 frames"),
    ],
)
def test_the_warning(matte: Matte, shares: list[float], expected: str | None) -> None:
    text = miss_warning(matte, dict(enumerate(shares, start=1001)))
    assert (text is None) == (expected is None)
    assert expected is None or (text is not None and expected in text and "Error:" not in text)


def test_a_trace_is_not_nothing() -> None:
    assert coverage_text({1: 0.0, 2: 1e-6, 3: 0.25, 4: 0.99999, 5: 1.0}) == (
        "covers 0.0 % of frame 1, less than 0.1 % of frame 2, 25.0 % of frame 3,"
        " more than 99.9 % of frame 4, 100.0 % of frame 5"
    )


def test_few_frames_of_many_are_looked_at() -> None:
    assert frames_to_check(range(1001, 1004)) == [1001, 1002, 1003]
    assert frames_to_check(range(1001, 11_002)) == [1001, 3501, 6001, 8501, 11001]


@pytest.fixture
def masked(shot, plate, tmp_path):
    """masked(*covered, lines): a shot of six frames with a mask in some of them."""

    def make(*covered: int, lines: str = "matte: {channel: mask.A}"):
        file = shot(lines, frames=range(1001, 1007))
        for number in range(1001, 1007):
            mask = np.full((24, 40), float(number in covered), np.float32)
            mask[:, 10:] = 0
            plate(tmp_path / "plate" / f"sh.{number}.exr", number, **{"mask.a": mask})
        return file

    return make


def test_check_looks_on_until_something_is_covered(tsn, masked) -> None:
    result = tsn("check", masked(1004, 1005), "--device", "cpu")
    assert result.exit_code == 0
    assert (
        "matte     covers 0.0 % of frame 1001, 0.0 % of frame 1002, 0.0 % of frame 1003, 25.0 % of frame 1005\n"
        in result.stdout
    )
    assert "Warning:" not in result.output


def test_check_warns(tsn, masked) -> None:
    result = tsn("check", masked(), "--device", "cpu")
    assert result.exit_code == 0
    expected = (
        "Warning: The matte (mask.A) covers 0 % of all 5 frames checked, 1001-1003,1005-1006: nothing is painted."
    )
    assert expected in result.stdout
    assert "Error:" not in result.output and result.stdout.endswith("No fault found.\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_render_warns_once_at_its_end(tsn, masked, workers: int) -> None:
    file = masked()
    result = tsn("render", file, "--device", "cpu", "--workers", workers, "--chunk-size", 2, "--json")
    assert result.exit_code == 0
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["cover"] for event in events if event["kind"] == "frame"] == [0.0] * 6
    warnings = [event["text"] for event in events if event["text"].startswith("Warning:")]
    assert len(warnings) == 1 and "0 % of all 6 frames checked, 1001-1006: nothing is painted" in warnings[0]
    assert events[-1]["kind"] == "done" and events[-2]["kind"] == "note"
    again = tsn("render", file, "--device", "cpu")
    assert "Warning:" not in again.output, "nothing was looked at"


def test_render_says_nothing_where_one_frame_is_covered(tsn, masked) -> None:
    result = tsn("render", masked(1004), "--device", "cpu", "--chunk-size", 2)
    assert result.exit_code == 0 and "Warning:" not in result.output


def test_an_inverted_matte_of_nothing_paints_everything(tsn, masked) -> None:
    file = masked(lines="matte: {channel: mask.A, invert: true}")
    for command in ("check", "render"):
        result = tsn(command, file, "--device", "cpu")
        assert "Warning: The matte (mask.A), inverted, covers 100 % of all" in result.stdout


def test_a_chunk_alone_does_not_alarm(tsn, masked, tmp_path) -> None:
    tsn("plan", masked(1006), "-o", tmp_path / "plan.json", "--chunk-size", 2)
    result = tsn("chunk", tmp_path / "plan.json", 0, "--device", "cpu")
    assert result.exit_code == 0
    assert "The matte (mask.A) covers 0 % of all 2 frames" in result.output and "Warning:" not in result.output


def test_what_is_not_used_of_a_manifest_is_told(tsn, shot, tmp_path) -> None:
    file = shot("matte: {cryptomatte: CryptoObject, names: [monkey]}", frames=[1001])
    ids = np.full((24, 40), cryptomatte_id("monkey"), np.uint32).view(np.float32)
    one, none = np.ones_like(ids), np.zeros_like(ids)
    layer = dict(zip("RGBA", (ids, one, none, none), strict=True))
    rgb = {name: np.ones((24, 40), np.float16) for name in "RGB"}
    head = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    head |= {"cryptomatte/abc/name": "CryptoObject", "cryptomatte/abc/manif_file": "ids.json"}
    channels = rgb | {f"CryptoObject00.{end}": values for end, values in layer.items()}
    OpenEXR.File(head, channels).write(str(tmp_path / "plate/sh.1001.exr"))
    result = tsn("check", file, "--device", "cpu")
    assert result.exit_code == 0 and "covers 100.0 % of frame 1001" in result.stdout
    assert "Warning: Cryptomatte CryptoObject: the manifest 'ids.json' beside the frame is not there" in result.stdout

    (tmp_path / "plate/ids.json").write_text(json.dumps({"monkey": f"{cryptomatte_id('monkey'):08x}"}))
    assert "Warning:" not in tsn("check", file, "--device", "cpu").stdout
    (tmp_path / "plate/ids.json").write_text(json.dumps({"ape": f"{cryptomatte_id('monkey'):08x}"}))
    wrong = tsn("check", file, "--device", "cpu")
    assert wrong.exit_code == 3 and "has no 'monkey' in any frame" in wrong.output


def test_vectors_that_count_over_the_shutter_are_told(tsn, shot, plate, tmp_path) -> None:
    file = shot(flow="{method: vectors, vectors: {layer: motionvector, convention: arnold}}")
    for number in range(1001, 1004):
        vectors = {f"motionvector.{end}": np.full((24, 40), 1.5, np.float32) for end in "RGB"}
        plate(tmp_path / "plate" / f"sh.{number}.exr", number, **vectors)
    note = "Note: Arnold counts motion vectors over the shutter"
    assert note in tsn("check", file, "--device", "cpu").stdout
    assert tsn("render", file, "--device", "cpu").stdout.count(note) == 1
    assert note not in tsn("check", file, "--device", "cpu", "--set", "flow.vectors.convention=pixels-next").stdout
