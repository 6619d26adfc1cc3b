"""Shots painted by their key frames, rendered whole: the promises hold as for any paint, and keys do what they say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from tsn.errors import DeviceError, InputError, UsageError
from tsn.rendering import key_learning, learnt_store, plan_file
from tsn.rendering.key_files import key_path, own_key_folder
from tsn.rendering.pin import pin
from tsn.rendering.pinned_weights import hash_weights, require_weights
from tsn.rendering.preview import render_preview
from tsn.rendering.render import render
from tsn.shot.load import load
from tsn.style.painter import Calibration

Shot = Callable[..., Path]

KEYS = "{keys: {1002: keys/a.png, 1007: keys/b.png}, learn: 1s}"
RED, BLUE = (0.9, 0.2, 0.1), (0.1, 0.3, 0.9)


@pytest.fixture(autouse=True)
def learns_fast(thin_vgg: object, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The arguments of each learning, which takes three steps against a perceptual net of random numbers."""
    calls: list[dict[str, object]] = []
    learn = key_learning.learn

    def few_steps(examples, others, **options):  # type: ignore[no-untyped-def]
        calls.append({"examples": examples, "others": others, **options})
        return learn(examples, others, **(options | {"steps": 3}))

    monkeypatch.setattr(key_learning, "load_perceptual", lambda device: thin_vgg)
    monkeypatch.setattr(key_learning, "learn", few_steps)
    return calls


def paint(path: Path, colour: tuple[float, float, float], *, alpha: np.ndarray | None = None, size=(48, 64)) -> Path:
    """A key of one colour with some texture."""
    path.parent.mkdir(exist_ok=True)
    texture = np.random.default_rng(3).uniform(0.85, 1, (*size, 1))
    rgb = np.rint(np.array(colour)[::-1] * texture * 65535).astype(np.uint16)
    layers = [rgb] if alpha is None else [rgb, np.rint(alpha * 65535).astype(np.uint16)[..., None]]
    assert cv2.imwrite(str(path), np.concatenate(layers, -1))
    return path


@pytest.fixture
def keyed(shot: Shot, tmp_path: Path) -> Shot:
    """keyed(**keys): a shot with a red key at 1002 and a blue one at 1007."""
    paint(tmp_path / "keys/a.png", RED)
    paint(tmp_path / "keys/b.png", BLUE, size=(96, 128))
    return lambda *lines, **keys: shot(*lines, **({"style": KEYS} | keys))


CASES = {
    "plain": {},
    "every frame by itself": {"temporal": "{window: 0}"},
    "guides, a matte, a gap": {
        "style": KEYS.replace("}, learn", "}, depth: Depth.Z, surface: Vector, learn"),
        "matte": "{channel: mask.V}",
        "frames": [1001, 1002, 1003, 1006, 1007, 1008],
    },
    "a cut between the keys": {
        "scenes": {n: 1 if n < 1005 else 2 for n in range(1001, 1009)},
        "flow": "{method: dis}",
        "temporal": "{window: 2}",
    },
    "as a layer over a net, every frame by itself": {
        "style": "null",
        "layers": f"[{{style: {{model: tiny.safetensors}}}}, {{style: {KEYS}, matte: {{channel: mask.V}}}}]",
        "temporal": "{window: 0, cuts: []}",
    },
    "as a layer over strokes": {
        "style": "null",
        "layers": f"[{{style: {{strokes: oil}}, temporal: {{window: 1}}}}, {{style: {KEYS},"
        " matte: {channel: mask.V}}]",
    },
}


