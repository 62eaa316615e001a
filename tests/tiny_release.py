"""A whole release in seconds: a drawn data set, a short real training run, a real export."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
from PIL import Image

from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.ood import MahalanobisOOD, fit_ood
from skinlens.labels import CODES
from skinlens.networks.configs import StudentConfig
from skinlens.quantization.release_builder import export
from skinlens.training.ham10000 import Entry
from skinlens.training.loop import train
from skinlens.training.protocols import lesion_disjoint_split
from skinlens.training.recipe import Distillation, Recipe

RECIPE = Recipe(
    name="tiny",
    epochs=2,
    batch_size=8,
    pretrained=False,
    compile=False,
    frozen_stages=0,
    ema_decay=0.5,
    student=StudentConfig(fused_channels=16, hidden=8, drop_path=0.0),
    input=InputSpec(size_px=64, detail_px=48),
    distillation=Distillation(view_px=64),
)


def draw_dataset(folder: Path, seed: int, photos_per_class: int) -> list[Entry]:
    """Blots on skin, one color a class, so that there is something to learn; 64 × 48 px PNG."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    down, right = np.mgrid[0:48, 0:64]
    for label, code in enumerate(CODES):
        color = np.array([40 + 30 * (label % 3), 30 + 25 * (label % 4), 20 + 28 * label])
        for number in range(photos_per_class):
            pixels = np.array([215, 170, 150]) + random.normal(0, 5, (48, 64, 3))
            center = random.uniform(0.35, 0.65, 2) * (48, 64)
            inside = np.hypot(down - center[0], right - center[1]) < random.uniform(8, 14)
            pixels[inside] = color + random.normal(0, 5, (int(inside.sum()), 3))
            image_id = f"{code}_{seed}_{number}"
            path = folder / f"{image_id}.png"
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
            entries.append(Entry(image_id, path, label))
    return entries


def _lenient(*features: Any) -> MahalanobisOOD:
    """Twice as far as the export would allow: the drawn lesions of the tests are no blots, and on another processor or
    number of threads the network differs enough to take some of them for strange.
    """
    fitted = fit_ood(*features)
    return replace(fitted, limit=2 * fitted.limit)


def make_release(folder: Path) -> Path:
    """Returns the weights folder."""
    training = draw_dataset(folder / "train", 1, 6)
    validation = draw_dataset(folder / "val", 2, 3)
    train(RECIPE, lesion_disjoint_split(training, validation, RECIPE), folder / "run")
    jaxtyping.config.update("jaxtyping_disable", True)  # torch's tracer makes tensors of the sizes that are checked
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("skinlens.quantization.release_builder.fit_ood", _lenient)
            return export(
                folder / "run",
                training,
                validation,
                folder / "weights",
                version="0",
                calibrations=["entropy"],
            ).parent
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
