from __future__ import annotations

from itertools import pairwise

import cv2
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.temporal.cuts import cut_score, is_cut

H, W = 144, 256


def scene(seed: int) -> Tensor:
    """A wide picture (3, 2H, 3W): shapes of flat colour over texture, like a plate has."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.zeros(3, 2 * H, 3 * W)
    for cells, weight in ((3, 1.0), (14, 0.5), (60, 0.3)):
        noise = torch.rand(1, 3, cells, cells * 2, generator=generator)
        picture += weight * F.interpolate(noise, size=picture.shape[1:], mode="bicubic", align_corners=False)[0]
    picture /= 1.8
    for _ in range(40):
        y, x, h, w = (torch.rand(4, generator=generator) * torch.tensor([2 * H, 3 * W, 90, 90])).int().tolist()
        picture[:, y : y + h + 8, x : x + w + 8] = 0.3 * picture[:, y : y + h + 8, x : x + w + 8] + 0.7 * torch.rand(
            3, 1, 1, generator=generator
        )
    return picture.clamp(0, 1)


def view(picture: Tensor, x: int, y: int = 40) -> Tensor:
    return picture[:, y : y + H, x : x + W]


def blurred(picture: Tensor, length: int) -> Tensor:
    """Motion blur along x."""
    return F.avg_pool2d(picture[None], (1, 2 * (length // 2) + 1), 1, (0, length // 2))[0]


def exposed(image: Tensor, gain: float) -> Tensor:
    return ((image**2.2 * gain).clamp(0, 1)) ** (1 / 2.2)


@pytest.mark.parametrize("seed", range(4))
class TestNoCut:
    def test_same_frame(self, seed: int) -> None:
        assert cut_score(view(scene(seed), 0), view(scene(seed), 0)) == 0

    @pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
    def test_pan_up_to_a_whip(self, seed: int, share: float) -> None:
        step = int(W * share)
        picture = blurred(scene(seed), step // 2)
        assert not is_cut(view(picture, 100), view(picture, 100 + step))

    @pytest.mark.parametrize("gain", [0.5, 2, 3])
    def test_flash(self, seed: int, gain: float) -> None:
        picture = scene(seed)
        assert not is_cut(view(picture, 100), exposed(view(picture, 104), gain))
        assert not is_cut(exposed(view(picture, 100), gain), view(picture, 104))

    def test_strobe_on_one_side(self, seed: int) -> None:
        picture = scene(seed)
        lit = torch.linspace(4, 1, W)
        assert not is_cut(view(picture, 100), ((view(picture, 104) ** 2.2 * lit).clamp(0, 1)) ** (1 / 2.2))

    @pytest.mark.parametrize("mix", [0.2, 0.5, 0.8])
    def test_step_of_a_dissolve(self, seed: int, mix: float) -> None:
        out, into = scene(seed), scene(seed + 100)
        a = view(out, 100) * (1 - mix) + view(into, 100) * mix
        b = view(out, 103) * (1 - mix - 1 / 8) + view(into, 103) * (mix + 1 / 8)
        assert not is_cut(a, b)

    def test_zoom_and_turn(self, seed: int) -> None:
        image = view(scene(seed), 100).permute(1, 2, 0).numpy()
        matrix = cv2.getRotationMatrix2D((W / 2, H / 2), 4, 1.1)
        turned = cv2.warpAffine(image, matrix, (W, H), borderMode=cv2.BORDER_REFLECT)
        assert not is_cut(view(scene(seed), 100), torch.from_numpy(turned).permute(2, 0, 1))

    def test_grain(self, seed: int) -> None:
        torch.manual_seed(seed)
        image = view(scene(seed), 100)
        assert not is_cut(*((image + 0.05 * torch.randn_like(image)).clamp(0, 1) for _ in "ab"))


@pytest.mark.parametrize("seed", range(4))
class TestCut:
    def test_other_scene(self, seed: int) -> None:
        assert is_cut(view(scene(seed), 100), view(scene(seed + 100), 100))

    def test_other_side_of_the_same_scene(self, seed: int) -> None:
        picture = scene(seed)
        assert is_cut(view(picture, 0), view(picture, 2 * W))

    def test_to_and_from_black(self, seed: int) -> None:
        image = view(scene(seed), 0)
        assert is_cut(image, torch.zeros_like(image)) and is_cut(torch.zeros_like(image), image)


def test_black_frames_with_grain() -> None:
    torch.manual_seed(0)
    assert not is_cut(*((0.02 * torch.randn(3, H, W)).clamp(0, 1) for _ in "ab"))


@pytest.mark.parametrize(("a", "b", "cut"), [(0.0, 0.0, False), (0.4, 0.5, False), (0.0, 0.8, True)])
def test_even_frames_by_their_tone(a: float, b: float, cut: bool) -> None:
    assert is_cut(torch.full((3, H, W), a), torch.full((3, H, W), b)) is cut


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (4, 4)])
def test_tiny_and_narrow_frames(size: tuple[int, int]) -> None:
    assert 0 <= cut_score(torch.rand(3, *size), torch.rand(3, *size)) <= 1


def test_a_new_scene_is_a_cut_wherever_the_frames_begin() -> None:
    one, other = scene(1), scene(2)
    images = [view(one, 8 * i) for i in range(3)] + [view(other, 8 * i) for i in range(2)] + [view(one, 300)]
    assert [is_cut(*pair) for pair in pairwise(images)] == [False, False, True, False, True]


def test_same_score_at_any_number_of_threads() -> None:
    pair = view(scene(1), 100), view(scene(2), 100)
    before, scores = (cv2.getNumThreads(), torch.get_num_threads()), set()
    try:
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            torch.set_num_threads(count)
            scores.add(cut_score(*pair))
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
    assert len(scores) == 1 and 0.5 < scores.pop() < 1


@pytest.mark.parametrize("void", [(0, 0), (128, 72), (512, 288)])
@pytest.mark.parametrize("seed", range(3))
def test_an_element_that_moves_is_no_cut_however_much_void_surrounds_it(seed: int, void: tuple[int, int]) -> None:
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    frames = []
    for moved in (0, 5):
        within = ((x - 128 - moved) / 70) ** 2 + ((y - 72) / 50) ** 2 < 1
        frames.append(F.pad(view(scene(seed), 100 - moved) * within, (void[0], void[0], void[1], void[1])))
    assert not is_cut(*frames)
