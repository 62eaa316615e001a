"""Release builder: a trained run to int8 engine, float head, calibration, parity and manifest.

Every choice made here (kind of calibration, temperature, threshold, out-of-distribution limit) is made on ``val``, with
the int8 network, because that is what serves.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from tqdm import tqdm

import skinlens
from skinlens import metrics, paths
from skinlens.errors import RecipeError
from skinlens.formatting import grouped
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import normalize, to_batch
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.calibration import (
    SET_SEED,
    choose_threshold,
    fit_conformal_sets,
    fit_temperature,
    softmax,
    split_calibration_test,
)
from skinlens.inference.engine import BATCH, Engine, Exits, Head, pool
from skinlens.inference.ood import MahalanobisOOD, fit_ood
from skinlens.inference.release import HEAD_PARTS, REFERENCE_SEED, file_entry, write_manifest
from skinlens.labels import CODES, INDEX, MELANOMA
from skinlens.networks.pretrained import saved_run
from skinlens.networks.student import Student
from skinlens.quantization.provenance import made_now
from skinlens.quantization.ptq import (
    CALIBRATIONS,
    Calibration,
    exit_weights,
    export_backbone,
    head_of,
    parity,
    quantize,
)
from skinlens.records import AIMED_SENSITIVITY, Array, Batch, ModelRef
from skinlens.training.checkpoints import in_half
from skinlens.training.ham10000 import SPLIT, Entry, ImageSet, split_file
from skinlens.training.loop import load_student
from skinlens.training.protocols import protocol_of
from skinlens.training.recipe import Recipe
from skinlens.training.sources import lists_of, load_sources

BACKBONE, FLOAT, HEAD, OOD = "student-int8.onnx", "student-float16.pt", "head.npz", "ood.npz"
CALIBRATION_PHOTOS = 256
_FIRST = ("stem", "blocks.0/")
MIXED_PRECISION_CANDIDATES: tuple[tuple[str, ...], ...] = (
    _FIRST,
    (*_FIRST, "blocks.1/"),
    (*_FIRST, "blocks.1/", "blocks.2/"),
)
"""Layers that are tried in float. The narrow maps between the first stages lose most by eight bits; the stem and the
first block are no slower in float, and each further stage in float makes a forward pass a tenth slower."""
_Source = tuple[list[Entry], list[Entry]]
"""Training and held-out photos of one of a recipe's sources."""
CLOSE_AGREEMENT, CLOSE_ACCURACY = 0.005, 0.01
"""What may be lost for fewer float layers: of the best agreement, and of the float network's balanced accuracy."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs of an engine on a part of the split."""

    logits: Float32[Array, "n 7"]
    pooled: Float32[Array, "n c"]


def export(
    run: Path,
    training: Sequence[Entry],
    validation: Sequence[Entry],
    out: Path,
    *,
    version: str = skinlens.__version__,
    note: str = "",
    calibrations: Sequence[Calibration] = CALIBRATIONS,
) -> Path:
    """Write a release from ``run``'s best weights into ``out``; returns the path of its manifest.

    ``note`` says in the manifest what the recipe does not; ``calibrations`` are the ways of it that are tried. The
    photos of the recipe's sources count as familiar, since the network learned from them.

    Raises:
        OSError: ``run`` holds no ``best.pt``, or ``out`` cannot be written.
        DatasetError: a source of the run's recipe is not there.
        RecipeError: ``best.pt`` is not whole, or of a run under the paper's protocol, which leaks.
    """
    if protocol_of(run, saved_run(run / "best.pt")) != "lesion":
        raise RecipeError(
            f"{run} was trained under the paper's protocol, on copies of the photos that its release would be measured "
            "on: expected a run of the protocol lesion. Train the recipe without --protocol paper."
        )
    student, recipe = load_student(run / "best.pt")
    sources = load_sources(recipe.sources, lists_of(recipe, run, paths.ROOT / "recipes"))  # or fail before the work
    train, val = (ImageSet.of(entries, recipe.input) for entries in (training, validation))
    out.mkdir(parents=True, exist_ok=True)
    served, backbone, quantization = _quantized(student, recipe, train, val, calibrations)
    fitted = calibrated(served, val, [entry.group for entry in validation])
    ood = fitted_ood(served, recipe, train, sources)
    float_network = BytesIO()
    torch.save({"recipe": asdict(recipe), "student": in_half(student.state_dict())}, float_network)
    head = {part: getattr(served.engine.head, part) for part in HEAD_PARTS}
    files = {
        BACKBONE: backbone,
        HEAD: arrays_file({**head, **exit_weights(student)}),
        OOD: ood_file(ood),
        FLOAT: float_network.getvalue(),
    }
    manifest = {
        **_identity(recipe, version),
        "architecture": {"class": f"{Student.__module__}.{Student.__qualname__}", **asdict(recipe.student)},
        "parameters": sum(parameter.numel() for parameter in student.parameters()),
        "data": _data(train, val, recipe, sources),
        "teachers": teachers(run / "best.pt"),
        "note": note,
        **fitted,
        "quantization": {
            "scheme": "static QDQ, per channel, u8 activations, s8 weights, reduced range",
            **quantization,
        },
        "reference": reference_output(served.engine),
        "files": {name: file_entry(file) for name, file in files.items()},
    }
    path = write_manifest(out, manifest, files)
    print(summary(manifest))
    return path


