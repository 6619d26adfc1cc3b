"""The nets of `arbitrary.py`: a style prediction net and the style transfer net whose parameters it predicts.

Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic stylization network", BMVC 2017: what
makes one style transfer net paint in different styles are the scales and shifts of its instance norms (Dumoulin et
al., "A learned representation for artistic style", 2017), and a second net can predict these from the painting. Two
things differ from the paper. The prediction net does not see the painting through Inception but through the feature
statistics of a small encoder that has learnt VGG's principal components, so that few paintings suffice for training.
And the transfer net gets the plate in the painting's colours (`palette.py`) as well as the plate itself, so that it
need not guess a palette that it was never trained on.

With its parameters set for a painting, the transfer net is a `StyleNet` like that of any trained style: it is
calibrated, frozen, and run in tiles.
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
"""Levels of the encoder: features at full size, at 1/2 and at 1/4."""

HIDDEN_UNITS = 128
"""Of the prediction net."""
VARIANCE_FLOOR = 1e-3
"""Added to a variance before its logarithm; the mean variance of a channel is about 1."""


class Encoder(nn.Module):
    """Features of a painting at three levels, which the training fits to VGG's principal components.

    Args:
        width: channels at full size, a multiple of 3; twice as many at 1/2 and four times as many at 1/4.
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
        """Length of `style_statistics`: two numbers per channel of all levels."""
        return 2 * 7 * self.width

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(N, 3, H, W) in [0, 1] -> features (N, C, h, w) by level."""
        x, features = x - 0.5, {}
        for level, stage, head in zip(LEVELS, self.stages, self.heads, strict=True):
            x = stage(x)
            features[level] = head(x)
        return features

    def style_statistics(self, painting: Tensor) -> Tensor:
        """Mean and logarithm of the variance of every channel: (1, 3, H, W) in [0, 1] -> (`statistics_size`,)."""
        statistics = []
        for features in self(painting).values():
            variance, mean = torch.var_mean(features[0].float(), dim=(1, 2), correction=0)
            statistics += [mean, torch.log(variance + VARIANCE_FLOOR)]
        return torch.cat(statistics)


def _conv(cin: int, cout: int, *, kernel: int = 3, relu: bool = True) -> ConvNorm:
    """A layer of the encoder, without norm."""
    return ConvNorm(cin, cout, kernel=kernel, norm=False, relu=relu)


class StyleTransferNet(JohnsonNet):
    """The net that paints; its style parameters are set by a `StylePredictionNet`.

    Args:
        width, blocks: see `JohnsonNet`.
        simplifies, seeded: see `StyleNet`; it always recolours.

    Attributes:
        luma: gain and offset of the painted luma, where the plate keeps its colours (see `ArbitraryPainter`), else
            None.
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
        # Adding the same number to R, G and B changes the luma and keeps the chroma.
        return (x + (gain * luma(painted) + offset - luma(x))).clamp(0, 1)


