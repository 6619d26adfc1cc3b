"""One channel, many spellings: which is meant, and where nobody can tell."""

from __future__ import annotations

import pytest

from tsn.io.channel_names import AmbiguousChannel, colour_channels, match_names


@pytest.mark.parametrize(
    ("words", "members"),
    [
        ("R G B A", "R G B A"),
        ("r g b", "r g b"),
        ("red green blue alpha", "red green blue alpha"),
        ("Red Green Blue", "Red Green Blue"),
        ("RED GREEN BLUE ALPHA", "RED GREEN BLUE ALPHA"),
        ("R G b", "R G b"),
        ("A B G R a b g r", "R G B A"),
        ("B G R blue green red", "R G B"),
        ("B G R a", "R G B a"),
        ("A R alpha blue green red", None),
        ("A alpha blue green red", "red green blue alpha"),
        ("a A g r b", "r g b a"),
        ("X Y Z", ""),
        ("Z R", "R"),
        ("r g b red green blue", None),
        ("R G r g b", None),
        ("R G B a alpha", None),
    ],
)
def test_the_colours_of_a_layer(words: str, members: str | None) -> None:
    if members is None:
        with pytest.raises(AmbiguousChannel):
            colour_channels(words.split())
    else:
        assert list(colour_channels(words.split()).values()) == members.split()


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("mask.A", "R mask.A mask.a", "mask.A"),
        ("mask.A", "R mask.alpha", "mask.alpha"),
        ("mask.alpha", "R mask.a", "mask.a"),
        ("mask.A", "L.mask.Alpha", "L.mask.Alpha"),
        ("mask.A", "L.mask.A other.mask.a", "L.mask.A"),
        ("mask.A", "mask.a mask.alpha", "mask.a mask.alpha"),
        ("alpha", "R G B A", "A"),
        ("alpha", "A mask.alpha", "A mask.alpha"),
        ("mask.A", "masks.a unmask.a a", ""),
        ("mask.v", "mask.V mask.Y", "mask.V"),
        ("mask.R", "mask.X", ""),
    ],
)
def test_finding_a_channel_by_another_spelling(name: str, known: str, found: str) -> None:
    assert match_names(name, known.split()) == found.split()