@dataclass(frozen=True, eq=False)
class Quantized:
    """The chosen int8 engine, its outputs on ``val``, and the logits of the float network there."""

    engine: Engine
    outputs: Outputs
    float_logits: Float32[Array, "n 7"]


def _quantized(
    student: Student, recipe: Recipe, train: ImageSet, val: ImageSet, calibrations: Sequence[Calibration]
) -> tuple[Quantized, bytes, dict[str, Any]]:
    """Step 1: the float graph, its int8 form as engine and as file, and the trials that led to it."""
    head = head_of(student)
    with TemporaryDirectory() as folder:
        float_path, backbone = Path(folder) / "float.onnx", Path(folder) / BACKBONE
        export_backbone(student, float_path, recipe.input.size_px)
        reference = run_on(engine_of(float_path, head, recipe), val, "float on val").logits
        trials = _Trials(float_path, head, recipe, val, reference)
        tried = trials.choose(_some(train, recipe), calibrations, backbone)
        engine, file = engine_of(backbone, head, recipe), backbone.read_bytes()
    return Quantized(engine, run_on(engine, val, "int8 on val"), reference), file, tried


def calibrated(served: Quantized, val: ImageSet, lesions: Sequence[str]) -> dict[str, Any]:
    """Step 2: temperature, cut-off, prediction sets and parity, all of the int8 engine on ``val``."""
    logits, reference, melanoma = served.outputs.logits, served.float_logits, INDEX[MELANOMA]
    temperature = fit_temperature(logits, val.labels)
    probs = softmax(logits, temperature)
    threshold = choose_threshold(
        val.labels == melanoma, probs[:, melanoma], AIMED_SENSITIVITY, f"the {grouped(len(val.labels))} photos of val"
    )
    return {
        "temperature": temperature,
        "exits": _exits(served.engine, val),
        "melanoma_threshold": asdict(threshold),
        "prediction_set": prediction_set(lesions, val.labels, probs),
        "parity": {
            **parity(reference, logits),
            "split": "val",
            "float": _figures(val.labels, softmax(reference, fit_temperature(reference, val.labels))),
            "int8": _figures(val.labels, probs),
        },
    }


def fitted_ood(served: Quantized, recipe: Recipe, train: ImageSet, sources: Sequence[_Source]) -> MahalanobisOOD:
    """Step 3: what the engine's features are like on the photos of training; the limit lets most held-out ones pass."""
    features, held_out = [run_on(served.engine, train, "int8 on train").pooled], [served.outputs.pooled]
    for theirs in sources:
        for entries, gathered in zip(theirs, (features, held_out), strict=True):
            if entries:
                part = ImageSet.of(entries, recipe.input)
                gathered.append(run_on(served.engine, part, "int8 on a source").pooled)
    return fit_ood(np.concatenate(features), np.concatenate(held_out))


