"""Which space a name or a header means."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest
import torch

from tsn.colour import CINEON, codec, resolve_space, space_names, srgb_encode
from tsn.errors import InputError, UsageError


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, "Linear Rec.709 (sRGB)"),
        ({"chromaticities": (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)}, "Linear Rec.709 (sRGB)"),
        ({"chromaticities": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)}, "ACEScg"),
        (
            {"chromaticities": np.array([0.7347, 0.2653, 0, 1, 0.0001, -0.077, 0.32168, 0.33767], np.float32)},
            "ACES2065-1",
        ),
        ({"colorInteropID": "lin_ap1_scene", "oiio:ColorSpace": "lin_rec709_scene"}, "ACEScg"),
        ({"colorInteropID": "unknown", "oiio:ColorSpace": "sRGB"}, "sRGB Encoded Rec.709 (sRGB)"),
        ({"oiio:ColorSpace": "KodakLog", "dpx:Transfer": "Logarithmic"}, CINEON),
        ({"dpx:Transfer": "Printing density"}, CINEON),
        ({"dpx:Transfer": "Linear"}, "Linear Rec.709 (sRGB)"),
        ({"dpx:Transfer": "ITU-R 709-4", "oiio:ColorSpace": "srgb_rec709_scene"}, "Camera Rec.709"),
        ({"dpx:Transfer": "Undefined"}, "Camera Rec.709"),
        ({"oiio:Endian": "big"}, "Camera Rec.709"),
    ],
)
def test_auto_reads_the_header(header: dict[str, object], expected: str) -> None:
    assert resolve_space("auto", header) == expected
    assert codec("auto", header=header).space == expected


@pytest.mark.parametrize(
    "header", [{"chromaticities": (0.7, 0.3, 0.2, 0.7, 0.1, 0.1, 0.3, 0.3)}, {"colorInteropID": "lin_rec708_scene"}]
)
def test_auto_refuses_a_header_it_does_not_understand(header: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(header))) as caught:
        resolve_space("auto", header)
    assert "colour.input" in (caught.value.hint or "")


def test_names() -> None:
    assert resolve_space("lin_rec709") == resolve_space("LIN_REC709_sRGB") == "Linear Rec.709 (sRGB)"
    assert {"ACEScg", "ACEScct", "srgb_tx", "lin_rec709", CINEON} <= set(space_names())
    assert "Raw" not in space_names()
    with pytest.raises(UsageError, match=r"'ACESgc'.*studio-config") as caught:
        codec("ACESgc")
    assert caught.value.hint == "Perhaps you meant 'ACEScg'?"
    with pytest.raises(UsageError) as caught:
        codec("acesgc")
    assert caught.value.hint == "Perhaps you meant 'acescg'?"
    for data in ("Raw", "data"):
        with pytest.raises(UsageError, match="for data"):
            codec(data)
    with pytest.raises(UsageError, match="paint, keep, soft"):
        codec("ACEScg", highlights="hard")


def test_the_shows_own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = deepcopy(ocio.Config.CreateFromBuiltinConfig("cg-config-v1.0.0_aces-v1.3_ocio-v2.1"))
    config.addColorSpace(
        ocio.ColorSpace(
            name="show_log",
            toReference=ocio.LogTransform(base=2, direction=ocio.TRANSFORM_DIR_INVERSE),
        )
    )
    path = tmp_path / "show.ocio"
    path.write_text(config.serialize())
    with pytest.raises(UsageError):
        codec("show_log")
    monkeypatch.setenv("OCIO", str(path))
    way = codec("show_log")
    plate = torch.tensor([-2.0, 0.5, 5.0]).expand(3, 1, 3).contiguous()
    style, reference = way.to_style(plate)
    assert torch.allclose(style[..., 0], srgb_encode(torch.full((3, 1), 0.25)), atol=1e-4)
    assert torch.equal(way.from_style(style, reference), plate)
    assert resolve_space("arri_logc4") == "ARRI LogC4", "names of the built-in config go on working"
    assert codec("arri_logc4").fingerprint.startswith("ARRI LogC4, OpenColorIO ")


def test_another_config_is_another_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name, base in (("a", 2), ("b", 10), ("a_again", 2)):
        config = deepcopy(ocio.Config.CreateFromBuiltinConfig("cg-config-v1.0.0_aces-v1.3_ocio-v2.1"))
        transform = ocio.LogTransform(base=base, direction=ocio.TRANSFORM_DIR_INVERSE)
        config.addColorSpace(ocio.ColorSpace(name="show_log", toReference=transform))
        (tmp_path / f"{name}.ocio").write_text(config.serialize())
        monkeypatch.setenv("OCIO", str(tmp_path / f"{name}.ocio"))
        found.append(codec("show_log").fingerprint)
    assert found[0] != found[1]
    assert found[0] == found[2], "where it lies is no matter"

    monkeypatch.setenv("OCIO", str(tmp_path / "missing.ocio"))
    with pytest.raises(InputError, match=r"missing\.ocio.*OCIO"):
        codec("lin_rec709")
