"""Quantization sensitivity: each group of layers is quantized alone, all others stay in float."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Float32

from skinlens.atomic_file import replace_files, replace_json
from skinlens.formatting import rounded_percent
from skinlens.imaging.preprocess import normalize
from skinlens.inference.engine import Engine
from skinlens.quantization.ptq import Calibration, export_backbone, head_of, parity, quantize
from skinlens.records import Array, ModelRef
from skinlens.terminal import Say
from skinlens.training.ham10000 import Entry, load_images
from skinlens.training.loop import load_student

GROUPS = {
    "CNN branch, stage 1": "cnn/stage_1",
    "CNN branch, stage 2": "cnn/stage_2",
    "stem": "/stem/",
    **{f"stage {number + 1}": f"blocks.{number}/" for number in range(7)},
    "last convolution": "/top/",
    "fusion": "/fuse/",
}
"""Title, and the part of a layer's name in the graph that tells the group, in the order of the network."""
CALIBRATION: Calibration = "percentile"
PHOTOS = 256
"""For the ranges (of ``train``) and for the answers (of ``val``), each chosen with ``SEED``."""
SEED = 1


def sensitivity(run: Path, training: Sequence[Entry], validation: Sequence[Entry], say: Say = print) -> dict[str, Any]:
    """Sensitivity of each group: how far the logits move, and how often the same class stays on top. Ready for JSON."""
    student, recipe = load_student(run / "best.pt")
    calibrating, asking = (
        normalize(load_images(_some(part), recipe.input), recipe.input) for part in (training, validation)
    )
    head, rows = head_of(student), []
    with TemporaryDirectory() as folder:
        float_path, int8_path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        export_backbone(student, float_path, recipe.input.size_px)

        def logits(path: Path) -> Float32[Array, "n 7"]:
            return Engine(path, head, recipe.input, ModelRef("", "", "")).logits(asking)

        reference = logits(float_path)
        for title, part in (*GROUPS.items(), ("everything", "")):
            excluded = tuple(other for other in GROUPS.values() if other != part) if part else ()
            quantize(float_path, int8_path, calibrating, CALIBRATION, excluded, float_path.with_suffix(".ranges.json"))
            figures = parity(reference, logits(int8_path))
            rows.append({"group": title, **figures})
            say(f"{title:<22} agreement {figures['top1_agreement']:.4f}, logits {figures['logit_mean_abs']:.4f} apart")
    return {"calibration": CALIBRATION, "photos": len(asking), "seed": SEED, "recipe": recipe.name, "groups": rows}


def _some(entries: Sequence[Entry]) -> list[Entry]:
    count = min(PHOTOS, len(entries))
    chosen = np.random.default_rng(SEED).choice(len(entries), count, replace=False)
    return [entries[place] for place in sorted(chosen)]


def draw_sensitivity(result: dict[str, Any], path: Path) -> None:
    """Bars: by how much the logits move when a group alone is quantized."""
    from matplotlib.figure import Figure

    rows = result["groups"][::-1]
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([row["group"] for row in rows], [row["logit_mean_abs"] for row in rows], color="#0072B2")
    axes.bar_label(bars, [rounded_percent(row["top1_agreement"], 1) for row in rows], padding=4, fontsize=8)
    axes.set_xlabel("mean distance of the logits from the float network; beside the bars: same class first")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    picture = BytesIO()
    figure.savefig(picture, dpi=130)
    replace_files({path: picture.getvalue()})


def write(result: dict[str, Any], path: Path) -> None:
    """The figures, and the picture of them beside."""
    replace_json(path, result)
    draw_sensitivity(result, path.with_suffix(".png"))
