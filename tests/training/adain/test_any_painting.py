"""Which pictures a training of any painting paints after, and that it paints as a shot does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from thin_training import STYLE_COUNT, thin_features

import train_adain
from tsn.errors import UsageError
from tsn.style.nets.style_prediction import StylePredictionNet
from tsn_training import any_painting, distill, objective, photos
from tsn_training.config import DiscriminatorConfig, Stage, load_config
from tsn_training.config_adain import AdainConfig


def test_unseen_paintings_and_photos_held_back_are_never_trained_on(training: SimpleNamespace) -> None:
    taken, paintings, unseen = train_adain.split_pictures(load_config(training.file, AdainConfig))
    assert [path.name for path in unseen] == ["2.png"]
    assert [path.name for path in paintings] == ["0.png", "1.png", "3.png"]
    assert len(taken) == 3


def test_a_style_is_a_pure_function_of_its_number_and_three_of_four_are_paintings(
    looked_at, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles, again = any_painting.StylePictures(*looked_at), any_painting.StylePictures(*looked_at)
    opened: list[Path] = []
    load = photos.load_image
    monkeypatch.setattr(photos, "load_image", lambda path: opened.append(path) or load(path))
    for number in range(16):
        assert styles.picture(number).shape == (1, 3, styles.SIZE_PX, styles.SIZE_PX)
    assert sum(path.parent.name == "paintings" for path in opened) == 12
    assert torch.equal(styles.picture(7), again.picture(7))
    assert [styles.number_at(step) for step in range(9)] == [again.number_at(step) for step in range(9)]
    assert len({styles.number_at(step) for step in range(40)}) > 12


def test_the_discriminator_gets_crops_of_the_step_s_painting_and_of_no_photo(
    looked_at, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, paintings, config = looked_at
    adversarial = config.model_copy(update={"judge": DiscriminatorConfig(weight=1.0), "batch": 2})
    styles = any_painting.StylePictures(taken, paintings, adversarial)
    kinds = [styles.number_at(step) % 4 for step in range(600)]
    assert kinds.count(0) == 0 and all(160 < kinds.count(kind) < 240 for kind in (1, 2, 3))
    assert len({styles.number_at(step) for step in range(600)}) == STYLE_COUNT * 3 // 4
    assert all(styles._path(styles.mismatched_at(step)) != styles._path(styles.number_at(step)) for step in range(200))
    read: list[int] = []
    picture = styles.picture
    monkeypatch.setattr(styles, "picture", lambda number: read.append(number) or picture(number))
    crops = [styles.crop(number, 40) for number in (6, 7, 6, 300)]
    assert read == [styles.number_at(3), styles.number_at(3), styles.number_at(3), styles.number_at(150)]
    assert torch.equal(crops[0], crops[2]) and not torch.equal(crops[0], crops[1])
    assert all(crop.shape == (3, 40, 40) and crop.min() >= 0 and crop.max() <= 1 for crop in crops)
    with pytest.raises(UsageError, match=r"discriminator \(judge\), crops have at most 244 px, found 248"):
        any_painting.StylePictures(
            taken, paintings, adversarial.model_copy(update={"stages": (Stage(crop=248, steps=1),)})
        )


def test_painted_in_training_is_painted_as_in_a_shot(looked_at) -> None:
    from tsn.style.arbitrary import ArbitraryPainter
    from tsn.style.paintings import Painting

    torch.manual_seed(0)
    net = StylePredictionNet(width=2, blocks=1, encoder_width=3).eval()
    for value in net.mind.parameters():
        value.data.normal_(0, 0.06)
    taken, _, config = looked_at
    net.plates.copy_(objective.plate_colours(taken, config.seed))
    painting = torch.rand(3, 440, 440)
    plates = torch.stack([distill.EncoderCrops(*looked_at)[number] for number in (1, 2)])
    with torch.no_grad():
        target = objective.target_from_painting(painting[None], config, thin_features(8), net.plates)
        statistics = net.encoder.style_statistics(painting[None])
        batch = train_adain.TrainableNet(net)(plates, statistics=statistics, palette=target.colours)
    painter = ArbitraryPainter(net, [Painting(name="p", image=painting, sha256="")], weights="")
    for found, picture in zip(batch, plates, strict=True):
        torch.testing.assert_close(found, painter.paint(picture, 1), rtol=1e-3, atol=1e-3)
