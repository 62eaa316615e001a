"""The student: a CNN branch and an EfficientNet-Lite0 branch, an exit on each, fused at several depths.

::

    photo ─┬─ CNN branch ──────────────── stride 4, stride 8 ──┬─ exit_1
           └─ EfficientNet-Lite0 ── stride 8, 16, 32, head ────┬─ exit_2
                                                               │
                 each map: 1×1 convolution + BN ─ to stride 8 ─┴─ Σ ─ ReLU6 = the fused map ─ float head ─ 7 logits

Pavel et al., "Multi-stage knowledge distillation with layer fusion-based deep learning approach for skin cancer
classification": the hybrid student with two exits, and layer fusion. Every activation is a ReLU6 and nothing is a
squeeze-excite block, because that is what survives an eight-bit quantization. The fused map is what is explained: all
that lies behind it is the head, whose gradient has a closed form.
"""

import io
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

import skinlens.networks.torchvision_shim  # noqa: F401  (before timm: see there)

import timm  # isort: skip

from skinlens.errors import WeightsError
from skinlens.inference.release import Manifest
from skinlens.labels import CODES
from skinlens.networks.configs import StudentConfig
from skinlens.networks.pretrained import efficientnet_lite


class StudentOutput(NamedTuple):
    fused: Float[Tensor, "n c g g"]
    exit_1: Float[Tensor, "n 7"]
    exit_2: Float[Tensor, "n 7"]
    logits: Float[Tensor, "n 7"]


def _conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Exit(nn.Module):
    """An early answer: the mean over space, then one linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, len(CODES))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 7"]:
        logits: Tensor = self.linear(maps.mean(dim=(2, 3)))
        return logits


class CnnBranch(nn.Module):
    """Two 3×3 convolutions with BN, ReLU6 and pooling: maps at stride 4 and 8."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        self.stage_1 = nn.Sequential(*_conv_bn(3, first, 3, stride=2), nn.ReLU6(), nn.MaxPool2d(2))
        self.stage_2 = nn.Sequential(*_conv_bn(first, second, 3), nn.ReLU6(), nn.MaxPool2d(2))

    def forward(self, batch: Float[Tensor, "n 3 s s"]) -> tuple[Tensor, Tensor]:
        shallow = self.stage_1(batch)
        return shallow, self.stage_2(shallow)


class EfficientNetBranch(nn.Module):
    """timm's EfficientNet-Lite0: the maps after the stages at stride 8, 16 and 32, and after its last convolution."""

    strides = (8, 16, 32, 32)

    def __init__(self, drop_path: float) -> None:
        super().__init__()
        # The weights come from TensorFlow: its epsilon and momentum. Its one-sided padding is not kept, since a
        # symmetric one quantizes into the convolution itself; the shift of half a pixel is learned away at once.
        network: Any = timm.create_model(
            "efficientnet_lite0", num_classes=0, drop_path_rate=drop_path, bn_eps=1e-3, bn_momentum=0.01
        )
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.blocks: nn.Sequential = network.blocks
        self.top = nn.Sequential(network.conv_head, network.bn2)
        self.channels = (40, 112, 320, 1280)

    def forward(self, batch: Float[Tensor, "n 3 s s"]) -> list[Tensor]:
        maps, stage_maps = self.stem(batch), []
        for position, stage in enumerate(self.blocks):
            maps = stage(maps)
            if position in (2, 4, 6):
                stage_maps.append(maps)
        return [*stage_maps, self.top(maps)]


