"""Does the model follow the maps better than chance? On request, map by map."""

from collections.abc import Sequence

import streamlit as st

from skinlens.checks.faithfulness import CLEARLY_WORDS, KIND, RANDOM_MAPS, faithfulness
from skinlens.explain import METHODS
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation, Photo, Progress
from skinlens.ui import checks, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import percent, plain

HELP = f"""
The hottest parts of a map are blurred first, or become sharp first, step by step, and the model is asked at each step.
If the map shows what moves the model, the probability falls early in the one case and rises early in the other.

The same is done with {RANDOM_MAPS} random maps that are as rough, on the same photo. **Better than chance** is a map
that does better than their mean {CLEARLY_WORDS}. It is a low bar: the place matters to the model; whether it matters to
the diagnosis is another question.

**Loss without surroundings**: the share of the probability that is lost when only what is hot stays sharp.

A blurred photo is mostly read as a melanocytic nevus, the commonest class. For that class the probability moves little,
and the check tells less.
"""


ASKING = checks.Asking(
    "Faithfulness",
    HELP,
    "Check the maps against the model",
    "Cancel the check against the model",
    lambda target: (
        f"Does the model's answer on {plain(target)} change with what a map calls hot? It takes some seconds."
    ),
)


def section(opened: OpenCase, classifier: Classifier | None) -> None:
    checks.section_of_maps(opened, KIND, classifier, _check, ASKING, _table)


def _check(classifier: Classifier, photo: Photo, explanation: Explanation, progress: Progress) -> CheckResult:
    return faithfulness(classifier, photo, explanation, progress=progress).to_check()


def _table(found: Sequence[CheckResult], target: str) -> None:
    widgets.table(
        ("Map", "Deletion test", "Insertion test", "Loss without surroundings", "Result"),
        [
            (
                METHODS[one.method].title if one.method else "",
                f"{percent(one.figures['deletion'])} (chance {percent(one.figures['random_deletion_mean'])})",
                f"{percent(one.figures['insertion'])} (chance {percent(one.figures['random_insertion_mean'])})",
                f"{100 * one.figures['average_drop']:.0f} %",
                "better than chance" if one.figures["better_than_chance"] else "not clearly better than chance",
            )
            for one in found
        ],
    )
    st.caption(
        f"Mean probability of {plain(target)} along the way. Blurred first: lower is better. "
        f"Sharp first: higher is better. Clearly better: {CLEARLY_WORDS}."
    )
    checks.provenance(found)
