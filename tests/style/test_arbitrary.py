"""The painter for any painting: parameters, calibration, colours, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from tsn.errors import InputError, UsageError
from tsn.io import write_png
from tsn.style.arbitrary import ArbitraryPainter
from tsn.style.blend import WeightedPainter, blend_painters
from tsn.style.catalogue import BUNDLED_DIR
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets import palette
from tsn.style.nets.style_prediction import Encoder, StylePredictionNet, luma
from tsn.style.painter import Calibration, Uncalibrated
from tsn.style.paintings import PAINTING_LINES, Painting, read_paintings, resize_painting


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palette, "COLOUR_SAMPLES", 100)


@pytest.fixture
def adain() -> StylePredictionNet:
    torch.manual_seed(0)
    net = StylePredictionNet(width=4, blocks=1, encoder_width=3)
    for value in net.mind.parameters():  # a fresh net paints after every painting alike
        value.data.normal_(0, 0.06)
    net.plates.copy_(torch.rand(100, 3))
    return net.eval()


@pytest.fixture
def make(adain: StylePredictionNet, picture: Callable[..., Tensor]) -> Callable[..., ArbitraryPainter]:
    """make(*seeds, ...): a painter after pictures of noise, of equal weight."""

    def make(*seeds: int, **settings: object) -> ArbitraryPainter:
        weights = settings.pop("shares", None) or [1.0] * len(seeds)
        paintings = [
            Painting(
                name=f"p{seed}", image=picture(48, 72, seed).roll(seed, 0) ** (1 + seed), sha256=str(seed), weight=w
            )
            for seed, w in zip(seeds, weights, strict=True)
        ]
        return ArbitraryPainter(adain, paintings, weights="w", **settings)

    return make


# --- what is seen of a painting ------------------------------------------------------------------------------------


def test_a_code_tells_mean_and_spread_of_every_channel(picture) -> None:
    torch.manual_seed(0)
    encoder, painting = Encoder(width=3).eval(), picture(48, 64)[None]
    with torch.no_grad():
        code, maps = encoder.style_statistics(painting), encoder(painting)
    assert code.shape == (encoder.statistics_size,)
    assert [maps[level].shape[1:] for level in (1, 2, 3)] == [(3, 48, 64), (6, 24, 32), (12, 12, 16)]
    torch.testing.assert_close(code[:3], maps[1][0].mean((1, 2)))
    torch.testing.assert_close(code[-12:].exp(), maps[3][0].flatten(1).var(1, correction=0) + 1e-3)


def test_a_painting_is_seen_at_one_height_whatever_its_scan(picture) -> None:
    assert resize_painting(picture(100, 150)).shape == (3, PAINTING_LINES, PAINTING_LINES * 3 // 2)
    assert resize_painting(picture(900, 3)).shape == (3, PAINTING_LINES, 1)


def test_before_training_all_paintings_give_the_parameters_of_the_net_itself(picture) -> None:
    torch.manual_seed(0)
    net = StylePredictionNet(width=4, blocks=1, encoder_width=3).eval()
    canvas = net.transfer_net_for([picture(40, 61)], [1.0])
    for name, value in net.canvas.named_parameters():
        assert torch.equal(canvas.get_parameter(name), value)
    assert not torch.allclose(canvas.palette, palette.identity_palette(), atol=0.1)


def test_predicted_parameters_change_every_norm_and_the_last_colours(adain, picture) -> None:
    with torch.no_grad():
        predicted = adain.predict_parameters(adain.encoder.style_statistics(picture(48, 64)[None]))
        changed = adain.transfer_parameters(predicted)
    was = adain.canvas.state_dict()
    norms = {
        f"{n}.{k}"
        for n, m in adain.canvas.named_modules()
        for k in ("scale", "shift")
        if getattr(m, k, None) is not None
    }
    assert set(changed) == norms | {"leave.conv.weight", "leave.conv.bias"}
    assert all((changed[name] - was[name]).abs().max() > 1e-3 for name in changed)
    mix = torch.eye(3) + predicted[-12:-3].view(3, 3)
    wanted = (mix @ was["leave.conv.weight"].flatten(1)).view_as(was["leave.conv.weight"])
    torch.testing.assert_close(changed["leave.conv.weight"], wanted)
    torch.testing.assert_close(changed["leave.conv.bias"], mix @ was["leave.conv.bias"] + predicted[-3:])


def test_a_code_far_from_all_that_was_learnt_does_not_shout(adain) -> None:
    code = torch.full((adain.encoder.statistics_size,), 1e6)
    assert torch.equal(adain.predict_parameters(code), adain.predict_parameters(code / 1000))


# --- painting ------------------------------------------------------------------------------------------------------


def test_uncalibrated_it_paints_as_frozen_at_that_frame(make, picture) -> None:
    for kept in (False, True):
        painter, image = make(1, keep_colours=kept), picture(40, 52)
        assert isinstance(painter, Uncalibrated)
        frozen = painter.frozen(painter.calibrate([image]))
        assert not isinstance(frozen, Uncalibrated)
        assert torch.equal(painter.paint(image, 1), frozen.paint(image, 1))
        assert frozen.paint(image, 1).std() > 0.01


def test_each_painting_gives_another_picture_and_fingerprint(make, picture) -> None:
    image = picture(40, 52)
    one, other = make(1), make(2)
    assert (one.paint(image, 1) - other.paint(image, 1)).abs().mean() > 1e-3
    prints = {
        p.fingerprint for p in (one, other, make(1, 2), make(1, 2, shares=[1.0, 3.0]), make(1, keep_colours=True))
    }
    assert len(prints) == 5
    assert make(1, 2, shares=[2.0, 2.0]).fingerprint == make(1, 2).fingerprint


def test_a_highlight_entering_changes_nothing_far_away_once_locked(make, picture) -> None:
    painter = make(1)
    dark = 0.5 * picture(48, 160)
    lit = dark.clone()
    lit[:, :, :16] = 1.0
    frozen = painter.frozen(painter.calibrate([dark]))
    far = (slice(None), slice(None), slice(16 + painter.net.radius, None))
    assert (painter.paint(lit, 1) - painter.paint(dark, 2))[far].abs().max() > 1e-3
    assert torch.equal(frozen.paint(lit, 1)[far], frozen.paint(dark, 2)[far])


def test_tiles_agree_with_the_whole_and_the_radius_is_needed(make, picture) -> None:
    image = picture(196, 260)
    calibration = make(1).calibrate([image])
    whole = make(1).frozen(calibration).paint(image, 1)
    tiled = make(1, tile=64).frozen(calibration)
    assert (tiled.paint(image, 1) - whole).abs().max() < 1e-5
    assert tiled.fingerprint != make(1).frozen(calibration).fingerprint
    narrow = make(1, tile=64)
    narrow.net.radius = 4
    assert (narrow.frozen(calibration).paint(image, 1) - whole).abs().max() > 1e-4


def test_one_thread_and_two_give_the_same_bits(make, picture, threads) -> None:
    images = [picture(180, 320, seed) for seed in (1, 2)]

    def paint(count: int) -> tuple[str, Tensor]:
        threads(count)
        painter = make(1, 2, keep_colours=True)
        calibration = painter.calibrate(images)
        return calibration.fingerprint, painter.frozen(calibration).paint(images[0], 1)

    (one, first), (two, second) = paint(1), paint(2)
    assert one == two
    assert torch.equal(first, second)


def test_any_size_is_painted(make, picture) -> None:
    painter = make(1)
    frozen = painter.frozen(painter.calibrate([picture(32, 32)]))
    for height, width in [(1, 1), (1, 9), (3, 70), (33, 35)]:
        assert frozen.paint(picture(height, width), 1).shape == (3, height, width)


def test_painting_is_repeatable_to_the_bit_and_free_to_change(make, picture) -> None:
    image, painter = picture(40, 40), make(1)
    frozen = painter.frozen(painter.calibrate([image]))
    once = frozen.paint(image, 1)
    assert torch.equal(once, frozen.paint(image, 7))
    once.mul_(2)  # an inference tensor would refuse
    assert image.max() <= 1


def test_a_calibration_weighs_all_frames_alike_and_survives_the_disk(make, picture, tmp_path: Path) -> None:
    painter, frames = make(1), [picture(32, 48, 1), picture(32, 48, 2)]
    both = painter.calibrate(iter(frames))
    single = [painter.calibrate([frame]).tensors["01.mean"] for frame in frames]
    torch.testing.assert_close(both.tensors["01.mean"], (single[0] + single[1]) / 2)
    both.save(tmp_path / "calibration.safetensors")
    assert Calibration.load(tmp_path / "calibration.safetensors").fingerprint == both.fingerprint


def test_a_foreign_or_broken_calibration_is_refused(make, picture) -> None:
    painter = make(1, keep_colours=True)
    calibration = painter.calibrate([picture(32, 32)])
    with pytest.raises(InputError, match="another painter than 'p2'"):
        make(2).frozen(calibration)
    for missing in ("02.variance", "light.painted"):
        tensors = {name: tensor for name, tensor in calibration.tensors.items() if name != missing}
        with pytest.raises(InputError, match="does not fit the net"):
            painter.frozen(Calibration(painter_fingerprint=calibration.painter_fingerprint, tensors=tensors))


def test_several_paintings_meet_in_between(make, picture) -> None:
    image = picture(40, 52)
    first, second = make(1).paint(image, 1), make(2).paint(image, 1)
    almost, half = make(1, 2, shares=[999.0, 1.0]).paint(image, 1), make(1, 2).paint(image, 1)
    assert (almost - first).abs().mean() < 0.1 * (second - first).abs().mean()
    assert (half - first).abs().mean() > 0 and (half - second).abs().mean() > 0
    assert not torch.allclose(half, (first + second) / 2, atol=1e-3)  # no double exposure


def test_it_blends_with_other_styles(make, picture, painter) -> None:
    image = picture(40, 52)
    frames, other = [image, 0.2 * picture(40, 52, 5) ** 3], make(1)
    mixed = blend_painters([WeightedPainter(painter=other, weight=1.0), WeightedPainter(painter=painter, weight=1.0)])
    assert isinstance(mixed, Uncalibrated)
    calibration, own = mixed.calibrate(iter(frames)), other.calibrate(frames)
    frozen = mixed.frozen(calibration)
    wanted = (other.frozen(own).paint(image, 1) + painter.frozen(painter.calibrate(frames)).paint(image, 1)) / 2
    torch.testing.assert_close(frozen.paint(image, 1), wanted, rtol=1e-4, atol=1e-4)
    assert torch.equal(calibration.tensors["0/01.mean"], own.tensors["01.mean"])


def test_colours_of_the_plate_are_kept(make, picture) -> None:
    image = 0.3 + 0.4 * picture(40, 52)  # away from black and white, where colours must give in
    painted = make(1, keep_colours=True).paint(image, 1)
    inside = ((painted > 0) & (painted < 1)).all(0)
    assert inside.float().mean() > 0.5

    def chroma(x: Tensor) -> Tensor:
        return (x - luma(x[None])[0])[:, inside]

    torch.testing.assert_close(chroma(painted), chroma(image), rtol=0, atol=1e-5)
    assert (luma(painted[None]) - luma(image[None])).abs().mean() > 1e-3


def test_the_light_that_the_plate_keeps_is_that_of_the_element(make, picture) -> None:
    painter = make(1, keep_colours=True)
    card = torch.cat([0.3 + 0.4 * picture(40, 52), torch.ones(1, 40, 52)])
    alone, around = painter.calibrate([card]), painter.calibrate([F.pad(card, (30, 8, 4, 60))])
    assert around.fingerprint == alone.fingerprint
    plain = painter.calibrate([card[:3]])
    for name, tensor in plain.tensors.items():
        torch.testing.assert_close(alone.tensors[name], tensor, rtol=1e-3, atol=1e-4)
    by_all = painter.calibrate([F.pad(card[:3], (30, 8, 4, 60))])
    assert (by_all.tensors["light.plate"] - plain.tensors["light.plate"]).abs().max() > 0.05


# --- files ---------------------------------------------------------------------------------------------------------


def test_paintings_are_read_and_named_by_their_files(tmp_path: Path) -> None:
    write_png(tmp_path / "wave.png", np.full((8, 12, 3), 0.5, np.float32))
    (found,) = read_paintings({"wave.png": 2.0}, base=tmp_path)
    assert (found.name, found.weight, tuple(found.image.shape)) == ("wave", 2.0, (3, 8, 12))
    assert found.image.mean().item() == pytest.approx(0.5, abs=0.01)
    assert len(found.sha256) == 64


def test_paintings_that_cannot_be_are_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(InputError, match=r"does not exist: .*none\.png"):
        read_paintings({"none.png": 1.0}, base=tmp_path)
    with pytest.raises(InputError, match=r"does not exist: .*~nobody9/none\.png"):
        read_paintings({"~nobody9/none.png": 1.0}, base=tmp_path)
    with pytest.raises(InputError, match=r"torn\.png"):
        read_paintings({"torn.png": 1.0}, base=tmp_path)
    with pytest.raises(UsageError, match=r"torn\.png must be above 0, got 0"):
        read_paintings({"torn.png": 0.0}, base=tmp_path)
    with pytest.raises(UsageError, match="expected a painting"):
        read_paintings({}, base=tmp_path)


FACTS = {"family": "adain", "width": "4", "blocks": "1", "seen": "3"}


def test_weights_come_back_in_full_precision(adain: StylePredictionNet, tmp_path: Path) -> None:
    path = tmp_path / "adain.safetensors"
    save_file(
        {k: v.half().contiguous() for k, v in adain.state_dict().items()},
        path,
        metadata=FACTS,
    )
    loaded = load_style_prediction_net(path)
    assert (loaded.width, loaded.blocks, loaded.encoder_width) == (4, 1, 3)
    image = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(loaded.encoder(image)[3], adain.encoder(image)[3], rtol=0.02, atol=0.02)
    torch.testing.assert_close(loaded.plates, adain.plates, rtol=0, atol=1e-3)
    assert next(loaded.parameters()).dtype == torch.float32


def test_weights_of_something_else_are_refused(adain: StylePredictionNet, tmp_path: Path) -> None:
    state = {k: v.clone() for k, v in adain.state_dict().items()}

    def refused(tensors: dict[str, Tensor], **facts: str) -> str:
        path = tmp_path / "w.safetensors"
        save_file(tensors, path, metadata=facts)
        with pytest.raises(InputError) as caught:
            load_style_prediction_net(path)
        return str(caught.value)

    assert "found 'feedforward'" in refused(state, **FACTS | {"family": "feedforward"})
    assert "seen=''" in refused(state, **{k: v for k, v in FACTS.items() if k != "seen"})
    assert "do not fit width 4, blocks 1, seen 6" in refused(state, **FACTS | {"seen": "6"})
    assert "do not fit seen 30000" in refused(state, **FACTS | {"seen": "30000"})
    assert "do not fit blocks 9999" in refused(state, **FACTS | {"blocks": "9999"})
    assert "multiple of three, found 4" in refused(state, **FACTS | {"seen": "4"})
    assert "must give seeded as yes or no" in refused(state, **FACTS | {"seeded": "1"})
    name = next(iter(state))
    assert name in refused({k: v for k, v in state.items() if k != name}, **FACTS)
    assert "no numbers" in refused(state | {name: state[name] * float("nan")}, **FACTS)
    (tmp_path / "w.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        load_style_prediction_net(tmp_path / "w.safetensors")


# --- what comes with tsn -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_bundled_net_takes_on_the_palette_of_a_painting_it_never_saw(picture, monkeypatch) -> None:
    monkeypatch.undo()  # its own number of colours
    plate, blobs = picture(120, 160, 1), picture(150, 200, 2)
    blue = torch.stack([0.1 + 0.2 * blobs[0], 0.2 + 0.4 * blobs[0], 0.4 + 0.6 * blobs[0]])
    red = blue.flip(0)
    net = load_style_prediction_net(BUNDLED_DIR / "adain.safetensors")

    def paint(painting: Tensor, **settings: bool) -> Tensor:
        one = Painting(name="p", image=painting, sha256="")
        return ArbitraryPainter(net, [one], weights="w", **settings).paint(plate, 1)

    painted = [paint(blue), paint(red)]
    assert painted[0][2].mean() > painted[0][0].mean() + 0.2
    assert painted[1][0].mean() > painted[1][2].mean() + 0.2
    # And the shapes of the plate are still there.
    for one in painted:
        shapes = [F.avg_pool2d(luma(i[None]), 8).flatten() for i in (one, plate)]
        assert torch.corrcoef(torch.stack(shapes))[0, 1] > 0.4
    kept = paint(blue, keep_colours=True)
    assert abs(luma(kept[None]).mean() - luma(plate[None]).mean()) < 0.06  # the plate's light, too
