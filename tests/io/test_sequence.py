import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tsn.errors import InputError, OutputError, UsageError
from tsn.io import FrameSequence, atomic_write, is_complete, read_frame, write_frame
from tsn.io.atomic import write_error
from tsn.io.sequence import describe_ignored


@pytest.mark.parametrize("text", ["sh/a.####.exr", "sh/a.%04d.exr", "sh/a.$F4.exr", "sh/a.@@@@.exr"])
def test_every_notation_means_the_same(text: str) -> None:
    sequence = FrameSequence.parse(text, base=Path("/show"))
    assert sequence.pattern == "/show/sh/a.####.exr"
    assert sequence.path(7) == Path("/show/sh/a.0007.exr") and sequence.path(12345).name == "a.12345.exr"
    assert sequence.path(-7).name == "a.-007.exr"


@pytest.mark.parametrize("text", ["a_%d.exr", "a_$F.exr", "a_#.exr", "a_@.exr"])
def test_numbers_without_padding(text: str) -> None:
    assert FrameSequence.parse(text, base=Path("/show")).path(1001) == Path("/show/a_1001.exr")


def test_paths_are_relative_to_the_base_and_absolute_ones_stay() -> None:
    assert FrameSequence.parse("../p/a.#.exr", base=Path("/show/shots")).pattern == "/show/p/a.#.exr"
    assert FrameSequence.parse("/p/a.#.exr", base=Path("/show")).pattern == "/p/a.#.exr"


@pytest.mark.parametrize("text", ["a.exr", "a.1001.exr", "a.##.##.exr", "####/a.exr", "a.%s.exr"])
def test_no_place_for_the_number_or_too_many(text: str) -> None:
    with pytest.raises(UsageError, match="frame number"):
        FrameSequence.parse(text, base=Path("/show"))


@pytest.mark.parametrize("folder", ["jane@studio.com", "sc#1", "##", "50%d", "cost$F4"])
def test_folders_are_taken_as_they_are_called(tmp_path: Path, folder: str) -> None:
    sequence = FrameSequence.parse(f"{folder}/a.@@.exr", base=tmp_path)
    assert sequence == FrameSequence.parse(sequence.pattern, base=Path())
    assert sequence.path(7) == tmp_path / folder / "a.07.exr"
    with pytest.raises(InputError, match="Can't list") as caught:
        sequence.on_disk()
    assert caught.value.hint == "A frame number stands in the file's name only."
    (tmp_path / folder).mkdir()
    sequence.path(7).touch()
    assert sequence.on_disk() == (7,)


def test_a_single_frame_hints_at_its_sequence() -> None:
    with pytest.raises(UsageError) as caught:
        FrameSequence.parse("v2/sh010.1001.exr", base=Path("/show"))
    assert caught.value.hint == "Perhaps you meant 'v2/sh010.####.exr'?"


def test_on_disk_counts_only_frames(tmp_path: Path) -> None:
    names = "a.1003.exr a.1001.exr a.12345.exr a.-001.exr a.0000.exr"
    noise = "a.11.exr a.01004.exr .a.1005.exr .tsn-h-1-2-a.1006.exr a.1007.exr.bak a.1008.tif b.1009.exr a.exr a.x.exr"
    for name in (names + " " + noise).split():
        (tmp_path / name).touch()
    (tmp_path / "a.1010.exr").mkdir()
    (tmp_path / "a.1011.exr").symlink_to("gone.exr")
    (tmp_path / "a.1012.exr").symlink_to("a.1001.exr")
    assert FrameSequence.parse("a.####.exr", base=tmp_path).on_disk() == (-1, 0, 1001, 1003, 1012, 12345)
    assert FrameSequence.parse(".a.####.exr", base=tmp_path).on_disk() == ()
    with pytest.raises(InputError, match="gone"):
        FrameSequence.parse("gone/a.####.exr", base=tmp_path).on_disk()


@pytest.mark.parametrize("names", ["a.-002.exr a.-001.exr a.0000.exr", "a.-0002.exr a.-0001.exr a.0000.exr"])
def test_a_sign_is_one_of_the_digits_or_stands_before_them(tmp_path: Path, names: str) -> None:
    for name in names.split():
        (tmp_path / name).touch()
    sequence = FrameSequence.parse("a.####.exr", base=tmp_path)
    assert sequence.on_disk() == (-2, -1, 0) and sequence.ignored_files() == () and sequence.duplicate_frames() == {}
    assert [sequence.path(number).name for number in (-2, -1, 0)] == names.split()
    assert sequence.path(-3).name == "a.-003.exr", "of what isn't there, C's way"


def test_a_frame_under_two_numbers_of_digits_is_told(tmp_path: Path) -> None:
    for number in ("1001", "01001", "1002", "01003", "-001", "-0001"):
        (tmp_path / f"a.{number}.exr").touch()
    (tmp_path / "a.1002.EXR").touch()
    twice = FrameSequence.parse("a.####.exr", base=tmp_path).duplicate_frames()
    assert twice == {-1: ("a.-001.exr", "a.-0001.exr"), 1001: ("a.1001.exr", "a.01001.exr")}


