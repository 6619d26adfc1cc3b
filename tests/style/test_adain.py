"""After any painting: the maps, the painter before and after its lock, and what a shot must be able to rely on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from tsn.errors import InputError, UsageError
from tsn.io import write_png
from tsn.style import whitening
from tsn.style.adain import FLOOR, AdainPainter
from tsn.style.adain_net import BUNDLED, DETAIL, DETAILED, LEVELS, AdainNet, luma, net_from
from tsn.style.base import Survey, Unlocked
from tsn.style.blend import Part, blend
from tsn.style.paintings import Painting, read_paintings

# --- maps ----------------------------------------------------------------------------------------------------------


def cloud(seed: int, channels: int = 5) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    mix = torch.randn(channels, channels, generator=random)
    points = torch.einsum("cd,nd->cn", mix, torch.randn(4000, channels, generator=random))
    return (points + torch.randn(channels, 1, generator=random)).reshape(1, channels, 40, 100)


def moved(features: Tensor, by: whitening.Map) -> Tensor:
    matrix, offset = (part[0].float() for part in by)
    return torch.einsum("cd,ndhw->nchw", matrix, features) + offset[:, None, None]


def test_moments_are_those_of_all_pixels() -> None:
    features = cloud(0)
    mean, second = whitening.moments(features)
    flat = features[0].flatten(1).double()
    torch.testing.assert_close(mean[0], flat.mean(1))
    torch.testing.assert_close(whitening.covariance((mean, second))[0], torch.cov(flat, correction=0))
    assert mean.dtype == torch.float64


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.integers(1000, 1999))
def test_a_moved_cloud_has_the_other_ones_mean_and_covariance(one: int, other: int) -> None:
    content, style = cloud(one), cloud(other)
    by = whitening.transport(whitening.moments(content), whitening.moments(style), floor=0.0)
    found, wanted = whitening.moments(moved(content, by)), whitening.moments(style)
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(whitening.covariance(found), whitening.covariance(wanted), rtol=1e-2, atol=1e-2)


def test_it_moves_vectors_less_than_whitening_and_colouring() -> None:
    content, style = cloud(1), cloud(2)
    a, b = whitening.moments(content), whitening.moments(style)
    least = moved(content, whitening.transport(a, b, floor=0.0))
    whiten = torch.linalg.inv(torch.linalg.cholesky(whitening.covariance(a)))
    matrix = torch.linalg.cholesky(whitening.covariance(b)) @ whiten
    other = moved(content, (matrix, b[0] - (matrix @ a[0][..., None])[..., 0]))
    assert (least - content).square().mean() < (other - content).square().mean()


def test_onto_itself_nothing_moves() -> None:
    content = cloud(3)
    of = whitening.moments(content)
    torch.testing.assert_close(moved(content, whitening.transport(of, of, floor=0.02)), content, rtol=1e-4, atol=1e-4)


def test_what_hardly_varies_is_not_blown_up() -> None:
    content, style = cloud(4), cloud(5)
    content[:, 0] *= 1e-4

    def largest_gain(floor: float) -> float:
        matrix, _ = whitening.transport(whitening.moments(content), whitening.moments(style), floor=floor)
        return torch.linalg.matrix_norm(matrix, 2).item()

    assert largest_gain(1e-9) > 100 > 10 > largest_gain(0.1)


def test_threads_are_given_back() -> None:
    torch.set_num_threads(2)
    whitening.moments(cloud(0))
    assert torch.get_num_threads() == 2


# --- the painter ---------------------------------------------------------------------------------------------------


@pytest.fixture
def adain() -> AdainNet:
    torch.manual_seed(0)
    net = AdainNet(width=6)
    for module in net.modules():  # a fresh net would paint everything grey
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for decoder in net.decoders:
        decoder[-1].conv.weight.data *= 0.2
    return net.eval()


@pytest.fixture
def make(adain: AdainNet, picture: Callable[..., Tensor]) -> Callable[..., AdainPainter]:
    """make(*seeds, ...): a painter after pictures of noise, of equal weight."""

    def make(*seeds: int, **settings: object) -> AdainPainter:
        weights = settings.pop("shares", None) or [1.0] * len(seeds)
        paintings = [
            Painting(
                name=f"p{seed}", image=picture(48, 72, seed).roll(seed, 0) ** (1 + seed), sha256=str(seed), weight=w
            )
            for seed, w in zip(seeds, weights, strict=True)
        ]
        return AdainPainter(adain, paintings, weights="w", **settings)

    return make


def test_unlocked_it_paints_as_locked_to_that_frame(make, picture) -> None:
    painter, image = make(1), picture(40, 52)
    assert isinstance(painter, Unlocked)
    locked = painter.locked(painter.survey([image]))
    assert not isinstance(locked, Unlocked)
    assert torch.equal(painter.paint(image, 1), locked.paint(image, 1))
    assert locked.paint(image, 1).std() > 0.01


def test_locked_it_is_the_coarse_to_fine_transform(make, adain, picture) -> None:
    """Folded into convolutions or done step by step: the same picture."""
    painter, image = make(1), picture(40, 52)
    x = image[None]
    with torch.no_grad():
        for level in LEVELS:
            maps = adain.encode(x, level)[level]
            by = whitening.transport(whitening.moments(maps), painter.styles[0][level], floor=FLOOR)
            lost = DETAIL * luma(x - adain.decode(maps, level)) if level in DETAILED else 0.0
            x = (adain.decode(moved(maps, by), level) + lost).clamp(0, 1)
    torch.testing.assert_close(painter.paint(image, 1), x[0], rtol=1e-3, atol=1e-3)


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
    locked = painter.locked(painter.survey([dark]))
    far = (slice(None), slice(None), slice(16 + AdainNet.radius, None))
    assert (painter.paint(lit, 1) - painter.paint(dark, 2))[far].abs().max() > 1e-3
    assert torch.equal(locked.paint(lit, 1)[far], locked.paint(dark, 2)[far])


def test_tiles_agree_with_the_whole_and_the_radius_is_needed(make, picture, monkeypatch) -> None:
    image = picture(196, 260)
    survey = make(1).survey([image])
    whole = make(1).locked(survey).paint(image, 1)
    tiled = make(1, tile=64).locked(survey)
    assert (tiled.paint(image, 1) - whole).abs().max() < 1e-5
    assert tiled.fingerprint != make(1).locked(survey).fingerprint
    monkeypatch.setattr("tsn.style.adain_net.Chain.radius", 8)
    assert (make(1, tile=64).locked(survey).paint(image, 1) - whole).abs().max() > 1e-4


def test_one_thread_and_two_give_the_same_bits(make, picture) -> None:
    images = [picture(180, 320, seed) for seed in (1, 2)]

    def paint(threads: int) -> tuple[str, Tensor]:
        torch.set_num_threads(threads)
        painter = make(1, 2, keep_colours=True)
        survey = painter.survey(images)
        return survey.fingerprint, painter.locked(survey).paint(images[0], 1)

    (one, first), (two, second) = paint(1), paint(2)
    assert one == two
    assert torch.equal(first, second)


def test_any_size_is_painted(make, picture) -> None:
    painter = make(1)
    locked = painter.locked(painter.survey([picture(32, 32)]))
    for height, width in [(1, 1), (1, 9), (3, 70), (33, 35)]:
        assert locked.paint(picture(height, width), 1).shape == (3, height, width)


def test_painting_is_repeatable_to_the_bit_and_free_to_change(make, picture) -> None:
    image, painter = picture(40, 40), make(1)
    locked = painter.locked(painter.survey([image]))
    once = locked.paint(image, 1)
    assert torch.equal(once, locked.paint(image, 7))
    once.mul_(2)  # an inference tensor would refuse
    assert image.max() <= 1


def test_a_survey_counts_every_frame_the_same_and_survives_the_disk(make, picture, tmp_path: Path) -> None:
    painter, frames = make(1), [picture(32, 48, 1), picture(32, 48, 2)]
    both = painter.survey(iter(frames))
    single = [painter.survey([frame]).tensors["3.mean"] for frame in frames]
    torch.testing.assert_close(both.tensors["3.mean"], (single[0] + single[1]) / 2)
    both.save(tmp_path / "survey.safetensors")
    assert Survey.load(tmp_path / "survey.safetensors").fingerprint == both.fingerprint


def test_a_foreign_or_broken_survey_is_refused(make, picture) -> None:
    painter = make(1)
    survey = painter.survey([picture(32, 32)])
    with pytest.raises(InputError, match="another painter than 'p2'"):
        make(2).locked(survey)
    tensors = {name: tensor for name, tensor in survey.tensors.items() if name != "2.second"}
    with pytest.raises(InputError, match="does not fit the net"):
        painter.locked(Survey(of=survey.of, tensors=tensors))


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
    mixed = blend([Part(painter=other, weight=1.0), Part(painter=painter, weight=1.0)])
    assert isinstance(mixed, Unlocked)
    survey, own = mixed.survey(iter(frames)), other.survey(frames)
    locked = mixed.locked(survey)
    wanted = (other.locked(own).paint(image, 1) + painter.locked(painter.survey(frames)).paint(image, 1)) / 2
    torch.testing.assert_close(locked.paint(image, 1), wanted, rtol=1e-4, atol=1e-4)
    # By its own survey of all frames, which is not the mean of its surveys of single ones.
    assert torch.equal(survey.tensors["0/1.mean"], own.tensors["1.mean"])
    by_frames = Survey.mean([other.survey([frame]) for frame in frames])
    assert not torch.allclose(by_frames.tensors["1.mean"], own.tensors["1.mean"], rtol=1e-3)


def test_colours_of_the_plate_are_kept(make, picture) -> None:
    image = 0.3 + 0.4 * picture(40, 52)  # away from black and white, where colours must give in
    painted = make(1, keep_colours=True).paint(image, 1)
    inside = ((painted > 0) & (painted < 1)).all(0)
    assert inside.float().mean() > 0.5

    def chroma(x: Tensor) -> Tensor:
        return (x - luma(x[None])[0])[:, inside]

    torch.testing.assert_close(chroma(painted), chroma(image), rtol=0, atol=1e-5)
    assert (luma(painted[None]) - luma(image[None])).abs().mean() > 1e-3


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
    with pytest.raises(InputError, match=r"torn\.png"):
        read_paintings({"torn.png": 1.0}, base=tmp_path)
    with pytest.raises(UsageError, match=r"torn\.png must be above 0, got 0"):
        read_paintings({"torn.png": 0.0}, base=tmp_path)
    with pytest.raises(UsageError, match="expected a painting"):
        read_paintings({}, base=tmp_path)


def test_weights_come_back_in_full_precision(adain: AdainNet, tmp_path: Path) -> None:
    path = tmp_path / "adain.safetensors"
    save_file(
        {k: v.half().contiguous() for k, v in adain.state_dict().items()},
        path,
        metadata={"family": "adain", "width": "6"},
    )
    loaded = net_from(path)
    assert loaded.width == 6
    image = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(loaded.encode(image)[3], adain.encode(image)[3], rtol=0.02, atol=0.02)
    assert next(loaded.parameters()).dtype == torch.float32


def test_weights_of_something_else_are_refused(adain: AdainNet, tmp_path: Path) -> None:
    state = {k: v.clone() for k, v in adain.state_dict().items()}

    def refused(tensors: dict[str, Tensor], **facts: str) -> str:
        path = tmp_path / "w.safetensors"
        save_file(tensors, path, metadata=facts)
        with pytest.raises(InputError) as caught:
            net_from(path)
        return str(caught.value)

    assert "found 'feedforward'" in refused(state, family="feedforward", width="6")
    assert "width=None" in refused(state, family="adain")
    assert "do not fit width 9" in refused(state, family="adain", width="9")
    name = next(iter(state))
    assert name in refused({k: v for k, v in state.items() if k != name}, family="adain", width="6")
    assert "no numbers" in refused(state | {name: state[name] * float("nan")}, family="adain", width="6")
    (tmp_path / "w.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        net_from(tmp_path / "w.safetensors")


# --- what comes with tsn -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_bundled_net_takes_on_the_palette_of_a_painting_it_never_saw(picture) -> None:
    plate, blobs = picture(120, 160, 1), picture(150, 200, 2)
    blue = torch.stack([0.1 + 0.2 * blobs[0], 0.2 + 0.4 * blobs[0], 0.4 + 0.6 * blobs[0]])
    red = blue.flip(0)
    net = net_from(BUNDLED)

    def paint(painting: Tensor, **settings: bool) -> Tensor:
        one = Painting(name="p", image=painting, sha256="")
        return AdainPainter(net, [one], weights="w", **settings).paint(plate, 1)

    painted = [paint(blue), paint(red)]
    assert painted[0][2].mean() > painted[0][0].mean() + 0.2
    assert painted[1][0].mean() > painted[1][2].mean() + 0.2
    # And the shapes of the plate are still there.
    for one in painted:
        shapes = [F.avg_pool2d(luma(i[None]), 8).flatten() for i in (one, plate)]
        assert torch.corrcoef(torch.stack(shapes))[0, 1] > 0.4
    kept = paint(blue, keep_colours=True)
    assert abs(luma(kept[None]).mean() - luma(plate[None]).mean()) < 0.06  # the plate's light, too
