"""A trained run → ``weights/``: int8 engine, float head, calibration, parity, and the manifest that vouches for them.

Every choice made here (kind of calibration, temperature, threshold, limit of familiarity) is made on ``val``, with the
int8 network, because that is what serves.
"""

import hashlib
import json
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch
from jaxtyping import Float32, Int64, UInt8
from tqdm import tqdm

import skinlens
from skinlens import metrics
from skinlens.calibration import SET_SEED, calibration_half, choose_threshold, fit_set_rule, fit_temperature, softmax
from skinlens.distill.config import Recipe
from skinlens.distill.data import SPLIT, Entry, labels_of, load_views
from skinlens.distill.train import in_half, load_student
from skinlens.intake import photo_from_pixels
from skinlens.labels import CODES, INDEX, MELANOMA
from skinlens.models.engine import BATCH, Engine, Exits, Head, pool
from skinlens.models.quantize import CALIBRATIONS, Calibration, exit_weights, export_backbone, head_of, parity, quantize
from skinlens.models.weights import HEAD_PARTS, REFERENCE_SEED, write_manifest
from skinlens.phantom import draw_phantom
from skinlens.preprocess import normalise, to_batch
from skinlens.quality import fit_familiarity
from skinlens.records import AIMED_SENSITIVITY, Array, ModelStamp

BACKBONE, FLOAT, HEAD, FAMILIARITY = "student-int8.onnx", "student-float16.pt", "head.npz", "familiarity.npz"
CALIBRATION_PHOTOS = 256
_FIRST = ("stem", "blocks.0/")
FLOAT_LAYERS: tuple[tuple[str, ...], ...] = (
    _FIRST,
    (*_FIRST, "blocks.1/"),
    (*_FIRST, "blocks.1/", "blocks.2/"),
)
"""Layers that are tried in float. The narrow maps between the first stages lose most by eight bits; the stem and the
first block are no slower in float, and each further stage in float makes a forward pass a tenth slower."""
CLOSE_AGREEMENT, CLOSE_ACCURACY = 0.005, 0.01
"""What may be lost for fewer float layers: of the best agreement, and of the float network's balanced accuracy."""
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Part:
    """One part of the split as the network is given it."""

    views: UInt8[Array, "n s s 3"]
    truth: Int64[Array, " n"]


