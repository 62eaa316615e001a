"""Measured figures: their titles and meanings, and the photos that they were measured on."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from skinlens.formatting import counted, grouped, rounded_percent

HEADLINES: Mapping[str, str] = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "macro_auc": "Macro AUC",
    "melanoma_auc": "Melanoma AUC",
    "ece": "Calibration error (ECE)",
}
"""Key of a figure → its title, in the order of a table."""
MEANINGS: Mapping[str, str] = {
    "balanced_accuracy": "mean sensitivity per class: rare classes count as much as nevi",
    "accuracy": "share of photos whose most probable class is right; dominated by nevi, the most frequent class",
    "macro_f1": "balance of sensitivity and precision, averaged over the classes",
    "weighted_f1": "the same, weighted by the photos of each class; dominated by nevi",
    "macro_auc": "how well probabilities rank a class above the others, on average; 0.5 is chance, 1 is perfect",
    "melanoma_auc": "the same for melanoma alone",
    "ece": "mean gap between stated probabilities and observed frequencies; 0 is best",
}
TARGETS: Mapping[Literal["melanoma", "malignant"], str] = {
    "melanoma": "Melanoma",
    "malignant": "Malignant or pre-malignant",
}
"""Group of diagnoses that a cut-off is meant to detect."""
SPLITS: Mapping[str, str] = {"test": "test set", "val": "validation set"}
DATA_SETS: Mapping[str, str] = {
    "isic2017": "ISIC 2017 challenge",
    "isic2017_validation": "ISIC 2017 challenge, photos held out",
    "isic2018_val": "ISIC 2018 challenge, validation photos",
}
"""Short name of further photos in a release or a list → the name that their publisher gave them."""
SUBGROUPS: Mapping[str, str] = {
    "sex": "sex",
    "age": "age",
    "site": "body site",
    "confirmed_by": "diagnosis known by",
    "source": "clinic and camera",
}
"""What subgroups are divided by."""


def data_set(short: str) -> str:
    """The name of photos that a release gives by a list's or a folder's name, with or without the photos' size."""
    name = re.sub(r"_\d+x\d+$", "", short)
    return DATA_SETS.get(name, name.replace("_", " "))


def photos(evaluation: Mapping[str, Any]) -> str:
    """The photos of an evaluation, as "1,505 photos of the test set"."""
    split = SPLITS.get(evaluation["split"])
    return f"{grouped(evaluation['n'])} photos of the {split}" if split else counted(evaluation["n"], "photo")


def middle_of_melanoma(bins: Sequence[Mapping[str, Any]]) -> str:
    """Share of melanomas where their stated probability is 20 to 60 %; empty where no photo has such a probability.

    The overall calibration error hides it: most photos have a probability near 0.

    Args:
        bins: Of the reliability diagram of melanoma; the edges of fifteen bins lie at 20 and 60 %.
    """
    middle = [entry for entry in bins if 0.2 <= entry["stated"] < 0.6]
    count = sum(entry["n"] for entry in middle)
    if not count:
        return ""
    stated = sum(entry["n"] * entry["stated"] for entry in middle) / count
    melanomas = round(sum(entry["n"] * entry["happened"]["value"] for entry in middle))
    return (
        f"In {counted(count, 'photo')}, melanoma's probability lies between 20 and 60 %, and averages "
        f"{rounded_percent(stated)}; {grouped(melanomas)} of them are melanomas "
        f"({rounded_percent(melanomas / count)})."
    )
