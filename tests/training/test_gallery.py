"""The gallery holds every style that is shipped, and its sheet stays small."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

import gallery
from tsn.style.weights import bundled
from tsn_training.config import StyleConfig, load_config


def test_every_shipped_style_has_a_training_and_its_place() -> None:
    names = [info.name for info in gallery.in_order()]
    assert sorted(names) == sorted(info.name for info in bundled())
    assert names[-1] == "adain"
    for name in names:
        slim = name.removesuffix("-mobile")
        assert gallery.training_of(name, Path("data")).painting == gallery.training_of(slim, Path("data")).painting
        assert name == slim or names.index(name) == names.index(slim) + 1


@pytest.mark.parametrize("name", ["great-wave", "gong-xian", "adain"])
def test_all_pictures_are_those_of_the_folder_that_is_named(name: str) -> None:
    here, elsewhere = (gallery.training_of(name, folder) for folder in (Path("data"), Path("/mnt/pictures")))
    assert elsewhere.photos == Path("/mnt/pictures/photos")
    assert elsewhere.painting == Path("/mnt/pictures/paintings") / here.painting.name
    if name != "adain":  # whose Gatys is of a painting that no training saw
        assert here == load_config(gallery.CONFIGS / f"{name}.yaml", StyleConfig), "or what was optimised is lost"


def test_the_sheet_is_as_good_as_its_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [torch.rand(3, gallery.SIZE, gallery.SIZE) for _ in range(3)]
    page = gallery.sheet([("one", cells), ("other", cells)])
    assert page.size == (3 * gallery.SHOWN, 2 * gallery.SHOWN)
    best = gallery.jpeg(page)
    monkeypatch.setattr(gallery, "LIMIT", len(best) * 2 // 3)
    small = gallery.jpeg(page)
    assert len(small) < gallery.LIMIT < len(best)
    assert Image.open(io.BytesIO(small)).size == page.size