def export(
    run: Path,
    training: Sequence[Entry],
    validation: Sequence[Entry],
    out: Path,
    *,
    version: str = skinlens.__version__,
    note: str = "",
    calibrations: Sequence[Calibration] = CALIBRATIONS,
    say: Say = print,
) -> Path:
    """Write a release from ``run``'s best weights into ``out``; returns the path of its manifest.

    ``note`` says in the manifest what the recipe does not; ``calibrations`` are the ways of it that are tried.

    Raises:
        OSError: ``run`` holds no ``best.pt``, or ``out`` cannot be written.
    """
    student, recipe = load_student(run / "best.pt")
    train, val = (_Part(load_views(entries, recipe.input), labels_of(entries)) for entries in (training, validation))
    out.mkdir(parents=True, exist_ok=True)
    head, backbone = head_of(student), out / BACKBONE
    float_path = out / "float.part.onnx"
    try:
        export_backbone(student, float_path, recipe.input.size_px)
        reference = _run(_engine(float_path, head, recipe), val, "float on val").logits
        tried = _quantize_best(float_path, backbone, head, recipe, train, val, reference, calibrations, say)
    finally:
        float_path.unlink(missing_ok=True)
    engine = _engine(backbone, head, recipe)
    served = _run(engine, val, "int8 on val")
    temperature = fit_temperature(served.logits, val.truth)
    probs = softmax(served.logits, temperature)
    melanoma = INDEX[MELANOMA]
    threshold = choose_threshold(
        val.truth == melanoma, probs[:, melanoma], AIMED_SENSITIVITY, f"the {len(val.truth):,} photos of val"
    )
    familiarity = fit_familiarity(_run(engine, train, "int8 on train").pooled, served.pooled)
    np.savez(out / HEAD, **{part: getattr(head, part) for part in HEAD_PARTS}, **exit_weights(student))
    np.savez(
        out / FAMILIARITY, mean=familiarity.mean, whitening=familiarity.whitening, limit=np.float64(familiarity.limit)
    )
    torch.save({"recipe": asdict(recipe), "student": in_half(student.state_dict())}, out / FLOAT)
    manifest = {
        "schema": 1,
        "name": f"SkinLens student ({'distilled' if recipe.distillation.teacher else recipe.name})",
        "version": version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "made_with": {
            "skinlens": skinlens.__version__,
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
        "labels": list(CODES),
        "architecture": {"class": "skinlens.models.student.Student", **asdict(recipe.student)},
        "parameters": sum(parameter.numel() for parameter in student.parameters()),
        "input": asdict(recipe.input),
        "data": {
            "name": "HAM10000",
            "protocol": "lesion",
            "split": SPLIT,
            "split_sha256": hashlib.sha256((Path(__file__).parent / SPLIT).read_bytes()).hexdigest(),
            "photos": {"train": len(train.truth), "val": len(val.truth)},
        },
        "recipe": asdict(recipe),
        "taught_by": teachers(run / "best.pt"),
        "note": note,
        "backbones": {"int8": BACKBONE},
        "head": HEAD,
        "familiarity": FAMILIARITY,
        "checkpoint": FLOAT,
        "temperature": temperature,
        "exits": _exits(engine, val),
        "melanoma_threshold": asdict(threshold),
        "prediction_set": prediction_set([entry.group for entry in validation], val.truth, probs),
        "quantization": {
            "scheme": "static QDQ, per channel, u8 activations, s8 weights, reduced range",
            **tried,
        },
        "parity": {
            **parity(reference, served.logits),
            "split": "val",
            "float": _figures(val.truth, softmax(reference, fit_temperature(reference, val.truth))),
            "int8": _figures(val.truth, probs),
        },
        "reference": _reference_output(engine),
        "files": {
            name: {
                "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest(),
                "bytes": (out / name).stat().st_size,
            }
            for name in (BACKBONE, HEAD, FAMILIARITY, FLOAT)
        },
    }
    path = write_manifest(out, manifest)
    say(summary(manifest))
    return path


def teachers(best: Path) -> dict[str, str]:
    """SHA-256 of the files that a run's student learned from, by their part; empty where it had the labels alone."""
    saved = torch.load(best, map_location="cpu", weights_only=True)
    found = {part: saved.get(f"{part}_sha256") for part in ("teacher", "companion")}
    return {part: digest for part, digest in found.items() if digest}


def prediction_set(lesions: Sequence[str], truth: Int64[Array, " n"], probs: Array) -> dict[str, Any]:
    """The rule for sets of classes as the manifest holds it: from half of ``val``, so that the rest can measure it."""
    half, fingerprint = calibration_half(lesions, truth)
    rule = fit_set_rule(truth[half], probs[half], f"{half.sum():,} photos of val")
    counts = np.bincount(truth[half], minlength=len(CODES)).tolist()
    return {
        "level": rule.level,
        "floors": dict(zip(CODES, rule.floors, strict=True)),
        "photos": dict(zip(CODES, counts, strict=True)),
        "calibrated_on": rule.calibrated_on,
        "seed": SET_SEED,
        "half_sha256": fingerprint,
    }


def summary(manifest: dict[str, Any]) -> str:
    """The figures that decide on a release, in some lines."""
    both = manifest["parity"]
    loss = both["float"]["balanced_accuracy"] - both["int8"]["balanced_accuracy"]
    threshold, chosen = manifest["melanoma_threshold"], manifest["quantization"]["chosen"]
    serving = sum(manifest["files"][name]["bytes"] for name in (BACKBONE, HEAD, FAMILIARITY))
    return "\n".join(
        [
            f"{manifest['name']} {manifest['version']}, on val ({manifest['data']['photos']['val']:,} photos):",
            f"  balanced accuracy  int8 {both['int8']['balanced_accuracy']:.4f}, "
            f"float {both['float']['balanced_accuracy']:.4f} (loss {loss:+.4f})",
            f"  top-1 agreement    {both['top1_agreement']:.4f} ({chosen['calibration']} calibration, in float: "
            f"{', '.join(chosen['float_layers']) or 'nothing'})",
            f"  ECE (15 bins)      {both['int8']['ece']:.4f} at temperature {manifest['temperature']:.3f}",
            f"  melanoma threshold {threshold['value']:.4f}: sensitivity {threshold['sensitivity']:.3f}, "
            f"specificity {threshold['specificity']:.3f}",
            f"  serving files      {serving / 1e6:.2f} MB",
        ]
    )


@dataclass(frozen=True, eq=False)
class _Served:
    logits: Float32[Array, "n 7"]
    pooled: Float32[Array, "n c"]


def _run(engine: Engine, part: _Part, what: str) -> _Served:
    pooled = [
        pool(engine.features(normalise(part.views[start : start + BATCH], engine.spec)))
        for start in tqdm(range(0, len(part.views), BATCH), desc=what, mininterval=5)
    ]
    together = np.concatenate(pooled)
    return _Served(engine.head.logits_of_pooled(together), together)


def _exits(engine: Engine, val: _Part) -> dict[str, dict[str, float]]:
    """Of each early answer by itself: the temperature that makes probabilities of its logits, and how well it does."""
    starts = range(0, len(val.views), BATCH)
    early = [engine.run(normalise(val.views[start : start + BATCH], engine.spec))[1:3] for start in starts]
    found = {}
    for name, parts in zip(Exits._fields, zip(*early, strict=True), strict=True):
        logits = np.concatenate(parts)
        matrix = metrics.confusion(val.truth, logits.argmax(axis=1))
        found[name] = {
            "temperature": fit_temperature(logits, val.truth),
            "balanced_accuracy": metrics.balanced_accuracy(matrix),
        }
    return found


def _quantize_best(
    float_path: Path,
    backbone: Path,
    head: Head,
    recipe: Recipe,
    train: _Part,
    val: _Part,
    reference: Float32[Array, "n 7"],
    calibrations: Sequence[Calibration],
    say: Say,
) -> dict[str, Any]:
    """Try each calibration with each choice of float layers; of those that agree about best, keep the fastest file."""
    count = min(CALIBRATION_PHOTOS, len(train.views))
    chosen = np.random.default_rng(recipe.seed).choice(len(train.views), count, replace=False)
    photos = normalise(train.views[chosen], recipe.input)
    tried: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        rounded = Path(folder) / "rounded.npz"
        for calibration, keep_float in product(calibrations, FLOAT_LAYERS):
            path = Path(folder) / f"{len(tried)}.onnx"
            quantize(float_path, path, photos, calibration, keep_float, Path(folder) / f"{calibration}.json", rounded)
            logits = _run(_engine(path, head, recipe), val, f"{calibration} on val").logits
            matrix = metrics.confusion(val.truth, logits.argmax(axis=1))
            tried.append(
                {
                    "calibration": calibration,
                    "float_layers": list(keep_float),
                    **parity(reference, logits),
                    "balanced_accuracy": metrics.balanced_accuracy(matrix),
                    "bytes": path.stat().st_size,
                }
            )
            say(json.dumps(tried[-1]))
        exact = metrics.balanced_accuracy(metrics.confusion(val.truth, reference.argmax(axis=1)))
        best = fastest_that_agrees(tried, exact)
        backbone.write_bytes((Path(folder) / f"{best}.onnx").read_bytes())
    return {"photos": count, "photos_from": "train", "chosen": tried[best], "tried": tried}


def fastest_that_agrees(tried: Sequence[Mapping[str, Any]], balanced_accuracy: float) -> int:
    """The trial with fewest float layers of those close to the best; ``balanced_accuracy``: of the float network."""
    agreement = max(one["top1_agreement"] for one in tried)
    close = [
        number
        for number, one in enumerate(tried)
        if one["top1_agreement"] >= agreement - CLOSE_AGREEMENT
        and one["balanced_accuracy"] >= balanced_accuracy - CLOSE_ACCURACY
    ]

    def worth(number: int) -> tuple[float, float, float]:
        one = tried[number]
        return -len(one["float_layers"]) if close else 0.0, one["top1_agreement"], -one["logit_mean_abs"]

    return max(close or range(len(tried)), key=worth)


def _engine(path: Path, head: Head, recipe: Recipe) -> Engine:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Engine(path, head, recipe.input, ModelStamp(recipe.name, "unreleased", digest))


def _figures(truth: Int64[Array, " n"], probs: Array) -> dict[str, float]:
    matrix = metrics.confusion(truth, probs.argmax(axis=1))
    return {
        "accuracy": metrics.accuracy(matrix),
        "balanced_accuracy": metrics.balanced_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix),
        "macro_auc": metrics.macro_auc(truth, probs),
        "melanoma_auc": metrics.melanoma_auc(truth, probs),
        "ece": metrics.calibration_error(truth, probs),
    }


def _reference_output(engine: Engine) -> dict[str, Any]:
    """What the engine says of the drawn example: ``doctor`` asks it again on the machine it runs on."""
    photo = photo_from_pixels(draw_phantom(REFERENCE_SEED), "drawn")
    return {"photo": photo.sha256, "logits": engine.logits(to_batch([photo], engine.spec))[0].tolist()}


def _commit() -> str:
    """The commit that this was made with; a plus says that there were changes on top."""
    root = Path(skinlens.__file__).resolve().parents[1]
    try:
        return subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
