"""Lesion segmentation network: reads the fused map of the engine beside which it serves, and the colors of the photo.

::

    network input, half its side ── 4×4 convolution, stride 2 ───────────┐
    fused map ── 1×1 ─ 3×3 ─ 3×3 ─ 3×3 ── twice the side, bilinear ──────┴─ 3×3 ─ 3×3 ─ 1×1 ── four times ─ sigmoid

The fused map knows what is lesion, but one of its places is as wide as eight pixels; the edge itself is in the colors.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class SegmentationNetwork(nn.Module):
    """Lesion probability of each place, from the fused map and the colors.

    ReLU6 throughout, as in the engine, because that is what eight bits hold best.
    """

    def __init__(self, fused_channels: int, inner: int, edge: int) -> None:
        """``inner``: channels of what is taken from the fused map; ``edge``: of what is taken from the colors, and of
        the layers behind both.
        """
        super().__init__()
        self.fused_channels = fused_channels
        # Dilated by 1, 2 and 4, so that each place sees more than half of the picture: where a lesion fades into the
        # skin, only the whole of it tells how far it reaches. Without the last one, Dice on val is .008 less.
        self.place = nn.Sequential(
            _conv(fused_channels, inner, 1), *(_conv(inner, inner, 3, dilation) for dilation in (1, 2, 4))
        )
        self.color = nn.Sequential(
            nn.Conv2d(3, edge, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(edge), nn.ReLU6()
        )
        self.edge = nn.Sequential(_conv(inner + edge, edge, 3), _conv(edge, edge, 3), nn.Conv2d(edge, 1, 1))

    def forward(self, half: Float[Tensor, "n 3 h h"], fused: Float[Tensor, "n c g g"]) -> Float[Tensor, "n 1 q q"]:
        """Logits at a quarter of the input's side; ``half`` is the input at half its side."""
        place = F.interpolate(self.place(fused), scale_factor=2, mode="bilinear")
        logits: Tensor = self.edge(torch.cat([place, self.color(half)], dim=1))
        return logits


class ServedSegmentation(nn.Module):
    """Network of the exported file: takes the engine's own input and gives probabilities at its size."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor, fused: Tensor) -> Tensor:
        logits = self.network(F.avg_pool2d(batch, 2), fused)
        return torch.sigmoid(F.interpolate(logits, scale_factor=4, mode="bilinear"))
