"""The gallery holds every style that is shipped, and its sheet stays small."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

import gallery
import tsn
from tsn.errors import InputError
from tsn.style.catalogue import bundled_styles, resolve_style
from tsn_training.config import StyleConfig, load_config


def test_every_shipped_style_has_a_training_and_its_place() -> None:
    names = [info.name for info in gallery.ordered_styles()]
    assert sorted(names) == sorted(info.name for info in bundled_styles())
    assert names[-1] == "adain"
    for name in names:
        slim = name.removesuffix("-mobile")
        own, of_slim = (gallery.training_config(each, Path("data")) for each in (name, slim))
        assert own.painting == of_slim.painting
        assert name == slim or names.index(name) == names.index(slim) + 1


@pytest.mark.parametrize("name", ["great-wave", "gong-xian", "adain"])
def test_all_pictures_are_those_of_the_folder_that_is_named(name: str) -> None:
    here, elsewhere = (gallery.training_config(name, folder) for folder in (Path("data"), Path("/mnt/pictures")))
    assert elsewhere.photos == Path("/mnt/pictures/photos")
    assert elsewhere.painting == Path("/mnt/pictures/paintings") / here.painting.name
    if name != "adain":  # whose Gatys is of a painting that no training saw
        assert here == load_config(gallery.CONFIGS / f"{name}.yaml", StyleConfig), "or what was optimised is lost"


def test_the_sheet_is_as_good_as_its_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [torch.rand(3, gallery.PLATE_PX, gallery.PLATE_PX) for _ in range(3)]
    page = gallery.sheet([("one", cells), ("other", cells)])
    assert page.size == (3 * gallery.CELL_PX, 2 * gallery.CELL_PX)
    best = gallery.jpeg(page)
    monkeypatch.setattr(gallery, "MAX_BYTES", len(best) * 2 // 3)
    small = gallery.jpeg(page)
    assert len(small) < gallery.MAX_BYTES < len(best)
    assert Image.open(io.BytesIO(small)).size == page.size


def test_styles_beside_what_they_were(tmp_path: Path) -> None:
    (tmp_path / "tarascon.safetensors").write_bytes(resolve_style("cypresses").path.read_bytes())  # it was another once
    squares = [torch.rand(3, gallery.PLATE_PX, gallery.PLATE_PX) for _ in range(4)]
    rows = list(gallery.compare_with_older(squares, tmp_path))
    assert [len(cells) for _, cells in rows] == [2] * 4
    for (_, before), (_, now), plate in zip(rows[::2], rows[1::2], squares[1:3], strict=True):
        assert torch.equal(before[0], plate)
        assert torch.equal(before[1], tsn.painter(model="cypresses").paint(plate, 1))
        assert torch.equal(now[1], tsn.painter(model="tarascon").paint(plate, 1))
    with pytest.raises(InputError, match=r"no NAME\.safetensors"):
        list(gallery.compare_with_older(squares, tmp_path / "none"))