def _identity(recipe: Recipe, version: str) -> dict[str, Any]:
    """What the manifest says of itself, of the versions it was made with, and of its files' names."""
    return {
        "schema": 1,
        "name": f"SkinLens student ({'distilled' if recipe.distillation.teacher else recipe.name})",
        **made_now(version),
        "labels": list(CODES),
        "input": asdict(recipe.input),
        "recipe": asdict(recipe),
        "backbones": {"int8": BACKBONE},
        "head": HEAD,
        "ood": OOD,
        "checkpoint": FLOAT,
    }


def _data(train: ImageSet, val: ImageSet, recipe: Recipe, sources: Sequence[_Source]) -> dict[str, Any]:
    return {
        "name": "HAM10000",
        "protocol": "lesion",
        "split": SPLIT,
        "split_sha256": hashlib.sha256(split_file().read_bytes()).hexdigest(),
        "photos": {"train": len(train.labels), "val": len(val.labels)},
        "sources": [
            {"name": source.name or source.folder, "photos": {"train": len(theirs[0]), "val": len(theirs[1])}}
            for source, theirs in zip(recipe.sources, sources, strict=True)
        ],
    }


def teachers(best: Path) -> dict[str, str]:
    """SHA-256 of the files that a run's student learned from, by their part; empty where it had the labels alone."""
    saved = torch.load(best, map_location="cpu", weights_only=True)
    second = saved.get("second_teacher_sha256") or saved.get("companion_sha256")
    digests = {"teacher": saved.get("teacher_sha256"), "second_teacher": second}
    return {part: digest for part, digest in digests.items() if digest}