@pytest.mark.parametrize("case", CASES)
def test_any_split_in_any_order_gives_the_same_files(keyed: Shot, planned, case: str, tmp_path: Path) -> None:
    keys = dict(CASES[case])
    lines = ["missing: hold"] if "frames" in keys else []
    file = keyed(*lines, **keys)
    plan = pin(planned(file), device="cpu")
    whole = {path.name: path.read_bytes() for path in render(plan, device="cpu")}
    assert len(whole) == 8
    shutil.rmtree(tmp_path / "styled")
    split = replace(planned(file, size=3), pins=plan.pins)
    for index in (2, 0, 1):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # each chunk on a host of its own
        for net in (tmp_path / "keys").glob("*.safetensors"):
            net.unlink()
        through_json = plan_file.from_dict(plan_file.to_dict(split))
        render(through_json, chunks=[index], device="cpu")
    assert {path.name: path.read_bytes() for path in (tmp_path / "styled").glob("*.exr")} == whole


def test_a_place_has_the_colour_of_the_key_that_shows_it(keyed: Shot, rendered, rgb) -> None:
    paths, _ = rendered(keyed(temporal="{window: 0}"))
    for number, strong, weak in ((1001, 0, 2), (1003, 0, 2), (1008, 2, 0)):
        middle = rgb(paths[number])[16:40, 24:56].mean((0, 1))
        assert middle[strong] > 2 * middle[weak], (number, middle)


def test_the_plate_survives(keyed: Shot, rendered, channels, source) -> None:
    style = KEYS.replace("learn", "strength: {1002: 0, 1003: 1}, learn")
    paths, _ = rendered(keyed(style=style))
    for number, path in paths.items():
        plate, output = channels(source(path)), channels(path)
        assert plate.keys() == output.keys()
        unchanged = plate.keys() if number <= 1002 else plate.keys() - set("RGB")
        assert all((plate[name] == output[name]).all() for name in unchanged)
        if number > 1002:
            assert (plate["R"][:, 8:] != output["R"][:, 8:]).mean() > 0.9
            assert not (plate["R"][:, :4] != output["R"][:, :4]).any()  # void


def test_what_was_learnt_is_found_again_and_a_repainted_key_goes_on_from_it(
    keyed: Shot, rendered, status, learns_fast: list, tmp_path: Path
) -> None:
    file = keyed()
    rendered(file)
    _, events = rendered(file)
    assert len(learns_fast) == 1 and learns_fast[0]["start"] is None
    assert len(status(events, "skipped")) == 8
    rendered(file, "style.strength=0.5", "temporal.window=1")  # these are not learnt from
    assert len(learns_fast) == 1
    paint(tmp_path / "keys/a.png", BLUE)
    _, events = rendered(file)
    assert len(learns_fast) == 2 and learns_fast[1]["start"] is not None
    assert len(status(events, "rendered")) == 8


