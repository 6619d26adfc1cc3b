"""The nets behind `adain.py`: one that looks at a painting, one that paints, and what the first tells the second.

Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic stylization network" (2017): what
makes a style net paint like this painting and not like that one are the scales and shifts of its instance norms
(Dumoulin et al. 2017), and those can be foretold from the painting. Two things are ours. What the painting is seen
by are the statistics of a small encoder that has learnt VGG's principal components, so that few paintings suffice to
learn from; and the net that paints is shown the plate in the painting's own colours beside the plate as it is, so
that a palette it never saw is never guessed.

Told of a painting, the `Canvas` is a net like that of any trained style: surveyed, locked, cut into tiles.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.colour import LUMA
from tsn.determinism import one_thread
from tsn.style.nets import palette
from tsn.style.nets.johnson import JohnsonNet
from tsn.style.nets.layers import ConvNorm, Normalise

LEVELS = 1, 2, 3
"""Of the encoder: features at full size, at 1/2 and at 1/4."""

HIDDEN_UNITS = 128
VARIANCE_FLOOR = 1e-3
"""Added to a variance before its logarithm: channels vary by 1 in the mean."""


class Encoder(nn.Module):
    """What is seen of a painting: three levels of features, which training makes VGG's principal components.

    Args:
        width: channels at full size; twice that at 1/2, four times at 1/4.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.width = w = width
        thin = 2 * w // 3
        self.stages = nn.ModuleList(
            [
                nn.Sequential(_conv(3, thin), _conv(thin, w)),
                nn.Sequential(nn.AvgPool2d(2), _conv(w, 2 * w), _conv(2 * w, 2 * w)),
                nn.Sequential(nn.AvgPool2d(2), _conv(2 * w, 4 * w), _conv(4 * w, 4 * w)),
            ]
        )
        self.heads = nn.ModuleList([_conv(c, c, kernel=1, relu=False) for c in (w, 2 * w, 4 * w)])

    @property
    def statistics_size(self) -> int:
        """Numbers in a `code`."""
        return 2 * 7 * self.width

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(N, 3, H, W) in [0, 1] -> features (N, C, h, w) of each level."""
        x, found = x - 0.5, {}
        for level, stage, head in zip(LEVELS, self.stages, self.heads, strict=True):
            x = stage(x)
            found[level] = head(x)
        return found

    def style_statistics(self, painting: Tensor) -> Tensor:
        """A painting (1, 3, H, W) in numbers (`told`,): mean and logarithm of the variance of every channel."""
        said = []
        for maps in self(painting).values():
            variance, mean = torch.var_mean(maps[0].float(), dim=(1, 2), correction=0)
            said += [mean, torch.log(variance + VARIANCE_FLOOR)]
        return torch.cat(said)


def _conv(cin: int, cout: int, *, kernel: int = 3, relu: bool = True) -> ConvNorm:
    return ConvNorm(cin, cout, kernel=kernel, norm=False, relu=relu)


class StyleTransferNet(JohnsonNet):
    """The net that paints, once it knows like what.

    Attributes:
        luma: (gain, offset) for the painted luma, where the plate keeps its colours; see `ArbitraryPainter`.
    """

    def __init__(self, *, width: int, blocks: int, simplifies: bool, seeded: bool) -> None:
        super().__init__(width=width, blocks=blocks, recolours=True, simplifies=simplifies, seeded=seeded)
        self.luma: tuple[float, float] | None = None

    def paint(self, x: Tensor, normalise: Normalise) -> Tensor:
        """See `StyleNet.paint`."""
        painted = super().paint(x, normalise)
        if self.luma is None:
            return painted
        gain, offset = self.luma
        # Chroma is what is left of a pixel without its luma; adding the same to R, G and B leaves it.
        return (x + (gain * luma(painted) + offset - luma(x))).clamp(0, 1)


class StylePredictionNet(nn.Module):
    """Paintings in, canvases out.

    Args:
        width: channels of the canvas at full size.
        blocks: residual blocks of the canvas.
        encoder_width: channels of the encoder at full size, a multiple of three.
        simplifies, seeded: see `StyleNet`.

    Attributes:
        usual: mean and deviation of the codes that were trained on, (2, `told`).
        plates: colours (N, 3) of the photos that were trained on, for the palette.
    """

    usual: Tensor
    plates: Tensor

    def __init__(
        self,
        *,
        width: int = 16,
        blocks: int = 5,
        encoder_width: int = 24,
        simplifies: bool = False,
        seeded: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.blocks, self.encoder_width = width, blocks, encoder_width
        self.encoder = Encoder(width=encoder_width)
        self.canvas = StyleTransferNet(width=width, blocks=blocks, simplifies=simplifies, seeded=seeded)
        self.sizes = {name: tensor.numel() for name, tensor in self._own().items()}
        self.mind = nn.Sequential(
            nn.Linear(self.encoder.statistics_size, HIDDEN_UNITS),
            nn.ReLU(),
            nn.Linear(HIDDEN_UNITS, sum(self.sizes.values()) + 12),
        )
        last = self.mind[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # at first all paintings are one
        nn.init.zeros_(last.bias)
        self.register_buffer(
            "usual", torch.stack([torch.zeros(self.encoder.statistics_size), torch.ones(self.encoder.statistics_size)])
        )
        self.register_buffer("plates", torch.zeros(palette.COLOUR_SAMPLES, 3))

    def _own(self) -> dict[str, Tensor]:
        """Scales and shifts of the canvas, by name."""
        own = dict(self.canvas.named_parameters())
        return {name: own[name] for name in own if name.endswith((".scale", ".shift"))}

    def predict_parameters(self, code: Tensor) -> Tensor:
        """What a code (`Encoder.code`) changes of the canvas, in one vector. Blends of paintings are means of these."""
        said: Tensor = self.mind(self.standardise(code))
        return said

    def standardise(self, code: Tensor) -> Tensor:
        """How a code differs from the usual one, about 1 in each number."""
        mean, deviation = self.usual
        # What is far from all that was trained on, say a photo of a screen, must not shout.
        return ((code - mean) / deviation).clamp(-4, 4)

    def transfer_parameters(self, manner: Tensor) -> dict[str, Tensor]:
        """The parameters of the canvas that a manner changes, by name.

        Scales and shifts; and of the last layer, which no norm follows, a mix of its colours and their ground.
        """
        *parts, mix, ground = manner.split([*self.sizes.values(), 9, 3])
        changed = {name: was + part for (name, was), part in zip(self._own().items(), parts, strict=True)}
        last = self.canvas.leave
        assert isinstance(last, ConvNorm) and last.conv.bias is not None
        kernel, bias = last.conv.weight, last.conv.bias
        mixing = mix.view(3, 3) + torch.eye(3, device=mix.device)
        changed["leave.conv.weight"] = torch.einsum("po,oikl->pikl", mixing, kernel)
        changed["leave.conv.bias"] = mixing @ bias + ground
        return changed

    @torch.no_grad()
    def transfer_net_for(self, paintings: Sequence[Tensor], shares: Sequence[float]) -> StyleTransferNet:
        """A net that paints like a mix of paintings, (3, H, W) each; `shares` sum to 1."""
        device = self.plates.device
        with one_thread():
            manners = [
                self.predict_parameters(self.encoder.style_statistics(_even(painting).to(device)[None]))
                for painting in paintings
            ]
            tables = [
                palette.fit_palette(self.plates.cpu(), palette.sample_colours([painting.cpu()]))
                for painting in paintings
            ]
            canvas = copy.deepcopy(self.canvas)
            mixed = torch.stack([share * manner for share, manner in zip(shares, manners, strict=True)]).sum(0)
            canvas.load_state_dict(self.transfer_parameters(mixed), strict=False)
            table = torch.stack([share * table for share, table in zip(shares, tables, strict=True)]).sum(0)
        canvas.palette = table.to(device)
        return canvas


def _even(painting: Tensor) -> Tensor:
    """The painting in whole multiples of the encoder's 4 px, its last lines and columns repeated."""
    height, width = painting.shape[-2:]
    return F.pad(painting[None], (0, -width % 4, 0, -height % 4), mode="replicate")[0]


def luma(x: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W), Rec.709 weights."""
    r, g, b = LUMA
    return r * x[:, :1] + g * x[:, 1:2] + b * x[:, 2:]
