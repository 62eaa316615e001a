"""The teacher: a ViT branch and a convolutional branch, two exits and an output on each, features fused.

::

    photo ─┬─ ViT-S/14 ──────── block 4 ── block 8 ── block 12 ─┬─ output of the branch
           │                    exit 1     exit 2               │
           └─ convolutions ──── stride 8 ─ stride 16 ─ last ────┼─ output of the branch
                                exit 1     exit 2               │
                                    concatenated ─ 512 ─ ReLU ──┴─ combined output

Pavel et al., "Multi-stage knowledge distillation with layer fusion-based deep learning approach for skin cancer
classification": a hybrid of a ViT and a ConvNeXt branch, each with two intermediate exits, concatenated, Dense 512,
Dropout .5. Theirs stays at its random weights; this one is trained. It takes photos scaled to [0, 1], and each branch
normalises them as its initial weights expect.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

import skinlens.networks.torchvision_shim  # noqa: F401  (before timm: see there)

import timm  # isort: skip

from skinlens.errors import RecipeError, WeightsError
from skinlens.labels import CODES
from skinlens.networks.configs import TeacherConfig
from skinlens.networks.pretrained import dinov2_vit, efficientnet_lite, saved_run

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class TeacherOutput(NamedTuple):
    """Logits, and the fused features from which the combined output is read."""

    logits: Float[Tensor, "n 7"]
    vit: Float[Tensor, "n 7"]
    convolutional: Float[Tensor, "n 7"]
    vit_exit_1: Float[Tensor, "n 7"]
    vit_exit_2: Float[Tensor, "n 7"]
    convolutional_exit_1: Float[Tensor, "n 7"]
    convolutional_exit_2: Float[Tensor, "n 7"]
    features: Float[Tensor, "n k"]


class _Normalize(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self, statistics: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
        super().__init__()
        for name, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, photos: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        return (photos - self.mean) / self.std


class VitBranch(nn.Module):
    """Features after one third, two thirds and all of the blocks: the class token beside the mean patch."""

    def __init__(self, config: TeacherConfig, *, pretrained: bool) -> None:
        super().__init__()
        if pretrained:
            network = dinov2_vit(config.vit_px, config.drop_path)
        else:
            network = timm.create_model(
                "vit_small_patch14_dinov2",
                img_size=config.vit_px,
                num_classes=0,
                drop_path_rate=config.drop_path,
                depth=config.vit_depth,
            )
        self.size_px = config.vit_px
        self.normalize = _Normalize(IMAGENET)
        self.network = network
        depth = len(network.blocks)
        self.exits = (depth // 3 - 1, 2 * depth // 3 - 1)
        self.widths = (2 * network.embed_dim,) * 3

    def forward(self, photos: Float[Tensor, "n 3 s s"]) -> list[Float[Tensor, "n w"]]:
        resized = F.interpolate(photos, (self.size_px, self.size_px), mode="bilinear", antialias=True)
        network: Any = self.network
        tokens = network.norm_pre(network._pos_embed(network.patch_embed(self.normalize(resized))))
        features = []
        for number, block in enumerate(network.blocks):
            tokens = block(tokens)
            if number in self.exits:
                features.append(_pooled(tokens))
        return [*features, _pooled(network.norm(tokens))]

    def frozen(self, blocks: int) -> list[nn.Module | nn.Parameter]:
        if not blocks:
            return []
        network: Any = self.network
        return [network.cls_token, network.pos_embed, network.patch_embed, *list(network.blocks)[:blocks]]


def _pooled(tokens: Float[Tensor, "n t d"]) -> Float[Tensor, "n w"]:
    return torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1)


class ConvolutionalBranch(nn.Module):
    """Mean features of the maps at stride 8 and 16, and of the last map."""

    def __init__(self, config: TeacherConfig, *, pretrained: bool) -> None:
        super().__init__()
        name = config.convolutional
        if name.startswith("efficientnet_lite"):
            network: Any = (
                efficientnet_lite(int(name[-1]))
                if pretrained
                else timm.create_model(name, bn_eps=1e-3, bn_momentum=0.01)
            )
            stages = [nn.Sequential(network.conv_stem, network.bn1), *network.blocks]
            stages += [nn.Sequential(network.conv_head, network.bn2)]
            self.normalize = _Normalize(HALF)
            self.exits = (3, 5)
            widths = [stage[-1].conv_pwl.out_channels for stage in (network.blocks[2], network.blocks[4])]
            self.widths = (*widths, network.conv_head.out_channels)
        elif name.startswith("convnext"):
            network = timm.create_model(name, num_classes=0, drop_path_rate=config.drop_path)
            stages = [network.stem, *network.stages, network.head.norm]
            self.normalize = _Normalize(IMAGENET)
            self.exits = (2, 3)
            self.widths = tuple(network.feature_info[place]["num_chs"] for place in (1, 2, 3))
        else:
            raise RecipeError(f"Expected an EfficientNet-Lite or a ConvNeXt as the teacher's branch, found {name!r}.")
        self.stages = nn.ModuleList(stages)

    def forward(self, photos: Float[Tensor, "n 3 s s"]) -> list[Float[Tensor, "n w"]]:
        maps = self.normalize(photos).contiguous(memory_format=torch.channels_last)
        features = []
        for number, stage in enumerate(self.stages):
            maps = stage(maps)
            if number in self.exits:
                features.append(maps.mean(dim=(2, 3)))
        return [*features, maps.mean(dim=(2, 3))]


class BranchOutput(NamedTuple):
    logits: Float[Tensor, "n 7"]
    features: Float[Tensor, "n w"]


class Branch(nn.Module):
    """The convolutional branch by itself, for its warm-up. Photos in [0, 1]."""

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.branch = ConvolutionalBranch(config, pretrained=False)
        self.output = _output(self.branch.widths[-1])

    def forward(self, photos: Float[Tensor, "n 3 s s"]) -> BranchOutput:
        features = self.branch(photos)[-1]
        return BranchOutput(self.output(features), features)


class Teacher(nn.Module):
    """Photos in [0, 1], of any square size. No softmax anywhere."""

    def __init__(self, config: TeacherConfig, *, pretrained: bool) -> None:
        """Raises WeightsError: ``pretrained`` asks for initial weights that are not installed, or not there."""
        super().__init__()
        self.config = config
        self.vit = VitBranch(config, pretrained=pretrained)
        self.convolutional = ConvolutionalBranch(config, pretrained=pretrained and not config.initial)
        if pretrained and config.initial:
            load_branch(self.convolutional, Path(config.initial))
        self.vit_outputs = nn.ModuleList(_output(width) for width in self.vit.widths)
        self.convolutional_outputs = nn.ModuleList(_output(width) for width in self.convolutional.widths)
        fused = self.vit.widths[-1] + self.convolutional.widths[-1]
        self.fuse = nn.Sequential(nn.LayerNorm(fused), nn.Linear(fused, config.hidden), nn.ReLU())
        self.output = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.hidden, len(CODES)))

    def forward(self, photos: Float[Tensor, "n 3 s s"]) -> TeacherOutput:
        vit, convolutional = self.vit(photos), self.convolutional(photos)
        vit_1, vit_2, vit_out = (
            output(branch_features) for output, branch_features in zip(self.vit_outputs, vit, strict=True)
        )
        pairs = zip(self.convolutional_outputs, convolutional, strict=True)
        convolutional_1, convolutional_2, convolutional_out = (
            output(branch_features) for output, branch_features in pairs
        )
        features = self.fuse(torch.cat([vit[-1], convolutional[-1]], dim=1))
        return TeacherOutput(
            self.output(features),
            vit_out,
            convolutional_out,
            vit_1,
            vit_2,
            convolutional_1,
            convolutional_2,
            features,
        )


def load_branch(branch: ConvolutionalBranch, path: Path) -> None:
    """Start from the weights of a warm-up run.

    Raises:
        WeightsError: there is no such run, or its branch is another one.
    """
    if not path.is_file():
        raise WeightsError(
            f"The teacher's branch starts from a warm-up run at {path}, and there is none. Run it first: "
            "python -m skinlens train recipes/warm_up.toml"
        )
    saved = saved_run(path, parts=("network",))["network"]
    own = {name.removeprefix("branch."): tensor for name, tensor in saved.items() if name.startswith("branch.")}
    try:
        branch.load_state_dict(own)
    except RuntimeError as problem:
        raise WeightsError(f"{path} holds another branch than the recipe asks for: {problem}") from problem


def _output(width: int) -> nn.Sequential:
    """The normalisation lets one learning rate serve features of any scale."""
    return nn.Sequential(nn.LayerNorm(width), nn.Dropout(0.2), nn.Linear(width, len(CODES)))
