from __future__ import annotations

from collections.abc import Callable, Iterator

import numba
import numpy as np
import pytest

from tsn.flow.base import Motion

Views = Callable[[int], list[np.ndarray]]
Painted = Callable[..., dict[int, np.ndarray]]
DX, DY = 2, 1


@pytest.fixture
def kernel_threads() -> Iterator[Callable[[int], None]]:
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


def test_a_chunk_with_handles_has_the_bits_of_the_whole(views: Views, painted: Painted) -> None:
    frames = views(12)
    whole = painted(frames, 3, wanted=(5, 6))
    chunk = painted(frames[:10], 3, first=2, wanted=(5, 6))
    assert whole.keys() == chunk.keys() == {5, 6}
    for place, paint in whole.items():
        np.testing.assert_array_equal(paint, chunk[place])


def test_same_bits_at_any_number_of_threads(
    views: Views, painted: Painted, kernel_threads: Callable[[int], None]
) -> None:
    found = []
    for count in sorted({1, 2, numba.config.NUMBA_NUM_THREADS} & set(range(1, numba.config.NUMBA_NUM_THREADS + 1))):
        kernel_threads(count)
        found.append(painted(views(5), 2)[2])
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_paint_sticks_to_what_moves(views: Views, painted: Painted) -> None:
    frames = views(10)

    def change(paint: dict[int, np.ndarray]) -> float:
        first, second = paint[4], paint[5]
        return float(((second[:, 12:-12, 12:-12] - first[:, 12 - DY : -12 - DY, 12 - DX : -12 - DX]) ** 2).mean())

    still, boiling = change(painted(frames, 4)), change(painted(frames, 0))
    assert still < 0.15 * boiling
    own = float(((frames[5] - painted(frames, 4)[5]) ** 2).mean())
    assert 2e-4 < own < 2e-2  # it is painted, and of this plate


def test_the_whole_picture_is_covered(views: Views, painted: Painted) -> None:
    for paint in painted(views(5), 2).values():
        assert paint.shape == (3, 72, 96) and paint.dtype == np.float32
        assert np.isfinite(paint).all() and paint.min() >= 0 and paint.max() <= 1


def test_strokes_end_where_their_surface_is_hidden(motion: Motion) -> None:
    from tsn.strokes.tracking import track_paths

    paths = np.zeros((2, 7, 2), np.float32)
    paths[:, :, 1] = 30.5
    paths[0, :, 0], paths[1, :, 0] = np.linspace(20, 32, 7), np.linspace(70, 82, 7)
    visible = np.ones((72, 96), np.float32)
    visible[:, 60:] = 0
    moved, alive = track_paths(paths, np.ones(2, np.uint8), motion.forward.numpy(), visible, 0.2)
    assert alive.tolist() == [1, 0]
    np.testing.assert_allclose(moved[0], paths[0] + (DX, DY))
