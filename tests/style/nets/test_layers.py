"""What the rest relies on in either net: its radius, and that locking changes only where the statistics come from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.style.nets.families import NETS
from tsn.style.nets.kuwahara import RADIUS
from tsn.style.nets.layers import ConvNorm, NormStats, RecordingNorm, StyleNet, upsample2x, upsample2x_smooth
from tsn.style.nets.texture_guide import RADIUS as GUIDE_RADIUS
from tsn.style.tiles import cut_tiles, paint_tiled

Picture = Callable[[int, int, int], Tensor]
KINDS = ("", ", recolours", ", simplifies", ", recolours, simplifies", ", seeded", ", recolours, simplifies, seeded")
families = pytest.mark.parametrize("family", [name + kind for name in sorted(NETS) for kind in KINDS])


def fresh(family: str, *, width: int, blocks: int) -> StyleNet:
    name, *kind = family.split(", ")
    shown = {key: key in kind for key in ("recolours", "simplifies", "seeded")}
    return NETS[name](width=width, blocks=blocks, **shown)


def small(family: str, *, width: int = 4, blocks: int = 1) -> StyleNet:
    """Random weights, and norms away from those of a fresh net, so that a wrong fold would show."""
    torch.manual_seed(0)
    net = fresh(family, width=width, blocks=blocks)
    for layer in net.norm_layers():
        assert layer.scale is not None and layer.shift is not None
        layer.scale.data.uniform_(0.5, 1.5)
        layer.shift.data.uniform_(-0.5, 0.5)
    return net.eval()


def stats_of(net: StyleNet, *frames: Tensor) -> NormStats:
    """Copies outside inference mode: a tensor made inside it may not meet a parameter later."""
    return [(mean.clone(), variance.clone()) for mean, variance in net.calibrate([frame[None] for frame in frames])]


def locked_to(net: StyleNet, *frames: Tensor) -> StyleNet:
    with torch.no_grad():
        return net.freeze(stats_of(net, *frames))


@families
@pytest.mark.parametrize("blocks", [1, 5])
def test_radius_covers_what_a_pixel_reaches_and_hardly_more(family: str, blocks: int) -> None:
    net = fresh(family, width=2, blocks=blocks).double()
    for value in net.parameters():
        value.data.abs_()  # positive weights and inputs: nothing cancels, no ReLU is dead
    norms = [layer.conv.out_channels for layer in net.norm_layers()]
    with torch.no_grad():
        frozen = net.freeze([(torch.zeros(n).double(), torch.full((n,), 10.0).double()) for n in norms])
    reached = 0
    size = 8 * (net.radius // 4 + 4)
    for phase in range(4):
        at = size // 2 + phase
        logits: list[Tensor] = []
        hook = frozen.leave.register_forward_hook(lambda _m, _i, out, logits=logits: logits.append(out))
        image = torch.full((1, 3, size, size), 0.9, dtype=torch.float64)
        with torch.no_grad():
            frozen(image)
            image[..., at, at] += 0.05
            frozen(image)
        hook.remove()
        rows, columns = torch.nonzero((logits[1] != logits[0]).any(1)[0], as_tuple=True)
        reached = max([reached, *((index - at).abs().max().item() for index in (rows, columns))])
    assert reached <= net.radius
    if net.simplifies or net.seeded:  # their farthest pixels add less than float64 can tell
        plain = fresh(family.replace(", simplifies", "").replace(", seeded", ""), width=2, blocks=blocks)
        assert net.radius == plain.radius + (GUIDE_RADIUS if net.seeded else RADIUS)
    else:
        assert net.radius <= reached + net.stride + 1


@families
def test_frozen_at_a_frame_it_paints_that_frame_as_uncalibrated(family: str, picture: Picture) -> None:
    net, image = small(family), picture(48, 64, 0)
    frozen = locked_to(net, image)
    with torch.no_grad():
        by_itself, given = net(image[None]), frozen(image[None])

    assert by_itself.std() > 0.01
    assert (given - by_itself).abs().max() < 1e-5
    assert not frozen.norm_layers() and net.norm_layers()  # convolutions only; the net itself is as it was


@families
def test_frozen_at_another_frame_it_paints_otherwise(family: str, picture: Picture) -> None:
    net, image = small(family), picture(48, 64, 0)
    with torch.no_grad():
        assert (locked_to(net, 0.3 * picture(48, 64, 1))(image[None]) - net(image[None])).abs().max() > 1e-3


@families
def test_a_calibration_is_the_mean_of_its_frames_in_the_order_of_the_norms(family: str, picture: Picture) -> None:
    net, a, b = small(family), picture(32, 48, 1), picture(32, 48, 2)
    both, first, second = stats_of(net, a, b), stats_of(net, a), stats_of(net, b)

    assert [len(mean) for mean, _ in both] == [layer.conv.out_channels for layer in net.norm_layers()]
    for found, one, other in zip(both, first, second, strict=True):
        for value, x, y in zip(found, one, other, strict=True):
            torch.testing.assert_close(value, (x + y) / 2)
    seen: list[Tensor] = []
    for layer in net.norm_layers():
        layer.conv.register_forward_hook(lambda _m, _i, out: seen.append(out.mean((0, 2, 3))))
    with torch.no_grad():
        net(a[None])
    for (mean, _), found_mean in zip(first, seen, strict=True):
        torch.testing.assert_close(mean, found_mean)


@families
def test_statistics_that_lost_a_layer_are_refused(family: str, picture: Picture) -> None:
    net = small(family)
    with pytest.raises(ValueError, match="shorter"):
        net.freeze(stats_of(net, picture(32, 32, 0))[:-1])


@families
@pytest.mark.parametrize("tile", [32, 72])
def test_tiles_equal_the_whole(family: str, tile: int, picture: Picture) -> None:
    image = picture(148, 172, 3)
    net = locked_to(small(family), image)
    with torch.no_grad():
        whole = net(image[None])[0]
    found = paint_tiled(net, image, cut_tiles(148, 172, tile=tile, overlap=net.radius, stride=net.stride))

    assert (found - whole).abs().max() < 2e-6
    short = paint_tiled(net, image, cut_tiles(148, 172, tile=tile, overlap=4, stride=net.stride))
    assert (short - whole).abs().max() > 1e-5  # a margin below the radius shows


@families
@pytest.mark.parametrize("width", [4, 8])
def test_one_thread_and_two_paint_the_same_bits(
    family: str, width: int, picture: Picture, threads: Callable[[int], None]
) -> None:
    image = picture(180, 240, 0)
    net = locked_to(small(family, width=width, blocks=2), image)
    x = image[None].contiguous(memory_format=torch.channels_last)
    painted = []
    for count in (1, 2, 1):
        threads(count)
        with torch.inference_mode():
            painted.append(net(x))

    assert torch.equal(painted[0], painted[1]) and torch.equal(painted[0], painted[2])


@families
def test_a_size_that_does_not_divide_is_refused(family: str) -> None:
    with pytest.raises(ValueError, match=r"multiples of 4, got \(1, 3, 30, 32\)"):
        small(family)(torch.zeros(1, 3, 30, 32))


@families
def test_a_batch_is_painted_sample_by_sample(family: str, picture: Picture) -> None:
    net, images = small(family), torch.stack([picture(32, 40, seed) for seed in range(3)])
    with torch.no_grad():
        assert (net(images)[1:2] - net(images[1:2])).abs().max() < 1e-6


@families
def test_every_weight_learns(family: str, picture: Picture) -> None:
    net = small(family)
    net(picture(32, 40, 0)[None]).square().mean().backward()

    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in net.parameters())


@pytest.mark.parametrize("family", sorted(NETS))
def test_a_net_that_recolours_sees_the_palettes_colours_and_paints_on_them(family: str, picture: Picture) -> None:
    net, plate = small(f"{family}, recolours"), picture(32, 40, 0)[None]
    assert net.palette is not None and "palette" in net.state_dict()

    def paint(by: Tensor) -> tuple[Tensor, Tensor]:
        net.palette.copy_(by)
        seen: list[Tensor] = []
        hook = net.leave.register_forward_hook(lambda _m, _i, out: seen.append(out))
        painted = net(plate)
        hook.remove()
        return painted, seen[0]

    same = net.palette.clone()
    with torch.no_grad():
        (plain, drawn), (_, drawn_otherwise) = paint(same), paint(1 - same)
        assert (drawn - drawn_otherwise).abs().max() > 1e-3
        net.leave.conv.weight.zero_()
        net.leave.conv.bias.zero_()
        bare, _ = paint(same)
        torch.testing.assert_close(bare, upsample2x_smooth(F.avg_pool2d(plate, 2)))
        torch.testing.assert_close(plain.logit(), drawn + bare.logit(), rtol=1e-3, atol=1e-3)


def test_out_of_focus_keeps_flats_and_is_smooth() -> None:
    step = torch.zeros(1, 1, 8, 16)
    step[..., 8:] = 1
    found = upsample2x_smooth(step)[0, 0]
    assert found.shape == (16, 32) and (found[:, :9] == 0).all() and (found[:, -9:] == 1).all()
    torch.testing.assert_close(found, 1 - found.flip(1))
    slopes = found[0].diff()
    assert (slopes >= 0).all() and slopes.max() <= 0.25 + 1e-6


@pytest.mark.parametrize(("kernel", "depthwise"), [(1, False), (3, False), (3, True), (5, False)])
def test_a_folded_norm_is_the_norm(kernel: int, depthwise: bool) -> None:
    torch.manual_seed(0)
    layer = ConvNorm(6, 6, kernel=kernel, depthwise=depthwise, relu=False)
    assert layer.scale is not None and layer.shift is not None
    layer.scale.data.uniform_(0.5, 1.5)
    layer.shift.data.uniform_(-0.5, 0.5)
    x, norm = torch.rand(1, 6, 12, 14), RecordingNorm()
    with torch.no_grad():
        expected = layer(x, norm)
        by_hand = nn.functional.instance_norm(layer.conv(x), weight=layer.scale, bias=layer.shift)
        layer.fold(*norm.stats[0])
        found = layer(x)

    torch.testing.assert_close(expected, by_hand)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert layer.scale is None and layer.shift is None


def test_a_kernel_of_one_is_what_it_says() -> None:
    """Its dilation means nothing, and no border is made up."""
    layer = ConvNorm(5, 7, kernel=1, norm=False, relu=False)
    x = torch.rand(2, 5, 6, 8)
    assert layer.conv.bias is not None
    by_hand = torch.einsum("oi,nihw->nohw", layer.conv.weight[:, :, 0, 0], x) + layer.conv.bias.view(1, -1, 1, 1)

    torch.testing.assert_close(layer(x), by_hand)


def test_enlarging_keeps_ramps_and_kills_the_lattice() -> None:
    ramp = torch.linspace(0, 1, 16).expand(1, 1, 16, 16)
    expected = F.interpolate(ramp, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(upsample2x(ramp)[..., 4:-4], expected[..., 4:-4])

    lattice = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 1, 16, 16)
    torch.testing.assert_close(upsample2x(lattice)[..., 4:-4], torch.full((1, 1, 32, 24), 0.5))
