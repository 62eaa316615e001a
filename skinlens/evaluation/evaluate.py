"""Evaluation of a release on a labeled data set; every figure with its bootstrap 95 % interval."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int, Int64

from skinlens import clock, metrics
from skinlens.evaluation import ood
from skinlens.evaluation.bootstrap import RESAMPLES, SEED, with_ci
from skinlens.evaluation.conformal import prediction_sets
from skinlens.evaluation.ground_truth import NO_CLASS, LabelFile, read_labels, rows_with_picture
from skinlens.evaluation.operating_points import thresholds
from skinlens.evaluation.patient_context import with_context
from skinlens.evaluation.predictions import Predictions, run_model
from skinlens.evaluation.reliability import reliability
from skinlens.evaluation.risk_coverage import risk_coverage
from skinlens.evaluation.subgroups import subgroups
from skinlens.formatting import counted, estimate, rounded_percent
from skinlens.inference.classifier import Classifier
from skinlens.labels import CODES
from skinlens.records import Array
from skinlens.training.ham10000 import picture_paths

HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "macro_auc", "melanoma_auc", "ece")


def evaluate(
    classifier: Classifier, images: Path, labels: Path, split: str | Path | None = None, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Everything that ``python -m skinlens evaluate`` writes, ready for JSON.

    ``split``: a part of HAM10000, or a file with the ids of the photos that are measured. Pictures are found below
    ``images`` by their id. Missing and unreadable ones are named, and not counted in ``n``.

    Raises:
        DatasetError: the label file is of no known kind, or not one picture of it is there.
    """
    listed = read_labels(labels, split)
    pictures = picture_paths(images)
    present = rows_with_picture(listed, pictures, labels, images)
    missing = [row.image_id for row in listed.rows if row.image_id not in pictures]
    predictions = run_model(classifier, present, pictures)
    return evaluation_of(classifier, predictions, listed, missing, labels, split, resamples)