class LayerFusion(nn.Module):
    """Maps of several depths, projected to as many channels, brought to the finest grid, added: one map in [0, 6].

    Projecting before enlarging is the same sum at a fraction of the cost. Enlarging is bilinear: repeated pixels would
    put the edges of the coarse maps' squares into every explanation.
    """

    def __init__(self, channels: list[int], scales: list[int], outputs: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(_conv_bn(inputs, outputs, 1) for inputs in channels)
        self.enlarge = nn.ModuleList(
            nn.Upsample(scale_factor=scale, mode="bilinear") if scale > 1 else nn.Identity() for scale in scales
        )
        self.activation = nn.ReLU6()
        self.scales = scales

    def forward(self, maps: list[Tensor]) -> Float[Tensor, "n c g g"]:
        total: Tensor | None = None
        for feature_map, project, enlarge in zip(maps, self.project, self.enlarge, strict=True):
            summand = enlarge(project(feature_map))
            total = summand if total is None else total + summand
        fused: Tensor = self.activation(total)
        return fused


class Head(nn.Module):
    """Fused map to logits, in float also where the rest is quantized: mean over space, hidden ReLU layer, linear."""

    def __init__(self, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, len(CODES))

    def forward(self, fused: Float[Tensor, "n c g g"]) -> Float[Tensor, "n 7"]:
        pooled = self.dropout(fused.mean(dim=(2, 3)))
        logits: Tensor = self.output(self.dropout(torch.relu(self.hidden(pooled))))
        return logits


class Student(nn.Module):
    """Input normalised as ``preprocess.InputSpec`` says, its side a multiple of 32. No softmax anywhere."""

    def __init__(self, config: StudentConfig, turns: int = 1) -> None:
        """``turns``: 4 for a release that averages the maps of four quarter turns; trained is with 1."""
        super().__init__()
        self.config, self.turns = config, turns
        self.cnn = CnnBranch(*config.cnn_channels)
        self.efficientnet = EfficientNetBranch(config.drop_path)
        self.exit_1 = Exit(config.cnn_channels[1])
        self.exit_2 = Exit(self.efficientnet.channels[-1])
        channels = [config.cnn_channels[1], *self.efficientnet.channels]
        scales = [1, *(stride // 8 for stride in self.efficientnet.strides)]
        if not config.fusion:
            channels, scales = [channels[0], channels[-1]], [scales[0], scales[-1]]
        self.fusion = LayerFusion(channels, scales, config.fused_channels)
        self.fused = nn.Identity()
        """Layer whose output is the fused map, the mean over the turns: the one that is explained."""
        self.head = Head(config.fused_channels, config.hidden, config.dropout)

    def features(self, batch: Float[Tensor, "n 3 s s"]) -> tuple[Tensor, Tensor, Tensor]:
        """The fused map and the two exits: the part that is quantized."""
        fused, exit_1, exit_2 = self._in_turn(batch, 0)
        if self.turns > 1:
            turned = [(fused, exit_1, exit_2), *(self._in_turn(batch, quarters) for quarters in range(1, self.turns))]
            fused, exit_1, exit_2 = (torch.stack(parts).mean(dim=0) for parts in zip(*turned, strict=True))
        return self.fused(fused), exit_1, exit_2

    def _in_turn(self, batch: Float[Tensor, "n 3 s s"], quarters: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same of the batch turned by so many quarters, the map turned back."""
        maps = self.maps(torch.rot90(batch, quarters, dims=(2, 3)) if quarters else batch)
        fused: Tensor = self.fusion(maps)
        back = torch.rot90(fused, -quarters, dims=(2, 3)) if quarters else fused
        return back, self.exit_1(maps[0]), self.exit_2(maps[-1])

    def maps(self, batch: Float[Tensor, "n 3 s s"]) -> list[Tensor]:
        """Maps to be fused: the CNN branch's last map first, EfficientNet's last one last."""
        _, local = self.cnn(batch)
        deep = self.efficientnet(batch)
        return [local, *deep] if self.config.fusion else [local, deep[-1]]

    def forward(self, batch: Float[Tensor, "n 3 s s"]) -> StudentOutput:
        fused, exit_1, exit_2 = self.features(batch)
        return StudentOutput(fused, exit_1, exit_2, self.head(fused))


def load_imagenet(student: Student) -> None:
    """Put EfficientNet-Lite0's ImageNet weights into the EfficientNet branch. Raises WeightsError: not installed."""
    network = efficientnet_lite(0)
    branch = student.efficientnet
    pairs: tuple[tuple[nn.Module, nn.Module], ...] = (
        (branch.stem, nn.Sequential(network.conv_stem, network.bn1)),
        (branch.blocks, network.blocks),
        (branch.top, nn.Sequential(network.conv_head, network.bn2)),
    )
    for part, source in pairs:
        part.load_state_dict(source.state_dict())


def load_released(manifest: Manifest) -> Student:
    """The float network that a release was quantized from, in eval mode on the CPU.

    Raises:
        WeightsError: its file is missing, is not the one that was released, or does not fit this version.
    """
    name = manifest.content["checkpoint"]
    shape = {key: value for key, value in manifest.content["architecture"].items() if key != "class"}
    student = Student(StudentConfig(**{**shape, "cnn_channels": tuple(shape["cnn_channels"])}), manifest.turns)
    halves = torch.load(io.BytesIO(manifest.read(name)), map_location="cpu", weights_only=True)["student"]
    try:
        student.load_state_dict(halves)
    except RuntimeError as problem:
        raise WeightsError(f"{name} does not fit the network of this version: {problem}.") from problem
    return student.eval()
