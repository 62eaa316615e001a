"""Model randomization test: maps of re-initialized networks, and of the float network before quantization.

Adebayo et al., "Sanity Checks for Saliency Maps", 2018, section 3.1 (cascading randomisation): the weights are drawn
anew from the output towards the input, a part of the network at a time. A map that stays as it was cannot show what the
network has learned. What is drawn anew is drawn as before a training; the statistics of the batch norms are taken from
the photos again, since without them a network that was never trained gives out zeros.
"""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from skinlens.checks.agreement import spearman
from skinlens.explain import METHODS, explain_again
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import Engine
from skinlens.inference.release import Manifest
from skinlens.networks.student import Student, load_released
from skinlens.quantization.ptq import export_backbone, head_of
from skinlens.records import Batch, Explanation, ModelRef, Photo

SEED = 20181008
STAGES = ("the last two layers", "and the deeper half", "the whole network")


def compare_networks(
    classifier: Classifier, manifest: Manifest, explained: Sequence[tuple[Photo, Sequence[Explanation]]]
) -> dict[str, Any]:
    """Rank correlations of maps of the served network with those of the others, for the same photos and classes.

    ``methods[method]["float"]``: with the float network, median and worst photo. ``["model_randomization"]``: the float
    network against itself with more and more of it randomised, median and the middle half of the photos.

    Raises:
        WeightsError: the release does not hold its float network.
    """
    student = load_released(manifest)
    photos = [photo for photo, _ in explained]
    served = [list(maps) for _, maps in explained]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        original = maps_of(as_classifier(student, path, classifier), photos, served)
        stages = [
            maps_of(as_classifier(changed, path, classifier), photos, served)
            for changed in randomized(student, to_batch(photos, classifier.engine.spec))
        ]
    methods: dict[str, Any] = {}
    for place, method in enumerate(METHODS):
        held = heatmap_correlations(served, original, place)
        methods[method] = {
            "float": {"spearman_median": float(np.median(held)), "spearman_worst": float(np.min(held))},
            "model_randomization": [
                _spread(stage, heatmap_correlations(original, maps, place))
                for stage, maps in zip(STAGES, stages, strict=True)
            ],
        }
    return {"photos": len(photos), "seed": SEED, "stages": list(STAGES), "methods": methods}


def heatmap_correlations(maps: list[list[Explanation]], other: list[list[Explanation]], place: int) -> list[float]:
    """Rank correlation, photo by photo, of the maps of one method. A map that points nowhere is like no other: 0."""
    return [
        spearman(first[place].heatmap, second[place].heatmap)
        if np.ptp(first[place].heatmap) and np.ptp(second[place].heatmap)
        else 0.0
        for first, second in zip(maps, other, strict=True)
    ]


def _spread(stage: str, correlations: list[float]) -> dict[str, Any]:
    low, median, high = np.percentile(correlations, [25, 50, 75])
    return {"stage": stage, "spearman_median": float(median), "quarter": float(low), "three_quarters": float(high)}


def maps_of(
    classifier: Classifier, photos: Sequence[Photo], like: Sequence[Sequence[Explanation]]
) -> list[list[Explanation]]:
    """The maps of another network with the classes, settings and seeds of ``like``."""
    pairs = tqdm(list(zip(photos, like, strict=True)), desc="maps of another network", mininterval=5)
    return [[explain_again(explanation, classifier, photo) for explanation in maps] for photo, maps in pairs]


def as_classifier(student: Student, path: Path, like: Classifier) -> Classifier:
    """A float network served as the released one is; ``path`` is where its engine file is written."""
    export_backbone(student, path, like.engine.spec.size_px)
    model_ref = ModelRef(f"{like.engine.model_ref.name}, another network", like.engine.model_ref.version, "0" * 64)
    engine = Engine(path, head_of(student), like.engine.spec, model_ref, turns=like.engine.turns)
    return Classifier(engine, like.temperature, like.melanoma_threshold, like.ood)


def randomized(student: Student, photos: Batch) -> Iterator[Student]:
    """Copies of a network of which more and more is drawn anew, as ``STAGES`` names it; the same ones every time."""
    changed = copy.deepcopy(student)
    branch = changed.efficientnet
    half = len(branch.blocks) // 2
    parts: tuple[tuple[nn.Module, ...], ...] = (
        (changed.head, changed.fusion),
        (branch.top, branch.blocks[half:]),
        (branch.blocks[:half], branch.stem, changed.cnn, changed.exit_1, changed.exit_2),
    )
    drawn: list[nn.Module] = []
    for stage, part in enumerate(parts):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED + stage)
            for module in part:
                reinitialize(module)
        drawn += part
        _take_statistics(changed, drawn, photos)
        yield copy.deepcopy(changed).eval()


def reinitialize(module: nn.Module) -> None:
    """Every layer with weights, as it was before any training."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            layer.reset_parameters()


@torch.no_grad()
def _take_statistics(student: Student, drawn: Sequence[nn.Module], photos: Batch) -> None:
    """The means and variances of the batch norms that were drawn anew, from these photos at once."""
    student.eval()
    norms = [layer for module in drawn for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    student.features(torch.from_numpy(photos))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
