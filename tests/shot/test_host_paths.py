"""What other systems and programs call a path: understood, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tsn.errors import UsageError
from tsn.shot.host_paths import expand_variables, localise_path

ENVIRON = {"ROOT": "/mnt/show", "X_1": "a", "EMPTY": "", "RENDER_ROOT": "/r", "DOLLAR": "$ROOT"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$ROOT/s.####.exr", "/mnt/show/s.####.exr"),
        ("${ROOT}s/${X_1}$X_1/s.%04d.exr", "/mnt/shows/aa/s.%04d.exr"),
        ("$DOLLAR/s.####.exr", "$ROOT/s.####.exr"),  # once
        ("cost$5/a$/s$.####.exr", "cost$5/a$/s$.####.exr"),
        ("$ROOT/s.$F4.exr", "/mnt/show/s.$F4.exr"),
        ("s_$F.exr", "s_$F.exr"),
        ("s.${F4}.exr", "s.$F4.exr"),
        ("s_$F4_v2.exr", "s_$F4_v2.exr"),
        ("{show}/{shot}.####.exr", "{show}/{shot}.####.exr"),
    ],
)
def test_variables_are_filled_in_and_frame_numbers_stay(text: str, filled: str) -> None:
    assert expand_variables(text, ENVIRON, windows=False) == filled


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("$RENDR_ROOT/s.exr", "the variable $RENDR_ROOT is not set, in '$RENDR_ROOT/s.exr'", "'RENDER_ROOT'"),
        ("${ZZZ}/s.exr", "the variable ${ZZZ} is not set", "Set it where tsn runs"),
        ("$EMPTY/s.exr", "the variable $EMPTY is empty", "Set it where tsn runs"),
        ("$F4/s.####.exr", "the variable $F4 is not set", "A frame number stands in the file's name only."),
        ("${shot}/s.####.exr", "the variable ${shot} is not set", "the token {shot}, without $"),
        ("s_$FORMAT.####.exr", "the variable $FORMAT is not set", None),
    ],
)
def test_a_variable_without_a_value_is_named(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        expand_variables(text, ENVIRON, windows=False)
    assert str(caught.value).startswith(message)
    if hint:
        assert caught.value.hint and hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (r"P:\show\s.####.exr", "found the Windows drive P:", "TSN_PATHMAP"),
        ("p:/show/s.####.exr", "found the Windows drive p:", "TSN_PATHMAP"),
        ("P:s.####.exr", "found the Windows drive P:", "TSN_PATHMAP"),
        (r"\\server\share\s.####.exr", "found a Windows share", "TSN_PATHMAP"),
        ("//server9/share/s.####.exr", "found a Windows share", "TSN_PATHMAP"),
        (r"styled\s.####.exr", "expected / between folders, found a backslash", "Write / instead."),
        ("%ROOT%/s.####.exr", "found Windows' %ROOT%", "Write $ROOT"),
        ("%ProgramFiles(x86)%/s.####.exr", "found Windows' %ProgramFiles(x86)%", "Write $"),
        ("file:///mnt/s.####.exr", "found an address (file)", "Write '/mnt/s.####.exr'."),
        ("file:/mnt/s.exr", "found an address (file)", "Write '/mnt/s.exr'."),
        ("FILE://localhost/mnt/s.exr", "found an address (file)", "Write '/mnt/s.exr'."),
        ("s3://bucket/s.####.exr", "found an address (s3)", "mount it"),
        ("https://x.org/s.exr", "found an address (https)", "mount it"),
        ("[getenv SHOW]/s.####.exr", "found an expression of Nuke, '[getenv'", "{show}"),
        ("out/<Scene>/s.####.exr", "found a token of another program, '<Scene>'", "{show}"),
        ("out/s.%V.####.exr", "found Nuke's token of a view, '%V'", "{show}"),
        ("~nobody9/s.####.exr", "nobody on this host is called 'nobody9'", "A folder is ./~nobody9."),
    ],
)
def test_what_is_no_path_of_this_host_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        localise_path(text, {}, windows=False)
    assert message in str(caught.value)
    assert caught.value.hint and hint in caught.value.hint


ORDINARY = ["a/b.####.exr", "/mnt/x", "great-wave", "~/x", "../a", "a b/c", "v2[x]/50%d", "a_%04d%x", "k.onnx:19"]


@pytest.mark.parametrize("text", ORDINARY)
def test_paths_of_this_host_stay(text: str) -> None:
    assert localise_path(text, {}, windows=False) == text


def test_two_slashes_are_one_where_there_is_such_a_folder(tmp_path: Path) -> None:
    assert localise_path(f"/{tmp_path}/s.####.exr", {}, windows=False) == f"{tmp_path}/s.####.exr"


def test_windows_has_its_own() -> None:
    for text in (r"P:\show\s.####.exr", "P:/show", r"\\server\share\s", "//server9/share/s", r"styled\s.####.exr"):
        assert localise_path(text, {}, windows=True) == text
    assert expand_variables(r"%ROOT%\$X_1\s.$F4.exr", ENVIRON, windows=True) == r"/mnt/show\a\s.$F4.exr"
    with pytest.raises(UsageError, match="%NONE% is not set"):
        expand_variables(r"%NONE%\s.%04d.exr", ENVIRON, windows=True)


@pytest.mark.parametrize("text", [r"P:\show\out\s.####.exr", "p:/show/out/s.####.exr", r"\\server\show\out\s.####.exr"])
def test_a_mapped_path_is_one_of_this_host(text: str) -> None:
    environ = {"TSN_PATHMAP": r"P:\show=/mnt/show;\\server\show=/mnt/show"}
    assert localise_path(text, environ, windows=False) == "/mnt/show/out/s.####.exr"