def evaluation_of(
    classifier: Classifier,
    predictions: Predictions,
    listed: LabelFile,
    missing: Sequence[str],
    labels: Path,
    split: str | Path | None,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """The figures of predictions that are made already; ``missing``: ids of the label file without a picture."""
    truth, probs, groups = predictions.truth, predictions.probs, predictions.groups
    return {
        "n": len(predictions.rows),
        "lesions": int(groups.max()) + 1,
        "missing": len(missing),
        "missing_ids": list(missing),
        "unreadable_ids": list(predictions.unreadable),
        "other_classes": listed.other_classes,
        "left_out": dict(listed.left_out),
        "metadata_not_understood": dict(listed.not_understood),
        "labels": list(CODES),
        "split": split.stem if isinstance(split, Path) else split,
        "confusion": metrics.confusion(truth, probs.argmax(axis=1)).tolist(),
        **_figures(truth, probs, groups, resamples),
        **_beyond_the_headline(classifier, predictions, listed, resamples),
        "bootstrap": {"resamples": resamples, "seed": SEED, "drawn": listed.grouped_by, "interval": 0.95},
        "model": {
            "name": classifier.engine.model_ref.name,
            "version": classifier.engine.model_ref.version,
            "sha256": classifier.engine.model_ref.sha256,
            "temperature": classifier.temperature,
        },
        "label_file": labels.name,
        "created_at": clock.utc_now(),
    }


def _beyond_the_headline(
    classifier: Classifier, predictions: Predictions, listed: LabelFile, resamples: int
) -> dict[str, Any]:
    """What it takes to believe a figure, or not to."""
    truth, probs, groups = predictions.truth, predictions.probs, predictions.groups
    threshold, limit = classifier.melanoma_threshold.value, classifier.ood.limit
    return {
        "reliability": reliability(truth, probs, groups, resamples),
        "thresholds": thresholds(truth, probs, groups, threshold, resamples),
        "subgroups": subgroups(predictions, threshold, limit, resamples),
        "patient_context": with_context(classifier.context_model, predictions, resamples),
        "risk_coverage": risk_coverage(truth, probs, groups, resamples),
        "prediction_sets": prediction_sets(classifier.set_rule, predictions, listed, resamples),
        "ood": ood.report(predictions.distances, groups, ood.distances(classifier, ood.pictures()), limit, resamples),
    }


def _all_figures(truth: Int64[Array, " n"], probs: Float64[Array, "n 7"]) -> Float64[Array, " k"]:
    """The figures of the whole, then recall and precision of each class."""
    matrix = metrics.confusion(truth, probs.argmax(axis=1))
    whole = (*of_the_whole(truth, probs, matrix), metrics.calibration_error(truth, probs))
    return np.concatenate([whole, metrics.recalls(matrix), metrics.precisions(matrix)])


def of_the_whole(
    truth: Int64[Array, " n"], probs: Float64[Array, "n 7"], matrix: Int[Array, "7 7"]
) -> tuple[float, ...]:
    """Accuracy, balanced accuracy, macro and weighted F1, macro and melanoma AUC."""
    return (
        metrics.accuracy(matrix),
        metrics.balanced_accuracy(matrix),
        metrics.macro_f1(matrix),
        metrics.weighted_f1(matrix),
        metrics.macro_auc(truth, probs),
        metrics.melanoma_auc(truth, probs),
    )


def _figures(
    truth: Int64[Array, " n"], probs: Float64[Array, "n 7"], groups: Int64[Array, " n"], resamples: int
) -> dict[str, Any]:
    figures = with_ci(lambda rows: _all_figures(truth[rows], probs[rows]), groups, resamples)
    whole, count = len(HEADLINES), len(CODES)
    recall, precision = figures[whole : whole + count], figures[whole + count :]
    return {
        **dict(zip(HEADLINES, figures, strict=False)),
        "per_class": {
            code: {"n": int((truth == index).sum()), "recall": recall[index], "precision": precision[index]}
            for index, code in enumerate(CODES)
        },
    }


def summary(result: dict[str, Any]) -> str:
    """The figures as a table for the terminal."""
    lines = [
        f"{counted(result['n'], 'photo')} measured; model {result['model']['sha256'][:12]}",
        *_not_measured(result),
    ]
    lines += [f"  left out           {words}" for words in left_out(result["left_out"])]
    lines += [
        f"  not understood     {value}, in {counted(count, 'line')}: counted as not recorded"
        for value, count in result["metadata_not_understood"].items()
    ]
    for name in HEADLINES:
        lines.append(f"  {name:<18} {estimate(result[name])}")
    lines.append(f"  {'':<18} {'recall':<24} precision")
    for code, entry in result["per_class"].items():
        lines.append(f"  {code:<6}{entry['n']:>6}      {estimate(entry['recall']):<24} {estimate(entry['precision'])}")
    if context := result.get("patient_context"):
        lines.append(f"  with age, sex and site, of the {context['n']} photos with any of them:")
        for name, gain in context["gain"].items():
            lines.append(f"  {name:<18} {estimate(context['with_context'][name])}, change {estimate(gain)}")
    sets, strange = result["prediction_sets"], result["ood"]
    if sets:
        lines.append(
            f"  sets at {rounded_percent(sets['level'])}: coverage {estimate(sets['coverage'])} of {sets['n']} photos,"
        )
        lines.append(f"  {'':<18} mean size {estimate(sets['mean_size'])}")
    lines.append(f"  foreign pictures   AUROC {estimate(strange['auroc'])}, refused {strange['rejection_rate']:.3f}")
    lines.append(f"  own photos refused {estimate(strange['in_distribution_rejection'])}")
    return "\n".join(lines)


def _not_measured(result: Mapping[str, Any]) -> list[str]:
    """Photos of the label file that the figures leave out, and why: a line for each reason."""
    said, missing, unreadable = [], result["missing_ids"], result["unreadable_ids"]
    if missing:
        said.append(
            f"  not measured: {counted(len(missing), 'photo')} of {result['label_file']}, as there is no file of that "
            f"name among those that were read (the first is {missing[0]})"
        )
    if unreadable:
        said.append(f"  not measured: {counted(len(unreadable), 'photo')} that could not be read ({unreadable[0]} …)")
    return said


def left_out(counts: Mapping[str, int]) -> list[str]:
    """Photos of a label file that were not measured, as the model has no class for them: a line for each column."""
    said = []
    for column, count in counts.items():
        photos = counted(count, "photo")
        means = f" ({NO_CLASS[column.lower()]})" if column.lower() in NO_CLASS else ""
        said.append(f"{photos} of {column}{means}: no class of the model" if column else f"{photos} without a class")
    return said