def prediction_set(lesions: Sequence[str], labels: Int64[Array, " n"], probs: Array) -> dict[str, Any]:
    """The rule for sets of classes as the manifest holds it: from half of ``val``, so that the rest can measure it."""
    half, fingerprint = split_calibration_test(lesions, labels)
    rule = fit_conformal_sets(labels[half], probs[half], f"{grouped(int(half.sum()))} photos of val")
    counts = np.bincount(labels[half], minlength=len(CODES)).tolist()
    return {
        "level": rule.level,
        "class_thresholds": dict(zip(CODES, rule.class_thresholds, strict=True)),
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
    serving = sum(manifest["files"][name]["bytes"] for name in (BACKBONE, HEAD, OOD))
    return "\n".join(
        [
            f"{manifest['name']} {manifest['version']}, on val ({grouped(manifest['data']['photos']['val'])} photos):",
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


def run_on(engine: Engine, part: ImageSet, what: str) -> Outputs:
    """Outputs of the engine on each photo; ``what`` is said of the progress."""
    pooled = [
        pool(engine.features(normalize(part.images[start : start + BATCH], engine.spec)))
        for start in tqdm(range(0, len(part.images), BATCH), desc=what, mininterval=5)
    ]
    together = np.concatenate(pooled)
    return Outputs(engine.head.logits_of_pooled(together), together)


def ood_file(ood: MahalanobisOOD) -> bytes:
    """File of a release's out-of-distribution statistics."""
    return arrays_file({"mean": ood.mean, "whitening": ood.whitening, "limit": np.float64(ood.limit)})


def arrays_file(arrays: Mapping[str, Any]) -> bytes:
    """NPZ file of these arrays."""
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _exits(engine: Engine, val: ImageSet) -> dict[str, dict[str, float]]:
    """Of each early answer by itself: the temperature that makes probabilities of its logits, and how well it does."""
    starts = range(0, len(val.images), BATCH)
    early = [engine.run(normalize(val.images[start : start + BATCH], engine.spec))[1:3] for start in starts]
    figures = {}
    for name, parts in zip(Exits._fields, zip(*early, strict=True), strict=True):
        logits = np.concatenate(parts)
        matrix = metrics.confusion(val.labels, logits.argmax(axis=1))
        figures[name] = {
            "temperature": fit_temperature(logits, val.labels),
            "balanced_accuracy": metrics.balanced_accuracy(matrix),
        }
    return figures


def _some(train: ImageSet, recipe: Recipe) -> Batch:
    """Photos of ``train`` to calibrate by, as the network is given them."""
    count = min(CALIBRATION_PHOTOS, len(train.images))
    chosen = np.random.default_rng(recipe.seed).choice(len(train.images), count, replace=False)
    return normalize(train.images[chosen], recipe.input)


@dataclass(frozen=True, eq=False)
class _Trials:
    """Int8 forms of one float network: each calibration with each choice of float layers."""

    float_path: Path
    head: Head
    recipe: Recipe
    val: ImageSet
    reference: Float32[Array, "n 7"]
    """Logits of the float network on ``val``."""

    def choose(self, photos: Batch, calibrations: Sequence[Calibration], backbone: Path) -> dict[str, Any]:
        """Try all of them; of those that agree about best with the float network, the fastest becomes ``backbone``."""
        tried: list[dict[str, Any]] = []
        with TemporaryDirectory() as name:
            folder = Path(name)
            for calibration, exclude in product(calibrations, MIXED_PRECISION_CANDIDATES):
                path, calibration_cache = folder / f"{len(tried)}.onnx", folder / f"{calibration}.json"
                quantize(self.float_path, path, photos, calibration, exclude, calibration_cache, folder / "rounded.npz")
                tried.append(
                    {"calibration": calibration, "float_layers": list(exclude), **self._measure(path, calibration)}
                )
                print(json.dumps(tried[-1]))
            exact = metrics.balanced_accuracy(metrics.confusion(self.val.labels, self.reference.argmax(axis=1)))
            best = fastest_that_agrees(tried, exact)
            backbone.write_bytes((folder / f"{best}.onnx").read_bytes())
        return {"photos": len(photos), "photos_from": "train", "chosen": tried[best], "tried": tried}

    def _measure(self, path: Path, calibration: Calibration) -> dict[str, Any]:
        logits = run_on(engine_of(path, self.head, self.recipe), self.val, f"{calibration} on val").logits
        return {
            **parity(self.reference, logits),
            "balanced_accuracy": metrics.balanced_accuracy(metrics.confusion(self.val.labels, logits.argmax(axis=1))),
            "bytes": path.stat().st_size,
        }


def fastest_that_agrees(tried: Sequence[Mapping[str, Any]], balanced_accuracy: float) -> int:
    """The trial with fewest float layers of those close to the best; ``balanced_accuracy``: of the float network."""
    agreement = max(trial["top1_agreement"] for trial in tried)
    close = [
        number
        for number, trial in enumerate(tried)
        if trial["top1_agreement"] >= agreement - CLOSE_AGREEMENT
        and trial["balanced_accuracy"] >= balanced_accuracy - CLOSE_ACCURACY
    ]

    def worth(number: int) -> tuple[float, float, float]:
        trial = tried[number]
        return -len(trial["float_layers"]) if close else 0.0, trial["top1_agreement"], -trial["logit_mean_abs"]

    return max(close or range(len(tried)), key=worth)


def engine_of(path: Path, head: Head, recipe: Recipe, turns: int = 1) -> Engine:
    """Engine of a file that is not released; ``turns`` as ``Engine`` has them."""
    content = path.read_bytes()
    model_ref = ModelRef(recipe.name, "unreleased", hashlib.sha256(content).hexdigest())
    return Engine(content, head, recipe.input, model_ref, turns=turns)


def _figures(labels: Int64[Array, " n"], probs: Array) -> dict[str, float]:
    matrix = metrics.confusion(labels, probs.argmax(axis=1))
    return {
        "accuracy": metrics.accuracy(matrix),
        "balanced_accuracy": metrics.balanced_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix),
        "macro_auc": metrics.macro_auc(labels, probs),
        "melanoma_auc": metrics.melanoma_auc(labels, probs),
        "ece": metrics.calibration_error(labels, probs),
    }


def reference_output(engine: Engine) -> dict[str, Any]:
    """Answer of the engine to the drawn example: ``doctor`` asks it again on the machine it runs on."""
    photo = photo_from_pixels(draw_synthetic_lesion(REFERENCE_SEED), "drawn")
    return {"photo": photo.sha256, "logits": engine.logits(to_batch([photo], engine.spec))[0].tolist()}
