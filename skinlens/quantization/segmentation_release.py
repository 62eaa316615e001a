"""Release of the segmentation head: trained beside a released engine, quantized, and entered in its manifest.

For another engine it is made again: ``python -m skinlens outline-train``.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch

from skinlens import clock
from skinlens.inference.engine import BATCH, Engine
from skinlens.inference.release import file_entry, load_engine, load_manifest, write_manifest
from skinlens.networks.int8_scheme import Feeds, export_float, quiet, write_int8
from skinlens.networks.lesion_segmentation import SegmentationNetwork, ServedSegmentation
from skinlens.records import ModelRef
from skinlens.segmentation.head import SegmentationHead
from skinlens.terminal import Say
from skinlens.training.ham10000 import Entry
from skinlens.training.lesion_segmentation import (
    SegmentationData,
    SegmentationRecipe,
    batches,
    extract_features,
    fit,
)

OUTLINE = "outline.onnx"


def train_segmentation(
    weights: Path,
    training: Sequence[Entry],
    validation: Sequence[Entry],
    masks: dict[str, Path],
    recipe: SegmentationRecipe | None = None,
    say: Say = print,
) -> Path:
    """Train a head for the int8 engine of ``weights`` and add it to that release; returns the path of its file.

    The manifest's entry ``outline`` names the file, the engine file that it was made for, the recipe and the parity of
    its int8 form; ``evaluation.segmentation`` puts the measured figures beside them.

    Raises:
        WeightsError: ``weights`` holds no release.
        DatasetError: a photo has no mask.
    """
    recipe = recipe or SegmentationRecipe()
    engine = load_engine(weights)
    train, val = (extract_features(engine, entries, masks) for entries in (training, validation))
    network = fit(train, val, engine, recipe, say)
    with TemporaryDirectory() as folder:
        float_path, path = Path(folder) / "float.onnx", Path(folder) / OUTLINE
        export_network(network, float_path, engine.spec.size_px)
        _quantize(float_path, path, train, engine, recipe)
        held, file = _parity(float_path, path, val, engine), path.read_bytes()
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
    _add_to_manifest(weights, entry, file)
    return weights / OUTLINE


def export_network(network: SegmentationNetwork, path: Path, size_px: int) -> None:
    """Write the float head as ONNX: inputs ``batch`` (n 3 s s) and ``fused`` (n c g g), output ``lesion`` (n 1 s s)."""
    grid = size_px // 8
    inputs = {
        "batch": torch.zeros(1, 3, size_px, size_px),
        "fused": torch.zeros(1, network.fused_channels, grid, grid),
    }
    export_float(ServedSegmentation(network), inputs, ["lesion"], path)


def _quantize(
    float_path: Path, path: Path, train: SegmentationData, engine: Engine, recipe: SegmentationRecipe
) -> None:
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
    for rows in batches(val, BATCH):
        first, second = (head.probs(*val.inputs(rows, engine)) > 0.5 for head in heads)
        both = (first & second).sum(axis=(1, 2))
        agreement += (2 * both / np.maximum(first.sum(axis=(1, 2)) + second.sum(axis=(1, 2)), 1)).tolist()
    return {"dice_int8_float_mean": float(np.mean(agreement)), "dice_int8_float_worst": float(np.min(agreement))}


def _add_to_manifest(weights: Path, entry: dict[str, Any], file: bytes) -> None:
    content = load_manifest(weights).content
    content["outline"] = entry
    content["files"][OUTLINE] = file_entry(file)
    write_manifest(weights, content, {OUTLINE: file})


def add_figures(weights: Path, split: str, figures: dict[str, Any]) -> None:
    """Put the head's figures on one part of the split into the manifest."""
    content = load_manifest(weights).content
    content["outline"].setdefault("figures", {})[split] = figures
    write_manifest(weights, content)
