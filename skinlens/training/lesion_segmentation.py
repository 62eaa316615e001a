"""Training of the segmentation head on the features of a released engine, which stays as it is.

::

    network input, half its side ── 4×4 convolution, stride 2 ───────────┐
    fused map ── 1×1 ─ 3×3 ─ 3×3 ─ 3×3 ── twice the side, bilinear ──────┴─ 3×3 ─ 3×3 ─ 1×1 ── four times ─ sigmoid

The fused map knows what is lesion, but one of its places is as wide as eight pixels; the edge itself is in the colours.
Everything that the head is trained on comes from the int8 engine that will serve beside it, so nothing shifts when it
is put to use. For another engine it is trained again: ``python -m skinlens outline-train``.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from skinlens import clock
from skinlens.errors import DatasetError
from skinlens.imaging.preprocess import normalize
from skinlens.inference.engine import BATCH, Engine
from skinlens.inference.release import load_engine, load_manifest, write_manifest
from skinlens.networks.int8_scheme import Feeds, export_float, quiet, write_int8
from skinlens.records import Array, ModelRef
from skinlens.segmentation.head import SegmentationHead
from skinlens.terminal import Say
from skinlens.training.ham10000 import Entry, load_images, picture_paths

OUTLINE = "outline.onnx"
_STEP = 6 / 255
"""Features are kept in bytes while the head is trained: the fused map lies in [0, 6]."""
_SUFFIX = "_segmentation"
_MASK_FOLDERS = ("masks", "HAM10000_segmentations_lesion_tschandl")


@dataclass(frozen=True)
class OutlineRecipe:
    """Everything that decides the result of the training, beside the engine and the photos."""

    seed: int = 1
    channels: int = 32
    """Of what is taken from the fused map."""
    edge_channels: int = 16
    """Of what is taken from the colours, and of the layers behind both."""
    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 4e-3
    """Peak of the one cycle, for AdamW."""
    weight_decay: float = 0.01
    warm_up: float = 0.15
    calibration_photos: int = 128


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class OutlineNetwork(nn.Module):
    """ReLU6 throughout, as in the engine, because that is what eight bits hold best."""

    def __init__(self, fused_channels: int, recipe: OutlineRecipe) -> None:
        super().__init__()
        self.fused_channels = fused_channels
        inner, edge = recipe.channels, recipe.edge_channels
        # Dilated by 1, 2 and 4, so that each place sees more than half of the picture: where a lesion fades into the
        # skin, only the whole of it tells how far it reaches. Without the last one, Dice on val is .008 less.
        self.place = nn.Sequential(
            _conv(fused_channels, inner, 1), *(_conv(inner, inner, 3, dilation) for dilation in (1, 2, 4))
        )
        self.colour = nn.Sequential(
            nn.Conv2d(3, edge, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(edge), nn.ReLU6()
        )
        self.edge = nn.Sequential(_conv(inner + edge, edge, 3), _conv(edge, edge, 3), nn.Conv2d(edge, 1, 1))

    def forward(self, half: Float[Tensor, "n 3 h h"], fused: Float[Tensor, "n c g g"]) -> Float[Tensor, "n 1 q q"]:
        """Logits at a quarter of the input's side; ``half`` is the input at half its side."""
        place = F.interpolate(self.place(fused), scale_factor=2, mode="bilinear")
        logits: Tensor = self.edge(torch.cat([place, self.colour(half)], dim=1))
        return logits


class _Served(nn.Module):
    """Network of the exported file: takes the engine's own input and gives probabilities at its size."""

    def __init__(self, network: OutlineNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor, fused: Tensor) -> Tensor:
        logits = self.network(F.avg_pool2d(batch, 2), fused)
        return torch.sigmoid(F.interpolate(logits, scale_factor=4, mode="bilinear"))


@dataclass(frozen=True, eq=False)
class SegmentationData:
    """Photos as the head is given them, with their masks, all in bytes."""

    images: UInt8[Array, "n s s 3"]
    fused: UInt8[Array, "n c g g"]
    masks: UInt8[Array, "n q q"]
    """Share of lesion in each place of a quarter of the input's side, 0 to 255."""

    def inputs(self, rows: Array, engine: Engine) -> tuple[Float32[Array, "n 3 s s"], Float32[Array, "n c g g"]]:
        return normalize(self.images[rows], engine.spec), self.fused[rows].astype(np.float32) * np.float32(_STEP)


