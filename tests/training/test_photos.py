"""Samples: each a function of its number; shared out without gap or overlap; bad folders and files are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tsn.errors import InputError
from tsn_training.config import StyleConfig
from tsn_training.photos import Samples, ShardSampler, find_pictures, load_image, random_crop, seeded_generator

Picture = Callable[..., Path]
SettingsOf = Callable[..., StyleConfig]


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    for seed, name in enumerate(("a.png", "deeper/b.PNG", "c.jpg", "d.webp", "e.jpeg")):
        picture(tmp_path / "photos" / name, width=64 + 8 * seed, seed=seed)
    (tmp_path / "photos/images.csv").write_text("file,licence\n")
    return tmp_path / "photos"


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


# --- finding -------------------------------------------------------------------------------------------------------


def test_pictures_are_found_at_any_depth_and_some_held_back(folder: Path) -> None:
    assert sorted(names(find_pictures(folder, 0)[0])) == ["a.png", "b.PNG", "c.jpg", "d.webp", "e.jpeg"]
    training, held_back = find_pictures(folder, 2)
    assert (names(training), names(held_back)) == (["c.jpg", "d.webp", "b.PNG"], ["a.png", "e.jpeg"])


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 200), data=st.data())
def test_as_many_as_asked_are_held_back_and_none_is_lost(count: int, data: st.DataObject) -> None:
    held_back = data.draw(st.integers(0, count - 1))
    everything = [Path(f"{i:03}.png") for i in range(count)]

    class Folder:
        def rglob(self, pattern: str) -> list[Path]:
            return everything[::-1]

    training, held = find_pictures(Folder(), held_back)  # type: ignore[arg-type]

    assert len(held) == held_back
    assert sorted(training + held) == everything


@pytest.mark.parametrize("held_back", [0, 3])
def test_an_empty_folder_is_named(tmp_path: Path, held_back: int) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(InputError, match=rf"{tmp_path}: 0 pictures in it \(looked for .*\.png") as caught:
        find_pictures(tmp_path, held_back)
    assert "gather_images.py" in str(caught.value.hint)


def test_too_few_pictures_are_counted(folder: Path) -> None:
    with pytest.raises(InputError, match=r"5 pictures in it .* and 5 of them are to be held back"):
        find_pictures(folder, 5)


def test_load_image_of_any_mode(tmp_path: Path) -> None:
    Image.new("L", (5, 4), 200).save(tmp_path / "grey.png")
    Image.new("RGBA", (5, 4), (10, 20, 30, 40)).save(tmp_path / "alpha.png")

    assert load_image(tmp_path / "grey.png").tolist() == torch.full((3, 4, 5), 200, dtype=torch.uint8).tolist()
    assert load_image(tmp_path / "alpha.png")[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_damaged_picture_is_named(
    tmp_path: Path, picture: Picture, settings_of: SettingsOf, name: str, share: float
) -> None:
    good, bad = picture(tmp_path / "good.png"), picture(tmp_path / name)
    data = bad.read_bytes()
    bad.write_bytes(data[: int(share * len(data))])

    with pytest.raises(InputError, match=rf"{bad}: not a readable picture"):
        Samples([good, bad], settings_of())


# --- crops ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 48, 100])  # Smaller than the picture, as large, larger.
def test_a_crop_is_square_and_in_range(tmp_path: Path, picture: Picture, size: int) -> None:
    image = load_image(picture(tmp_path / "x.png"))
    for seed in range(10):
        x = random_crop(image, size, seeded_generator(seed))
        assert x.shape == (3, size, size) and x.dtype == torch.float32
        assert x.min() >= 0 and x.max() <= 1 and x.std() > 0.05


def test_exposure_varies_from_crop_to_crop_not_within_one() -> None:
    image = torch.full((3, 64, 64), 100, dtype=torch.uint8)
    crops = torch.stack([random_crop(image, 16, seeded_generator(seed)) for seed in range(40)])

    torch.testing.assert_close(crops.amax((1, 2, 3)), crops.amin((1, 2, 3)))
    exposure = crops[:, 0, 0, 0] * 255 / 100
    assert 0.6 <= exposure.min() < 0.7 and 1.1 < exposure.max() <= 1.2


def test_crops_are_mirrored_half_of_the_time() -> None:
    ramp = torch.arange(0, 256, 4, dtype=torch.uint8).expand(3, 64, 64)
    crops = [random_crop(ramp, 32, seeded_generator(seed)) for seed in range(60)]
    rising = [bool(x[0, 0, -1] > x[0, 0, 0]) for x in crops]

    assert 15 < sum(rising) < 45


def test_generators_differ_in_every_number() -> None:
    keys = [(1, 2), (2, 1), (1, 2, 0), (1, 2, 1), (0, 0), (0,), (-1, 2)]

    assert len({torch.rand((), generator=seeded_generator(*key)).item() for key in keys}) == len(keys)
    assert torch.equal(torch.rand(3, generator=seeded_generator(1, 2)), torch.rand(3, generator=seeded_generator(1, 2)))


# --- samples -------------------------------------------------------------------------------------------------------


def test_a_sample_is_the_same_whoever_draws_it_and_whenever(folder: Path, settings_of: SettingsOf) -> None:
    paths, _ = find_pictures(folder, 0)
    one, other = Samples(paths, settings_of()), Samples(paths, settings_of())
    for number in (0, 3):
        _ = other[number]  # what was drawn before does not matter

    for mine, theirs in zip(one[7], other[7], strict=True):
        assert torch.equal(mine, theirs)
    assert not torch.equal(one[7].now, one[8].now)
    assert not torch.equal(one[7].now, Samples(paths, settings_of(seed=6))[7].now)


def test_each_epoch_shows_every_photo_once_in_another_order(
    folder: Path, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, held_back = find_pictures(folder, 1)
    samples = Samples(paths, settings_of())
    shown: list[Path] = []
    load = samples._image
    monkeypatch.setattr(samples, "_image", lambda path: (shown.append(path), load(path))[1])
    for number in range(8 * len(paths)):
        _ = samples[number]

    epochs = [shown[i : i + len(paths)] for i in range(0, len(shown), len(paths))]
    assert all(sorted(epoch) == sorted(paths) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert not set(held_back) & set(shown)


def test_the_size_of_crops_follows_the_stages(folder: Path, settings_of: SettingsOf) -> None:
    config = settings_of(batch=2, stages=[{"crop": 32, "steps": 2}, {"crop": 44, "steps": 3}])
    samples = Samples(find_pictures(folder, 0)[0], config)

    assert [samples[number].now.shape[-1] for number in range(10)] == [32] * 4 + [44] * 6
    assert all(x.shape[-2:] == (44, 44) for x in samples[9])


# --- shares --------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    world_size=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    part=st.integers(1, 3),
    steps=st.integers(1, 5),
    data=st.data(),
)
def test_shares_partition_every_batch_in_order(
    world_size: int, accumulate: int, part: int, steps: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, steps))
    batch = world_size * accumulate * part
    config = StyleConfig.model_construct(
        batch=batch, accumulate=accumulate, stages=(type("Stage", (), {"steps": steps})(),)
    )
    shares = [ShardSampler(config, first=first, rank=rank, world_size=world_size) for rank in range(world_size)]

    drawn = [list(share) for share in shares]

    assert all(len(parts) == len(share) for parts, share in zip(drawn, shares, strict=True))
    for index in range(steps - first):
        parts = [part for mine in drawn for part in mine[index * accumulate : (index + 1) * accumulate]]
        assert [number for part in parts for number in part] == list(
            range((first + index) * batch, (first + index + 1) * batch)
        )
    sizes = Counter(len(part) for mine in drawn for part in mine)
    assert set(sizes) <= {part}