class StylePredictionNet(nn.Module):
    """Predicts the parameters of its style transfer net from a painting.

    The submodules keep the names that the weights files have: `canvas` is the style transfer net, `mind` the layers
    that predict its parameters.

    Args:
        width: channels of the style transfer net at full size.
        blocks: residual blocks of the style transfer net.
        encoder_width: channels of the encoder at full size, a multiple of 3 (`seen` in metadata and configs).
        simplifies, seeded: see `StyleNet`.

    Attributes:
        usual: mean and standard deviation of the style statistics of the paintings of the training,
            (2, `Encoder.statistics_size`).
        plates: colours (N, 3) of the photos of the training, for the palette.
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
        self.sizes = {name: tensor.numel() for name, tensor in self._norm_parameters().items()}
        self.mind = nn.Sequential(
            nn.Linear(self.encoder.statistics_size, HIDDEN_UNITS),
            nn.ReLU(),
            nn.Linear(HIDDEN_UNITS, sum(self.sizes.values()) + 12),
        )
        last = self.mind[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # before training, all paintings give the same parameters
        nn.init.zeros_(last.bias)
        self.register_buffer(
            "usual", torch.stack([torch.zeros(self.encoder.statistics_size), torch.ones(self.encoder.statistics_size)])
        )
        self.register_buffer("plates", torch.zeros(palette.COLOUR_SAMPLES, 3))

    def _norm_parameters(self) -> dict[str, Tensor]:
        """Scales and shifts of the style transfer net, by name."""
        parameters = dict(self.canvas.named_parameters())
        return {name: parameters[name] for name in parameters if name.endswith((".scale", ".shift"))}

    def predict_parameters(self, statistics: Tensor) -> Tensor:
        """Predict the style parameters from `Encoder.style_statistics`, as one vector.

        They are differences from the style transfer net's own parameters, see `transfer_parameters`. A mix of
        paintings is the weighted mean of their vectors.
        """
        parameters: Tensor = self.mind(self.standardise(statistics))
        return parameters

    def standardise(self, statistics: Tensor) -> Tensor:
        """Style statistics as standard deviations from their mean over the paintings of the training."""
        mean, deviation = self.usual
        # A picture unlike all paintings of the training, such as a photo of a screen, must not have huge values.
        return ((statistics - mean) / deviation).clamp(-4, 4)

    def transfer_parameters(self, predicted: Tensor) -> dict[str, Tensor]:
        """The parameters of the style transfer net that `predict_parameters` sets, by name.

        These are the scales and shifts of its norms; and, for its last layer, which has no norm, a 3x3 mix of its
        output channels and a bias.
        """
        *differences, mix, bias_difference = predicted.split([*self.sizes.values(), 9, 3])
        parameters = {
            name: own + difference
            for (name, own), difference in zip(self._norm_parameters().items(), differences, strict=True)
        }
        last = self.canvas.leave
        assert isinstance(last, ConvNorm) and last.conv.bias is not None
        kernel, bias = last.conv.weight, last.conv.bias
        mixing = mix.view(3, 3) + torch.eye(3, device=mix.device)
        parameters["leave.conv.weight"] = torch.einsum("po,oikl->pikl", mixing, kernel)
        parameters["leave.conv.bias"] = mixing @ bias + bias_difference
        return parameters

    @torch.no_grad()
    def transfer_net_for(self, paintings: Sequence[Tensor], shares: Sequence[float]) -> StyleTransferNet:
        """A style transfer net with its parameters and palette set for a mix of paintings.

        Args:
            paintings: (3, H, W) each, in [0, 1].
            shares: weight of each painting; they sum to 1.
        """
        device = self.plates.device
        with one_thread():
            predicted = [
                self.predict_parameters(self.encoder.style_statistics(_pad_to_encoder(painting).to(device)[None]))
                for painting in paintings
            ]
            tables = [
                palette.fit_palette(self.plates.cpu(), palette.sample_colours([painting.cpu()]))
                for painting in paintings
            ]
            net = copy.deepcopy(self.canvas)
            mixed = torch.stack([share * one for share, one in zip(shares, predicted, strict=True)]).sum(0)
            net.load_state_dict(self.transfer_parameters(mixed), strict=False)
            table = torch.stack([share * table for share, table in zip(shares, tables, strict=True)]).sum(0)
        net.palette = table.to(device)
        return net


def _pad_to_encoder(painting: Tensor) -> Tensor:
    """Pad (3, H, W) at the right and below to multiples of the encoder's 4 px, by repeating the border."""
    height, width = painting.shape[-2:]
    return F.pad(painting[None], (0, -width % 4, 0, -height % 4), mode="replicate")[0]


def luma(x: Tensor) -> Tensor:
    """Luma by the Rec.709 weights, (N, 3, H, W) -> (N, 1, H, W)."""
    r, g, b = LUMA
    return r * x[:, :1] + g * x[:, 1:2] + b * x[:, 2:]