def mask_paths(folder: Path) -> dict[str, Path]:
    """Image id → mask, in ``masks/`` or in the folder of the official download.

    Raises:
        DatasetError: neither is there.
    """
    for name in _MASK_FOLDERS:
        if (folder / name).is_dir():
            return {stem.removesuffix(_SUFFIX): path for stem, path in picture_paths(folder / name).items()}
    raise DatasetError(
        f"Expected the lesion masks of HAM10000 in {' or '.join(_MASK_FOLDERS)} below {folder}, found neither. "
        "Download HAM10000_segmentations_lesion_tschandl beside the photos."
    )


def load_mask(image_id: str, masks: dict[str, Path]) -> Bool[Array, "h w"]:
    """True inside the lesion, in the frame of the photo. Raises DatasetError if the photo has none."""
    if image_id not in masks:
        raise DatasetError(f"The photo {image_id} has no mask. The download of the masks is not complete.")
    with Image.open(masks[image_id]) as picture:
        return np.asarray(picture.convert("L")) > 127


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


def train_outline(
    weights: Path,
    training: Sequence[Entry],
    validation: Sequence[Entry],
    masks: dict[str, Path],
    recipe: OutlineRecipe | None = None,
    say: Say = print,
) -> Path:
    """Train a head for the int8 engine of ``weights`` and add it to that release; returns the path of its file.

    The manifest's entry ``outline`` names the file, the engine file that it was made for, the recipe and the parity of
    its int8 form; ``evaluation.segmentation`` puts the measured figures beside them.

    Raises:
        WeightsError: ``weights`` holds no release.
        DatasetError: a photo has no mask.
    """
    recipe = recipe or OutlineRecipe()
    engine = load_engine(weights)
    train, val = (extract_features(engine, entries, masks) for entries in (training, validation))
    network = fit(train, val, engine, recipe, say)
    float_path, path = weights / "outline.part.onnx", weights / OUTLINE
    try:
        export_network(network, float_path, engine.spec.size_px)
        _quantize(float_path, path, train, engine, recipe)
        held = _parity(float_path, path, val, engine)
    finally:
        float_path.unlink(missing_ok=True)
    say(json.dumps(held))
    entry = {
        "file": OUTLINE,
        "backbone_sha256": engine.model_ref.sha256,
        "created_at": clock.utc_now(),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "recipe": asdict(recipe),
        "photos": {"train": len(training), "val": len(validation)},
        "quantization": "static QDQ of the convolutions, per channel, u8 activations, s8 weights, reduced range",
        "parity": held,
    }
    _add_to_manifest(weights, entry)
    return path


