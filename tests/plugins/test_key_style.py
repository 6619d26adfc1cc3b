"""Key frames in the shot files that the plug-ins write, and which are refused."""

from __future__ import annotations

from pathlib import Path

from plain_modules import key_style, shot_yaml

from tsn.shot.load import load as load_shot


def test_the_shot_file_has_the_keys(tmp_path):
    keys = key_style.KeyStyle(files={1040: 'keys/a "b".png', 1001: "/c.exr"}, minutes=30, ids="CryptoObject").keys()
    shot = shot_yaml.ShotSettings(
        plate="plate/a.####.exr", output="styled/a.####.exr", frames="1001-1040", colour="lin_rec709", style="",
        painting=False, window=4, key_frames=keys,
    )  # fmt: skip
    shot_yaml.write(shot, tmp_path / "a.yaml")
    style = load_shot(tmp_path / "a.yaml", environ={}).style
    assert {int(frame): file for frame, file in style.keys.items()} == {
        1001: "/c.exr", 1040: str(tmp_path / 'keys/a "b".png'),
    }  # fmt: skip
    assert (style.learn, style.ids, style.model, style.strength.at(1)) == (1800, "CryptoObject", None, 1)
    assert key_style.KeyStyle(files={1: "a.png"}).keys() == {"keys": {1: "a.png"}}, "what is tsn's own is not written"


def test_what_cannot_be_learnt_is_refused(tmp_path):
    key = tmp_path / "a.PNG"
    key.touch()
    assert key_style.error({1002: str(key)}, range(1001, 1004)) is None
    assert "has no key" in key_style.error({}, range(1001, 1004))
    assert key_style.error({1004: str(key)}, [1001, 1003]) == "The key at 1004 is outside of the frames 1001 to 1003."
    assert "no key at an empty path, for frame 1001" in key_style.error({1001: ""}, [1001])
    (tmp_path / "a.psd").touch()
    assert "is no picture of a key" in key_style.error({1001: str(tmp_path / "a.psd")}, [1001])


def test_files_are_named_as_tsn_names_them():
    assert key_style.key_file(Path("/home"), "sh010", 7) == Path("/home/keys/sh010.0007.png")
