from __future__ import annotations

import numpy as np
import OpenEXR
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn import io
from tsn.errors import InputError
from tsn.qc.contact_sheet import CELL_WIDTH_PX, GAP_PX, compose, contact_sheet, evenly_spaced, sheet_path
from tsn.shot.model import Colour, Shot, Style


@given(frames=st.lists(st.integers(), unique=True, max_size=60).map(sorted), count=st.integers(2, 8))
def test_evenly_spaced_has_both_ends_and_no_frame_twice(frames, count):
    chosen = evenly_spaced(frames, count)
    assert len(chosen) == min(count, len(frames))
    assert list(chosen) == sorted(set(chosen) & set(frames))
    assert chosen[:1] + chosen[-1:] == tuple(frames[:1] + frames[-1:])


def test_evenly_spaced_is_even():
    assert evenly_spaced(range(1001, 1052), 6) == (1001, 1011, 1021, 1031, 1041, 1051)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("/show/styled/sh010_styled.####.exr", "/show/sh010_styled_contact.png"),
        ("/show/styled/sh010_%04d.exr", "/show/styled_sh010_contact.png"),
        ("/show/styled/sh010/beauty.####.exr", "/show/styled/sh010_beauty_contact.png"),
        ("/show/styled/sh020/beauty.####.exr", "/show/styled/sh020_beauty_contact.png"),
        ("/show/v003/sh010-v003.####.exr", "/show/sh010-v003_contact.png"),
        ("/show/v03/sh010_v030.####.exr", "/show/v03_sh010_v030_contact.png"),
        ("/sh010.####.exr", "/sh010_contact.png"),
        ("/show/sh010_v003/####.exr", "/show/sh010_v003_contact.png"),
    ],
)
def test_the_sheet_lies_beside_the_folder(output, expected):
    assert str(sheet_path(output)) == expected


def inner(sheet, line, column, height):
    """A cell's upper half, which holds no label."""
    y, x = GAP_PX + line * (height + GAP_PX), GAP_PX + column * (CELL_WIDTH_PX + GAP_PX)
    return sheet[y : y + height // 2, x : x + CELL_WIDTH_PX]


def test_compose_lays_rows_out_and_burns_labels_in():
    red, green = np.zeros((54, 96, 3)), np.zeros((54, 96, 3))
    red[..., 0], green[..., 1] = 0.6, 2.0
    sheet = compose([[red, None], [green, red]], ["1001", "1002"])
    height = CELL_WIDTH_PX * 54 // 96
    assert sheet.shape == (2 * height + 3 * GAP_PX, 2 * CELL_WIDTH_PX + 3 * GAP_PX, 3)
    assert np.allclose(inner(sheet, 0, 0, height), (0.6, 0, 0), atol=1 / 255)
    assert np.allclose(inner(sheet, 0, 1, height), 0)
    assert np.allclose(inner(sheet, 1, 0, height), (0, 1, 0))
    assert np.allclose(inner(sheet, 1, 1, height), (0.6, 0, 0), atol=1 / 255)
    for y in (height, 2 * height + GAP_PX):  # white letters in both rows
        for x in (GAP_PX, CELL_WIDTH_PX + 2 * GAP_PX):
            assert sheet[y - 40 : y, x : x + 100].min(axis=-1).max() > 0.9
    assert sheet[0, 0, 0] == sheet[-1, -1, 2] < 0.2


def write(path, value, size=(18, 32), **header):
    pixels = {name: np.full(size, v, np.float16) for name, v in zip("RGB", value, strict=True)}
    OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, pixels).write(str(path))


@pytest.fixture
def shot(tmp_path):
    for name in ("plate", "styled"):
        (tmp_path / name).mkdir()
    return Shot(
        file=tmp_path / "sh.yaml",
        plate=str(tmp_path / "plate/sh.####.exr"),
        output=str(tmp_path / "styled/sh.####.exr"),
        style=Style(model="none"),
        colour=Colour(input="lin_rec709"),
    )


def test_plate_over_result(shot, tmp_path):
    for number in range(1001, 1009):
        write(tmp_path / f"plate/sh.{number}.exr", (0.18, 0.18, 0.18))
    for number in range(1001, 1004):
        write(tmp_path / f"styled/sh.{number}.exr", (0.0, 8.0, 0.0))
    path = contact_sheet(shot)
    sheet, height = io.read_image(path), CELL_WIDTH_PX * 18 // 32
    assert path == tmp_path / "styled_sh_contact.png"
    assert sheet.shape == (2 * height + 3 * GAP_PX, 3 * CELL_WIDTH_PX + 4 * GAP_PX, 3)  # only what is rendered
    assert np.allclose(inner(sheet, 0, 2, height), 0.461, atol=0.01)  # middle grey as sRGB shows it
    assert inner(sheet, 1, 2, height)[..., 1].min() > 0.9 and inner(sheet, 1, 2, height)[..., 0].max() < 0.1


def test_frames_are_chosen_from_those_asked_for(shot, tmp_path):
    for number in range(1001, 1009):
        write(tmp_path / f"plate/sh.{number}.exr", (0.1, 0.1, 0.1))
        write(tmp_path / f"styled/sh.{number}.exr", (0.5, 0.1, 0.1))
    assert io.read_image(contact_sheet(shot, frames=(1003, 1004))).shape[1] == 2 * CELL_WIDTH_PX + 3 * GAP_PX
    with pytest.raises(InputError, match=r"no frame of 1009-1010 \(there: 1001-1008\)"):
        contact_sheet(shot, frames=(1009, 1010))


def test_a_gap_in_the_plate_is_an_empty_cell(shot, tmp_path):
    write(tmp_path / "plate/sh.1001.exr", (1, 1, 1))
    for number in (1001, 1002):
        write(tmp_path / f"styled/sh.{number}.exr", (1, 1, 1))
    sheet, height = io.read_image(contact_sheet(shot)), CELL_WIDTH_PX * 18 // 32
    assert inner(sheet, 0, 1, height).max() == 0
    assert inner(sheet, 1, 1, height).min() > 0.5


def test_a_data_window_lies_in_its_display_window(shot, tmp_path):
    windows = {"dataWindow": ((16, 0), (31, 17)), "displayWindow": ((0, 0), (31, 17))}
    for name in ("plate", "styled"):
        write(tmp_path / name / "sh.1001.exr", (1, 1, 1), size=(18, 16), **windows)
    sheet, height = io.read_image(contact_sheet(shot)), CELL_WIDTH_PX * 18 // 32
    cell = inner(sheet, 0, 0, height)
    assert cell[:, : CELL_WIDTH_PX // 2 - 30].max() == 0
    assert cell[:, CELL_WIDTH_PX // 2 + 30 :].min() > 0.5


def test_nothing_rendered_says_what_to_do(shot):
    with pytest.raises(InputError) as caught:
        contact_sheet(shot)
    assert f"tsn render {shot.file}" in caught.value.hint