def fit(
    train: SegmentationData, val: SegmentationData, engine: Engine, recipe: OutlineRecipe, say: Say = print
) -> OutlineNetwork:
    """The training loop. Each batch is turned and mirrored in one of eight ways: a lesion has no up and no left."""
    generator = torch.Generator().manual_seed(recipe.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = OutlineNetwork(train.fused.shape[1], recipe)
    steps = max(1, len(train.images) // recipe.batch_size)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * steps, pct_start=recipe.warm_up
    )
    for epoch in range(recipe.epochs):
        network.train()
        order = torch.randperm(len(train.images), generator=generator).numpy()
        total = 0.0
        for step in range(steps):
            rows = np.sort(order[step * recipe.batch_size : (step + 1) * recipe.batch_size])
            turn = int(torch.randint(0, 8, (1,), generator=generator))
            half, fused, mask = (turned(tensor, turn) for tensor in _tensors(train, rows, engine))
            loss = outline_loss(network(half, fused), mask)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
            total += loss.item()
        say(json.dumps({"epoch": epoch, "loss": total / steps, "val_dice": _dice_of(network, val, engine)}))
    return network.eval()


def turned(maps: Float[Tensor, "n c h h"], turn: int) -> Float[Tensor, "n c h h"]:
    """One of the eight symmetries of a square: bit 0 mirrors left and right, bit 1 up and down, bit 2 transposes."""
    maps = maps.flip(3) if turn & 1 else maps
    maps = maps.flip(2) if turn & 2 else maps
    return maps.transpose(2, 3) if turn & 4 else maps


def outline_loss(logits: Float[Tensor, "n 1 q q"], mask: Float[Tensor, "n 1 q q"]) -> Float[Tensor, ""]:
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


def _batches(features: SegmentationData, size: int = 64) -> Iterator[Array]:
    for start in range(0, len(features.images), size):
        yield np.arange(start, min(start + size, len(features.images)))


@torch.no_grad()
def _dice_of(network: OutlineNetwork, features: SegmentationData, engine: Engine) -> float:
    """Mean Dice at a quarter of the input's side: for following the training, not for quoting."""
    network.eval()
    scores = []
    for rows in _batches(features):
        half, fused, mask = _tensors(features, rows, engine)
        ours, theirs = network(half, fused) > 0, mask > 0.5
        both = (ours & theirs).sum(dim=(1, 2, 3))
        scores.append(2 * both / (ours.sum(dim=(1, 2, 3)) + theirs.sum(dim=(1, 2, 3))).clamp(min=1))
    return float(torch.cat(scores).mean())


def export_network(network: OutlineNetwork, path: Path, size_px: int) -> None:
    """Write the float head as ONNX: inputs ``batch`` (n 3 s s) and ``fused`` (n c g g), output ``lesion`` (n 1 s s)."""
    grid = size_px // 8
    inputs = {
        "batch": torch.zeros(1, 3, size_px, size_px),
        "fused": torch.zeros(1, network.fused_channels, grid, grid),
    }
    export_float(_Served(network), inputs, ["lesion"], path)


def _quantize(float_path: Path, path: Path, train: SegmentationData, engine: Engine, recipe: OutlineRecipe) -> None:
    """Between the layers everything lies in [0, 6], so the least and the greatest value on some photos are its range.

    The last convolution and what follows stay in float: they decide where the edge runs, and cost next to nothing.
    """
    count = min(recipe.calibration_photos, len(train.images))
    chosen = np.random.default_rng(recipe.seed).choice(len(train.images), count, replace=False)
    parts = (train.inputs(rows, engine) for rows in np.array_split(np.sort(chosen), -(-count // BATCH)))
    nodes = onnx.load(str(float_path)).graph.node
    last = {kind: [node.name for node in nodes if node.op_type == kind][-1] for kind in ("Conv", "Resize")}
    with quiet():
        write_int8(
            float_path,
            path,
            Feeds({"batch": batch, "fused": fused} for batch, fused in parts),
            op_types_to_quantize=["Conv", "Clip", "Resize", "Concat"],
            nodes_to_exclude=list(last.values()),
        )


def _parity(float_path: Path, path: Path, val: SegmentationData, engine: Engine) -> dict[str, float]:
    """How far the int8 head keeps to the float one, on ``val``: Dice of their two areas, mean and worst photo."""
    model_ref = ModelRef("outline", "unreleased", "0" * 64)
    heads = [SegmentationHead(head_path, engine.spec, model_ref) for head_path in (float_path, path)]
    agreement: list[float] = []
    for rows in _batches(val, BATCH):
        first, second = (head.probs(*val.inputs(rows, engine)) > 0.5 for head in heads)
        both = (first & second).sum(axis=(1, 2))
        agreement += (2 * both / np.maximum(first.sum(axis=(1, 2)) + second.sum(axis=(1, 2)), 1)).tolist()
    return {"dice_int8_float_mean": float(np.mean(agreement)), "dice_int8_float_worst": float(np.min(agreement))}


def _add_to_manifest(weights: Path, entry: dict[str, Any]) -> None:
    content = load_manifest(weights).content
    data = (weights / OUTLINE).read_bytes()
    content["outline"] = entry
    content["files"][OUTLINE] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    write_manifest(weights, content)


def add_figures(weights: Path, split: str, figures: dict[str, Any]) -> None:
    """Put the head's figures on one part of the split into the manifest."""
    content = load_manifest(weights).content
    content["outline"].setdefault("figures", {})[split] = figures
    write_manifest(weights, content)
