from __future__ import annotations

import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision.models.optical_flow import raft_large, raft_small

from tsn.errors import InputError
from tsn.flow.raft import RaftSource, load_network, pad_for_raft

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """raft-small as it is initialised: what it says is nonsense, but it says it in the right shape."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(raft_small(weights=None).state_dict(), path)
    return path


def test_both_directions_at_the_image_size_as_the_network_gives_them(weights: Path, moving) -> None:
    a, b = moving()
    source = RaftSource(weights, device=CPU)
    forward, backward = source.pair(a, b)
    assert forward.shape == backward.shape == (2, *a.image.shape[1:])
    assert not forward.requires_grad and forward.is_contiguous()
    network = raft_small(weights=None).eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    # 96x160 is padded below to 128x160, by repeating its last row.
    first, second = (F.pad(v.image[None], (0, 0, 0, 32), mode="replicate") * 2 - 1 for v in (a, b))
    with torch.no_grad():
        expected = network(first, second, num_flow_updates=12)[-1][0, :, :96]
        reverse = network(second, first, num_flow_updates=12)[-1][0, :, :96]
    torch.testing.assert_close(forward, expected, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(backward, reverse, atol=1e-3, rtol=1e-4)
    assert not torch.equal(forward, backward)
    assert torch.equal(source.pair(a, b)[0], forward)


@pytest.mark.parametrize(
    ("size", "expected"), [((96, 150), (128, 152)), ((360, 640), (360, 640)), ((1, 1), (128, 128))]
)
def test_padding(size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    result = pad_for_raft(image)
    assert result.shape == (3, *expected)
    assert torch.equal(result[:, : size[0], : size[1]], image)
    assert torch.equal(result[:, -1, -1], image[:, -1, -1])


def test_estimates_at_another_size(weights: Path, moving) -> None:
    a, b = moving()
    half = RaftSource(weights, device=CPU, scale=0.5)
    forward, _ = half.pair(a, b)
    assert forward.shape == (2, *a.image.shape[1:])
    assert half.fingerprint != RaftSource(weights, device=CPU).fingerprint


def test_safetensors_and_pth_are_the_same_network(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")  # no UTF-8
    folder.mkdir()
    other = folder / "small.safetensors"
    save_file(torch.load(weights, weights_only=True), other)
    (name, network), (same_name, same) = load_network(weights), load_network(other)
    assert name == same_name == "raft-small"
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), same.parameters(), strict=True))
    assert not network.training


def test_safetensors_of_another_net_are_refused_by_their_header(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    state = raft_small(weights=None).state_dict()
    name = next(iter(state))
    for tensor, why in ((torch.zeros(1, 2), "found .1, 2."), (state[name] * float("nan"), "no numbers")):
        save_file({**state, name: tensor}, path)
        with pytest.raises(InputError, match=rf"weights\.safetensors.*{why}") as caught:
            load_network(path)
        assert "tsn fetch raft-large" in (caught.value.hint or "")


def test_large_is_told_by_its_names(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    torch.save(raft_large(weights=None).state_dict(), path)
    assert load_network(path)[0] == "raft-large"


def test_fingerprint_follows_the_weights(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    state = torch.load(weights, weights_only=True)
    torch.save({name: value + 1 if value.is_floating_point() else value for name, value in state.items()}, other)
    assert RaftSource(weights, device=CPU).fingerprint != RaftSource(other, device=CPU).fingerprint


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("trapped"),)


CONTENTS = [
    "missing",
    "damaged",
    "another net",
    "a list",
    "code",
    "whole numbers",
    "no numbers",
    "claims",
    "zipped zeros",
]


@pytest.mark.parametrize("content", CONTENTS)
def test_files_that_are_not_raft(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    if content == "damaged":
        path.write_bytes(b"PK\x03\x04 not really")
    elif content == "another net":
        torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    elif content == "a list":
        torch.save([torch.zeros(1)], path)
    elif content == "code":
        torch.save({"trap": Trap()}, path)
    elif content in ("whole numbers", "no numbers", "claims"):
        state = raft_small(weights=None).state_dict()
        name = "flow_head.conv2.weight" if "flow_head.conv2.weight" in state else next(iter(state))
        one = {"whole numbers": state[name].long(), "no numbers": state[name] * float("nan")}
        state[name] = one.get(content, torch.zeros(1).expand(10**9, 10**9))
        torch.save(state, path)
    elif content == "zipped zeros":
        with ZipFile(path, "w", ZIP_DEFLATED) as archive, archive.open("archive/data/0", "w") as zeros:
            for _ in range(300):
                zeros.write(bytes(1 << 20))
    with pytest.raises(InputError, match=r"weights\.pth") as caught:
        RaftSource(path, device=CPU)
    assert "tsn fetch raft-large" in (caught.value.hint or "")
    assert not Path("trapped").exists()