def test_a_learning_that_was_killed_goes_on(
    keyed: Shot, rendered, learns_fast: list, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(learnt_store, "SAVE_EVERY_S", 0.0)
    learn = key_learning.learn

    def killed(*parts, **options):  # type: ignore[no-untyped-def]
        def report(found):  # type: ignore[no-untyped-def]
            options["progress"](replace(found, share=0.75))
            raise MemoryError

        return learn(*parts, **(options | {"progress": report}))

    file = keyed()
    with monkeypatch.context() as patched:
        patched.setattr(key_learning, "learn", killed)
        with pytest.raises(DeviceError):
            rendered(file)
    rendered(file)
    assert learns_fast[-1]["done"] == 0.75 and learns_fast[-1]["start"] is not None
    assert learns_fast[-1]["seconds"] == 0.25
    assert not list((tmp_path / "keys").glob("*.unfinished.*"))


def test_a_last_net_of_another_kind_is_left_out(keyed: Shot, rendered, notes, learns_fast: list) -> None:
    file = keyed()
    rendered(file)
    _, events = rendered(file, "style.depth=Depth.Z")  # kept under another name
    assert learns_fast[-1]["start"] is None and "begins anew" not in notes(events)
    last = min(file.parent.glob("keys/*.last.safetensors"), key=lambda path: path.stat().st_mtime_ns)
    found = Calibration.load(last)
    broken = {name: tensor * float("nan") for name, tensor in found.tensors.items()}
    Calibration(painter_fingerprint=found.painter_fingerprint, tensors=broken).save(last)
    _, events = rendered(file, "style.learn=2s")
    assert learns_fast[-1]["start"] is None and "begins anew" in notes(events)


def test_a_folder_that_cant_be_written_costs_a_note(keyed: Shot, rendered, notes, tmp_path: Path, monkeypatch) -> None:
    file = keyed()
    monkeypatch.setattr(learnt_store, "_can_be_written", lambda folder: folder.name == "learnt")
    rendered(file)
    assert list((tmp_path / "cache/learnt").glob("*.safetensors")) and not list(
        (tmp_path / "keys").glob("*.safetensors")
    )
    monkeypatch.setattr(learnt_store, "_can_be_written", lambda folder: False)
    _, events = rendered(file, "style.learn=2s")
    assert "What is learnt can't be kept" in notes(events)


def test_of_two_that_learn_at_once_the_first_paints_all(keyed: Shot, rendered, tmp_path: Path, monkeypatch) -> None:
    file, learn, inner = keyed(), key_learning.learn, []

    def interrupted(*parts, **options):  # type: ignore[no-untyped-def]
        weights = learn(*parts, **options, seed=len(inner))
        if not inner:  # another process starts and ends meanwhile
            inner.append(True)
            inner.append(rendered(file, to="other")[0])
        return weights

    monkeypatch.setattr(key_learning, "learn", interrupted)
    paths, _ = rendered(file)
    assert paths[1004].read_bytes() != b"" and inner[1][1004].exists()
    header = [
        OpenEXR.File(str(path), header_only=True).header()["tsn:styleSha256"] for path in (paths[1004], inner[1][1004])
    ]
    assert header[0] == header[1]


def test_frames_of_another_net_are_painted_again(keyed: Shot, rendered, status, tmp_path: Path, monkeypatch) -> None:
    file, learn = keyed(), key_learning.learn
    rendered(file)
    for net in (tmp_path / "keys").glob("*.safetensors"):
        net.unlink()
    monkeypatch.setattr(key_learning, "learn", lambda *parts, **options: learn(*parts, **options, seed=7))
    _, events = rendered(file)
    assert len(status(events, "rendered")) == 8


def test_the_net_sees_keys_carried_to_each_other_and_frames_between(keyed: Shot, rendered, learns_fast: list) -> None:
    rendered(keyed(style=KEYS.replace("}, learn", "}, depth: Depth.Z, learn")))
    examples, others = learns_fast[0]["examples"], learns_fast[0]["others"]
    assert [key.number for _, key in examples] == [1002, 1007, 1002, 1007]
    own, other = examples[0][0], examples[2][0]
    assert (own.carried == examples[0][1].paint).all() and own.guides.shape[0] == 1
    shown = other.confidence[0] > 0.5
    assert 0.1 < shown.float().mean() < 1 and other.carried[2][shown].mean() > other.carried[0][shown].mean()
    assert [frame.number for frame in others] == [1001, 1003, 1004, 1005, 1006, 1008]


def test_a_key_counts_where_its_alpha_and_its_matte_say(
    keyed: Shot, rendered, learns_fast: list, tmp_path: Path
) -> None:
    alpha = np.ones((48, 64))
    alpha[:24] = 0
    paint(tmp_path / "keys/a.png", RED, alpha=alpha)
    matte = np.zeros((48, 64, 3), np.uint8)
    matte[:, :32] = 255
    cv2.imwrite(str(tmp_path / "keys/matte.png"), matte)
    rendered(keyed(style=KEYS.replace("learn", "key_mattes: {1002: keys/matte.png}, learn")))
    weight = learns_fast[0]["examples"][0][1].weight[0]
    assert weight[30:, 8:30].min() == 1 and weight[:20].max() == 0 and weight[:, 34:].max() == 0


def test_an_exr_key_is_in_plate_values(keyed: Shot, rendered, learns_fast: list, plate, tmp_path: Path) -> None:
    picture = plate.pixels(1002)
    OpenEXR.File({}, {name: picture[name] for name in "RGBA"}).write(str(tmp_path / "keys/a.exr"))
    rendered(keyed(style="{keys: {1002: keys/a.exr}, learn: 1s}"))
    frame, key = learns_fast[0]["examples"][0]
    solid = picture["A"] == 1
    assert abs(key.paint - frame.picture)[:, solid].max() < 2e-3  # the plate itself, painted as it is


def test_a_plan_knows_which_frames_a_chunk_needs_for_its_keys(keyed: Shot, planned) -> None:
    frames = range(1001, 1061)
    plan = planned(
        keyed(style="{keys: {1005: keys/a.png, 1040: keys/b.png}}", frames=frames, temporal="{window: 2, cuts: []}"),
        size=10,
    )
    assert [(chunk.reads[0], chunk.reads[-1]) for chunk in plan.chunks] == [
        (1001, 1012),
        (1005, 1040),
        (1005, 1040),
        (1029, 1042),
        (1039, 1052),
        (1040, 1060),
    ]


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("{keys: {1002: keys/none.png}, learn: 1s}", r"none\.png"),
        ("{keys: {999: keys/a.png}, learn: 1s}", r"frame 999 is not among the shot's 8 frames on disk, 1001 to 1008"),
        ("{keys: {1002: keys/tall.png}, learn: 1s}", r"tall\.png has 48x64 pixels"),
        ("{keys: {1002: keys/a.png}, depth: Zed, learn: 1s}", r"no channel 'Zed'"),
    ],
)
def test_what_is_wrong_with_keys_is_named(keyed: Shot, rendered, tmp_path: Path, style: str, message: str) -> None:
    paint(tmp_path / "keys/tall.png", RED, size=(64, 48))
    with pytest.raises(InputError, match=message):
        rendered(keyed(style=style))


