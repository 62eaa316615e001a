"""Plain baseline: convolutions, batch normalization and pooling."""

from jaxtyping import Float
from torch import Tensor, nn

from skinlens.labels import CODES

CHANNELS = (32, 64, 128, 256)


class PlainCnn(nn.Module):
    """Four times a 3×3 convolution, BN, ReLU and 2×2 pooling; the mean over space; one hidden layer of 128."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *CHANNELS), CHANNELS, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS[-1], 128), nn.ReLU(), nn.Dropout(0.5)]
        super().__init__()
        self.layers = nn.Sequential(*layers, *head, nn.Linear(128, len(CODES)))

    def forward(self, photos: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 7"]:
        logits: Tensor = self.layers(photos)
        return logits
