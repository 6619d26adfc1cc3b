"""Crops: reproducible, in range, of any size; and what is wrong with a folder is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from tsn_training.photos import Photos, load_image

Picture = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    for seed, name in enumerate(("a.png", "deeper/b.PNG", "c.jpg", "d.webp")):
        picture(tmp_path / "photos" / name, width=64 + 8 * seed, seed=seed)
    (tmp_path / "photos/images.csv").write_text("file,licence\n")
    return tmp_path / "photos"


def test_all_pictures_of_the_folder_are_read_and_nothing_else(folder: Path) -> None:
    assert sorted(image.shape[2] for image in Photos(folder, seed=0).images) == [64, 72, 80, 88]


@pytest.mark.parametrize("size", [16, 48, 100])  # Smaller than the pictures, as large, larger.
def test_a_batch_is_square_and_in_range(folder: Path, size: int) -> None:
    batch = Photos(folder, seed=0).batch(5, size)

    assert batch.shape == (5, 3, size, size) and batch.dtype == torch.float32
    assert batch.min() >= 0 and batch.max() <= 1
    assert batch.std() > 0.05


def test_a_seed_gives_the_same_crops_again(folder: Path) -> None:
    first, again, other = (Photos(folder, seed).batch(4, 24) for seed in (3, 3, 4))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_exposure_varies_from_crop_to_crop_not_within_one(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (100, 100, 100)).save(tmp_path / "grey.png")

    levels = Photos(tmp_path, seed=0).batch(40, 16).amax((1, 2, 3))
    lowest = Photos(tmp_path, seed=0).batch(40, 16).amin((1, 2, 3))

    torch.testing.assert_close(levels, lowest)
    exposure = levels * 255 / 100
    assert 0.6 <= exposure.min() < 0.7 and 1.1 < exposure.max() <= 1.2


def test_load_image_of_any_mode(tmp_path: Path) -> None:
    Image.new("L", (5, 4), 200).save(tmp_path / "grey.png")
    Image.new("RGBA", (5, 4), (10, 20, 30, 40)).save(tmp_path / "alpha.png")

    assert load_image(tmp_path / "grey.png").tolist() == torch.full((3, 4, 5), 200, dtype=torch.uint8).tolist()
    assert load_image(tmp_path / "alpha.png")[:, 0, 0].tolist() == [10, 20, 30]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(ValueError, match=rf"{tmp_path}: no pictures.*\.png"):
        Photos(tmp_path, seed=0)


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_damaged_picture_is_named(tmp_path: Path, picture: Picture, name: str, share: float) -> None:
    bad = picture(tmp_path / name)
    data = bad.read_bytes()
    bad.write_bytes(data[: int(share * len(data))])

    with pytest.raises(ValueError, match=rf"{bad}: not a readable picture"):
        Photos(tmp_path, seed=0)