def test_a_host_with_another_key_is_refused(keyed: Shot, planned, tmp_path: Path) -> None:
    file = keyed()
    plan = replace(planned(file), weights=hash_weights(load(file, environ={})))
    require_weights(plan)
    paint(tmp_path / "keys/a.png", BLUE)
    with pytest.raises(InputError, match=r"keys/a\.png: expected"):
        require_weights(plan)


def test_tsn_paints_the_keys_itself(
    shot: Shot, rendered, notes, learns_fast: list, thin_weights: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "painting.png", RED, size=(60, 80))
    file = shot(style="{keys: {painting: painting.png}, learn: 1s}")
    paths, events = rendered(file)
    assert len(paths) == 8 and "painted like" in notes(events)
    resolved = load(file, environ={})
    painted = sorted((tmp_path / "styled/keys").glob("painting-*/*.png"))
    assert painted and painted[0] == key_path(own_key_folder(resolved), "sh", int(painted[0].suffixes[-2][1:]))
    _, events = rendered(file)
    assert "painted like" not in notes(events)
    paint(painted[0], BLUE)
    with pytest.raises(UsageError, match="is there, and was not painted by tsn"):
        rendered(file)


def test_a_preview_is_one_frame_in_a_picture(keyed: Shot, learns_fast: list, tmp_path: Path) -> None:
    resolved = load(keyed(style=KEYS.replace("1s", "30m")), environ={})
    path = render_preview(resolved, 1003, device="cpu", note=lambda text: None)
    assert path == tmp_path / "styled/sh_styled.preview.1003.png" and learns_fast[0]["seconds"] == 60
    shown = cv2.imread(str(path))[16:40, 24:56].mean((0, 1))
    assert shown[2] > 1.5 * shown[0]
    with pytest.raises(UsageError, match="no such frame"):
        render_preview(resolved, 1100, device="cpu", note=lambda text: None)
