"""Training of the segmentation head on the features of a released engine, which stays as it is.

Everything that the head is trained on comes from the int8 engine that will serve beside it, so nothing shifts when it
is put to use.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from skinlens.imaging.preprocess import normalize
from skinlens.inference.engine import BATCH, Engine
from skinlens.networks.lesion_segmentation import SegmentationNetwork
from skinlens.records import Array
from skinlens.terminal import Say
from skinlens.training.ham10000 import Entry, load_images
from skinlens.training.ham10000_masks import load_mask

_STEP = 6 / 255
"""Features are kept in bytes while the head is trained: the fused map lies in [0, 6]."""


@dataclass(frozen=True)
class SegmentationRecipe:
    """Everything that decides the result of the training, beside the engine and the photos."""

    seed: int = 1
    channels: int = 32
    """Of what is taken from the fused map."""
    edge_channels: int = 16
    """Of what is taken from the colors, and of the layers behind both."""
    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 4e-3
    """Peak of the one cycle, for AdamW."""
    weight_decay: float = 0.01
    warm_up: float = 0.15
    calibration_photos: int = 128


@dataclass(frozen=True, eq=False)
class SegmentationData:
    """Photos as the head is given them, with their masks, all in bytes."""

    images: UInt8[Array, "n s s 3"]
    fused: UInt8[Array, "n c g g"]
    masks: UInt8[Array, "n q q"]
    """Share of lesion in each place of a quarter of the input's side, 0 to 255."""

    def inputs(self, rows: Array, engine: Engine) -> tuple[Float32[Array, "n 3 s s"], Float32[Array, "n c g g"]]:
        return normalize(self.images[rows], engine.spec), self.fused[rows].astype(np.float32) * np.float32(_STEP)


def extract_features(engine: Engine, entries: Sequence[Entry], masks: dict[str, Path]) -> SegmentationData:
    """Photos, features and masks of one part of the split. The masks must have the frame that the network sees."""
    images = load_images(entries, engine.spec)
    quarter = engine.spec.size_px // 4
    fused: list[Array] = []
    for start in tqdm(range(0, len(images), BATCH), desc="features", mininterval=5):
        features = engine.features(normalize(images[start : start + BATCH], engine.spec))
        fused.append(np.rint(features / _STEP).astype(np.uint8))
    shares = [
        np.asarray(
            Image.fromarray(load_mask(entry.image_id, masks).astype(np.uint8) * 255).resize(
                (quarter, quarter), Image.Resampling.BOX
            )
        )
        for entry in entries
    ]
    return SegmentationData(images, np.concatenate(fused), np.stack(shares))


def fit(
    train: SegmentationData, val: SegmentationData, engine: Engine, recipe: SegmentationRecipe, say: Say = print
) -> SegmentationNetwork:
    """The training loop. Each batch is turned and mirrored in one of eight ways: a lesion has no up and no left."""
    generator = torch.Generator().manual_seed(recipe.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = SegmentationNetwork(train.fused.shape[1], recipe.channels, recipe.edge_channels)
    steps = max(1, len(train.images) // recipe.batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * steps, pct_start=recipe.warm_up
    )
    for epoch in range(recipe.epochs):
        network.train()
        order = torch.randperm(len(train.images), generator=generator).numpy()
        total = 0.0
        for step in range(steps):
            rows = np.sort(order[step * recipe.batch_size : (step + 1) * recipe.batch_size])
            turn = int(torch.randint(0, 8, (1,), generator=generator))
            half, fused, mask = (turned(tensor, turn) for tensor in _tensors(train, rows, engine))
            loss = segmentation_loss(network(half, fused), mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item()
        say(json.dumps({"epoch": epoch, "loss": total / steps, "val_dice": _dice_of(network, val, engine)}))
    return network.eval()


def turned(maps: Float[Tensor, "n c h h"], turn: int) -> Float[Tensor, "n c h h"]:
    """One of the eight symmetries of a square: bit 0 mirrors left and right, bit 1 up and down, bit 2 transposes."""
    maps = maps.flip(3) if turn & 1 else maps
    maps = maps.flip(2) if turn & 2 else maps
    return maps.transpose(2, 3) if turn & 4 else maps


def segmentation_loss(logits: Float[Tensor, "n 1 q q"], mask: Float[Tensor, "n 1 q q"]) -> Float[Tensor, ""]:
    """Cross-entropy, which places the edge, plus one minus the soft Dice, which counts small lesions like large ones.

    Milletari et al., "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation", 2016,
    section 3, with plain sums in the denominator.
    """
    probs = logits.sigmoid()
    shared = (probs * mask).sum(dim=(1, 2, 3))
    soft_dice = (2 * shared + 1) / (probs.sum(dim=(1, 2, 3)) + mask.sum(dim=(1, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, mask) + 1 - soft_dice.mean()


def _tensors(features: SegmentationData, rows: Array, engine: Engine) -> tuple[Tensor, Tensor, Tensor]:
    batch, fused = (torch.from_numpy(array) for array in features.inputs(rows, engine))
    return F.avg_pool2d(batch, 2), fused, torch.from_numpy(features.masks[rows]).unsqueeze(1).float() / 255


def batches(features: SegmentationData, size: int = 64) -> Iterator[Array]:
    """Row numbers of at most ``size`` photos at a time, in order."""
    for start in range(0, len(features.images), size):
        yield np.arange(start, min(start + size, len(features.images)))


@torch.no_grad()
def _dice_of(network: SegmentationNetwork, features: SegmentationData, engine: Engine) -> float:
    """Mean Dice at a quarter of the input's side: for following the training, not for quoting."""
    network.eval()
    scores = []
    for rows in batches(features):
        half, fused, mask = _tensors(features, rows, engine)
        ours, theirs = network(half, fused) > 0, mask > 0.5
        both = (ours & theirs).sum(dim=(1, 2, 3))
        scores.append(2 * both / (ours.sum(dim=(1, 2, 3)) + theirs.sum(dim=(1, 2, 3))).clamp(min=1))
    return float(torch.cat(scores).mean())