def test_what_looks_like_a_frame_and_is_not_taken_is_named(tmp_path: Path) -> None:
    looks = [
        "a.01004.exr",
        "a.11.exr",
        "a.1001.EXR",
        "A.1002.exr",
        "a_1003.exr",
        "a-1004.exr",
        "a.1001 (1).exr",
        "a.1001 copy.exr",
        "a.1001 2.exr",
        "a.1001 - Kopie.exr",
        ".a.1001.exr.swp",
        "a.1001.exr.tmp",
        "a.1001.exr~",
        ".a.1001.exr.Xy12Zq",
        ".a.1005.exr",
        "a.1006.5.exr",
        "a.+1007.exr",
        "a.-0000.exr",
        "a.１.exr",
    ]
    others = [
        "a.1001.exr",
        "a.12345.exr",
        "a.-003.exr",
        "a.exr",
        "a.x.exr",
        "a010.exr",
        "a.depth.1001.exr",
        "a.1001.depth.exr",
        "ab.1001.exr",
        "._a.1001.exr",
        "a.1001.jpg",
        ".tsn-h-1-2-a.1006.exr",
        "a.1001.exr.sha256",
        "b.1001.exr",
    ]
    for name in [*looks, *others]:
        (tmp_path / name).touch()
    (tmp_path / "a.1010.exr").mkdir()
    (tmp_path / "a.1011.exr").symlink_to("gone.exr")
    found = FrameSequence.parse("a.####.exr", base=tmp_path).ignored_files()
    assert found == tuple(sorted([*looks, "a.1010.exr", "a.1011.exr"]))
    assert describe_ignored(found).startswith(
        "21 files look like frames and are not taken: .a.1001.exr.Xy12Zq, .a.1001.exr.swp, "
    )
    assert (
        describe_ignored(("a.01.exr",)) == "1 file looks like a frame and is not taken: a.01.exr."
        and describe_ignored(()) == ""
    )
    assert FrameSequence.parse("gone/a.####.exr", base=tmp_path).ignored_files() == ()


def test_an_accent_stored_as_a_letter_of_its_own_is_a_stray(tmp_path: Path) -> None:
    (tmp_path / "e\u0301.1001.exr").touch()
    sequence = FrameSequence.parse("\u00e9.####.exr", base=tmp_path)
    assert (sequence.on_disk(), sequence.ignored_files()) == ((), ("e\u0301.1001.exr",))


def test_brackets_and_digits_in_names_are_only_letters(tmp_path: Path) -> None:
    (tmp_path / "v2[x]+3.0007.exr").touch()
    assert FrameSequence.parse("v2[x]+3.####.exr", base=tmp_path).on_disk() == (7,)


def test_atomic_hides_what_is_not_finished(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path and temporary.name.startswith(".") and temporary.suffix == ".txt"
        assert target.read_text() == "old"
    assert target.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert os.listdir(tmp_path) == []


def test_a_reader_never_sees_half_a_frame(tmp_path: Path, plate: SimpleNamespace) -> None:
    frame = read_frame(plate.multipart(tmp_path / "a.exr"), 1)
    out, done, seen = tmp_path / "b.exr", threading.Event(), []
    write_frame(frame, frame.rgb, out, attributes={})

    def look() -> None:
        while not done.is_set():
            seen.append(is_complete(out))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(10):
        write_frame(frame, frame.rgb, out, attributes={})
    done.set()
    reader.join()
    assert len(seen) > 10 and all(seen)


def test_why_it_can_not_be_written(tmp_path: Path, plate: SimpleNamespace) -> None:
    frame = read_frame(plate.single(tmp_path / "a.exr"), 1)
    (tmp_path / "file").touch()
    (tmp_path / "folder.exr").mkdir()
    cases = {"gone/b.exr": "does not exist", "file/b.exr": "is a file", "folder.exr": "folder has that name"}
    for name, reason in {**cases, "x" * 300 + ".exr": "too long"}.items():
        with pytest.raises(OutputError, match=reason) as caught:
            write_frame(frame, frame.rgb, tmp_path / name, attributes={})
        assert name in str(caught.value) and caught.value.hint
    assert sorted(os.listdir(tmp_path)) == ["a.exr", "file", "folder.exr"]
    assert "read-only" in str(write_error(Path("a"), OSError(errno.EROFS, "")))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() or not mount or not umount:
        pytest.skip("only root can mount a small file system")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"can't mount a small file system here: {made.stderr.strip()}")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def test_a_full_disk_leaves_the_old_frame_and_nothing_else(
    small_disk: Path, tmp_path: Path, plate: SimpleNamespace
) -> None:
    noise = np.random.default_rng(0).random((37, 45, 4)).astype(np.float32)
    source = plate.single(
        tmp_path / "a.exr", {name: np.ascontiguousarray(noise[..., at]) for at, name in enumerate("RGBA")}
    )
    frame = read_frame(source, 1)
    write_frame(frame, frame.rgb, small_disk / "b.exr", attributes={})
    for _ in range(2):
        with pytest.raises(OutputError, match="disk is full"):
            for number in range(9):
                write_frame(frame, frame.rgb, small_disk / f"c{number}.exr", attributes={})
        assert all(is_complete(path) for path in small_disk.iterdir())
        with pytest.raises(OutputError, match="disk is full"):
            write_frame(frame, frame.rgb, small_disk / "b.exr", attributes={})
        assert is_complete(small_disk / "b.exr") and not [path for path in small_disk.iterdir() if path.name[0] == "."]


def test_a_read_only_disk(small_disk: Path, tmp_path: Path, plate: SimpleNamespace) -> None:
    frame = read_frame(plate.single(tmp_path / "a.exr"), 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OutputError, match="read-only"):
        write_frame(frame, frame.rgb, small_disk / "b.exr", attributes={})
