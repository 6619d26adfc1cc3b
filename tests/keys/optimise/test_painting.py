"""Keys painted with a thin net of random weights: what they keep, and that a run goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tsn.errors import InputError, UsageError
from tsn.keys.optimise import colours
from tsn.keys.optimise.base import KeySettings
from tsn.keys.optimise.painting import METHODS, Progress, key_digest, paint_key
from tsn.style.nets.vgg import VGGFeatures
from tsn.style.paintings import Painting, read_paintings

FEW = KeySettings(effort=0.1)
Stripes = Callable[..., Path]


@pytest.fixture
def plate() -> Tensor:
    """A bright disc on a dark ramp, (3, 96, 80)."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(80.0), indexing="ij")
    disc = ((y - 50) ** 2 + (x - 40) ** 2 < 300).float()
    return torch.stack([0.2 + 0.5 * disc, 0.1 + x / 200, 0.3 * disc + y / 300])


@pytest.fixture
def paintings(stripes: Stripes) -> tuple[Painting, ...]:
    return read_paintings({str(stripes()): 1.0})


@pytest.mark.parametrize("method", METHODS)
def test_a_key_is_the_plates_in_the_paintings_colours(
    method: str, plate: Tensor, paintings: tuple[Painting, ...], thin_vgg: VGGFeatures
) -> None:
    settings = replace(FEW, method=method)
    key = paint_key(plate, None, paintings, settings, thin_vgg)

    assert key.shape == plate.shape and key.min() >= 0 and key.max() <= 1
    wanted = colours.statistics([paintings[0].image], [1.0])[0]
    assert (colours.statistics([key], [1.0])[0] - wanted).abs().max() < 0.05
    assert torch.equal(key, paint_key(plate, None, paintings, settings, thin_vgg))
    kept = paint_key(plate, None, paintings, replace(settings, colours="plate"), thin_vgg)
    own = colours.statistics([plate], [1.0])[0]
    assert (colours.statistics([kept], [1.0])[0] - own).abs().max() < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_more_content_is_nearer_to_the_plates_forms(
    method: str, plate: Tensor, paintings: tuple[Painting, ...], thin_vgg: VGGFeatures
) -> None:
    plate = plate[:, 20:76, 12:68]

    def far(content: float) -> float:
        settings = KeySettings(effort=0.5, method=method, content=content)
        key = paint_key(plate, None, paintings, settings, thin_vgg)
        maps, own = (thin_vgg(x[None])["4_2"] for x in (key, plate))
        return float((maps - own).square().mean() / own.square().mean())

    assert far(20.0) < far(0.0)


def test_void_does_not_bleed(plate: Tensor, paintings: tuple[Painting, ...], thin_vgg: VGGFeatures) -> None:
    cover = torch.zeros(1, 96, 80)
    cover[:, 16:80, 10:70] = 1
    black = paint_key(plate * cover, cover, paintings, FEW, thin_vgg)
    white = paint_key(plate * cover + (1 - cover), cover, paintings, FEW, thin_vgg)
    assert torch.equal(black, white)
    with pytest.raises(InputError, match="void everywhere"):
        paint_key(plate, 0 * cover, paintings, FEW, thin_vgg)


def test_pictures_without_room_for_a_stroke_are_named(paintings: tuple[Painting, ...], thin_vgg: VGGFeatures) -> None:
    assert paint_key(torch.rand(3, 16, 200), None, paintings, FEW, thin_vgg).shape == (3, 16, 200)
    with pytest.raises(InputError, match="15 x 40"):
        paint_key(torch.rand(3, 40, 15), None, paintings, FEW, thin_vgg)


def test_a_large_plate_is_painted_smaller(
    plate: Tensor, paintings: tuple[Painting, ...], thin_vgg: VGGFeatures
) -> None:
    lines = []
    key = paint_key(
        plate, None, paintings, replace(FEW, height=48), thin_vgg, report=lambda event: lines.append(event.lines)
    )
    assert key.shape == plate.shape and max(lines) == 48


def test_of_two_paintings_the_heavier_gives_more(plate: Tensor, stripes: Stripes, thin_vgg: VGGFeatures) -> None:
    files = [str(stripes(name, colour)) for name, colour in (("a.png", (0.9, 0.1, 0.1)), ("b.png", (0.1, 0.1, 0.9)))]

    def red_over_blue(first: float) -> float:
        pictures = read_paintings({files[0]: first, files[1]: 1 - first})
        key = paint_key(plate, None, pictures, FEW, thin_vgg)
        return float(key[0].mean() - key[2].mean())

    assert red_over_blue(0.9) > red_over_blue(0.5) + 0.02 > red_over_blue(0.1) + 0.04


class _Stop(Exception):
    pass


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_goes_on(
    method: str,
    plate: Tensor,
    paintings: tuple[Painting, ...],
    thin_vgg: VGGFeatures,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plate = torch.nn.functional.interpolate(plate[None], size=(244, 32), mode="bilinear")[0]
    settings, file = replace(FEW, method=method, effort=0.01), tmp_path / "key.unfinished.safetensors"
    digest = key_digest("plate", paintings, settings, "net")
    whole: list[Progress] = []
    expected = paint_key(plate, None, paintings, settings, thin_vgg, report=whole.append)
    assert [event.done for event in whole] == sorted(event.done for event in whole) and whole[-1].done == 1

    def stop(event: Progress) -> None:
        if event.picture is not None:
            raise _Stop

    with pytest.raises(_Stop):
        paint_key(plate, None, paintings, settings, thin_vgg, digest=digest, unfinished=file, report=stop)
    assert file.exists()
    rest: list[Progress] = []
    key = paint_key(plate, None, paintings, settings, thin_vgg, digest=digest, unfinished=file, report=rest.append)
    assert torch.equal(key, expected) and len(rest) < len(whole) and not file.exists()

    with pytest.raises(_Stop):
        paint_key(plate, None, paintings, settings, thin_vgg, digest=digest, unfinished=file, report=stop)
    again: list[Progress] = []
    other = key_digest("plate", paintings, settings, "another net")
    paint_key(plate, None, paintings, settings, thin_vgg, digest=other, unfinished=file, report=again.append)
    assert len(again) == len(whole)
    file.write_bytes(b"cut short")
    paint_key(plate, None, paintings, settings, thin_vgg, digest=digest, unfinished=file)


@pytest.mark.parametrize(
    "wrong", [{"method": "gatis"}, {"content": -1.0}, {"stroke_size": 9.0}, {"height": 3}, {"effort": 0.0}]
)
def test_settings_out_of_range_are_named(
    wrong: dict[str, object], plate: Tensor, paintings: tuple[Painting, ...], thin_vgg: VGGFeatures
) -> None:
    with pytest.raises(UsageError, match="expected"):
        paint_key(plate, None, paintings, replace(FEW, **wrong), thin_vgg)  # type: ignore[arg-type]


def test_the_digest_knows_all_that_counts(paintings: tuple[Painting, ...]) -> None:
    digests = {
        key_digest("plate", paintings, FEW, "net"),
        key_digest("another plate", paintings, FEW, "net"),
        key_digest("plate", [replace(paintings[0], sha256="other")], FEW, "net"),
        key_digest("plate", paintings, replace(FEW, content=0.9), "net"),
        key_digest("plate", paintings, FEW, "other"),
    }
    assert len(digests) == 5
