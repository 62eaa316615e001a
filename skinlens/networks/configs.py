"""Configurations of the networks, which a recipe gives; to read one takes no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StudentConfig:
    """Configuration from which the student is built again."""

    cnn_channels: tuple[int, int] = (24, 48)
    """Of the CNN branch's two stages: local color and texture at 2 % of the network's cost."""
    fused_channels: int = 256
    """Of the fused map; Score-CAM's cost is proportional to it."""
    hidden: int = 256
    """Of the head's one hidden layer, as in the paper."""
    dropout: float = 0.3
    """The paper has .5; with augmentation and weight averaging on top that underfits 7,008 photos."""
    drop_path: float = 0.1
    fusion: bool = True
    """False: the ablation, in which only the last map of each branch is fused."""


@dataclass(frozen=True)
class TeacherConfig:
    """Configuration from which the teacher is built again."""

    vit_px: int = 196
    """Side at which the ViT sees the view: 14 × 14 patches of 14 px."""
    vit_depth: int = 12
    """Blocks of the ViT, an exit after the first and the second third. 12 is ViT-S; fewer are for tests."""
    convolutional: str = "efficientnet_lite2"
    """timm's name of the other branch: an EfficientNet-Lite or a ConvNeXt."""
    hidden: int = 512
    dropout: float = 0.5
    drop_path: float = 0.1
    initial: str = ""
    """Path of the ``best.pt`` of a warm-up run, from which the convolutional branch starts; empty: from a package's
    weights if there are any."""
    frozen_blocks: int = 0
    """The ViT's patch embedding and as many first blocks keep their initial weights."""
