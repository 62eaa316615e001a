"""Operating point of a result: the classes that cannot be ruled out, and the predictive values at a prevalence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import streamlit as st

from skinlens import published_figures
from skinlens.formatting import grouped, interval, percent, rounded_percent
from skinlens.impact import PARAMETERS
from skinlens.metrics import predictive_values
from skinlens.records import ModelRef, Prediction, QualityReport, Threshold
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.ui.state import cache
from skinlens.wording.evaluation import photos
from skinlens.wording.quality import GRAY_BARS, UNRELIABLE, cause
from skinlens.wording.verdict import (
    FLAGGED_TOO,
    agreement,
    in_full,
    set_promise,
    set_remark,
    set_words,
    turns_statement,
)

USUAL_PREVALENCE_PERCENT = round(100 * PARAMETERS["prevalence"].default, 1)
_LESIONS, _MELANOMAS = 23_487, 1_737
SOURCE = (
    f"It begins at {rounded_percent(USUAL_PREVALENCE_PERCENT / 100, 1)}: of {grouped(_LESIONS)} suspicious lesions "
    f"that were examined with a dermatoscope in 27 studies, {grouped(_MELANOMAS)} were melanomas (Cochrane review, "
    "Dinnes et al. 2018, CD011902). In general practice there are fewer."
)
LESIONS = 1000


@dataclass(frozen=True)
class Rates:
    """Sensitivity and specificity of a threshold, whatever the prevalence."""

    sensitivity: float
    specificity: float
    least: tuple[float, float] | None
    """Lower ends of the 95 % ranges of both; None where only the values are known."""
    most: tuple[float, float] | None
    measured_on: str


def rates(model: ModelRef, threshold: Threshold) -> Rates:
    """Rates as measured on photos kept aside, if that was done for this very model; otherwise where it was chosen."""
    for evaluation in published_figures.evaluations(model).values():
        row = published_figures.at_cutoff(evaluation, threshold.value)
        if row and row["sensitivity"]["value"] is not None:
            return _rates_of(row, photos(evaluation))
    return Rates(threshold.sensitivity, threshold.specificity, None, None, in_full(threshold.chosen_on))


def _rates_of(row: Mapping[str, Any], measured_on: str) -> Rates:
    sensitivity, specificity = row["sensitivity"], row["specificity"]
    return Rates(
        sensitivity["value"],
        specificity["value"],
        (sensitivity["low"], specificity["low"]),
        (sensitivity["high"], specificity["high"]),
        measured_on,
    )


def first_line(quality: QualityReport, prediction: Prediction) -> None:
    """First line of a result: that the result is unreliable, or on which side of the cut-off melanoma lies."""
    if quality.reliable:
        widgets.melanoma_statement(prediction, figures=cache.settings().cutoff_shown)
    else:
        unreliable(quality)


def verdict(
    quality: QualityReport, prediction: Prediction, impression: str | None, *, result_first: bool | None
) -> None:
    """Lines below the first one: impression, probabilities, what cannot be ruled out, whether both agree."""
    widgets.impression(impression, result_first=result_first)
    widgets.distribution(prediction, reliable=quality.reliable, cutoff=cache.settings().cutoff_shown)
    if not quality.reliable:
        st.caption(GRAY_BARS)
        return
    if apart := turns_statement(prediction):
        st.caption(plain(apart))
    label_set(prediction)
    if said := agreement(impression, quality, prediction):
        st.info(plain(said))


def unreliable(quality: QualityReport) -> None:
    """Warning that nothing holds for this photo, and why, as far as it is known."""
    st.html(
        f'<div class="sl-statement unreliable" role="note"><b>{escape(UNRELIABLE)}</b> '
        f"<br><small>{escape(cause(quality))}</small></div>"
    )


def label_set(prediction: Prediction) -> None:
    """The classes that the model cannot rule out, at which level, and on what that was calibrated."""
    labels = prediction.prediction_set
    if labels is None:
        return
    small = " ".join(filter(None, (set_remark(prediction), set_promise(labels))))
    words = set_words(prediction, labels)
    st.html(f'<div class="sl-statement"><b>{escape(words)}</b><br><small>{escape(small)}</small></div>')


def prevalence() -> float:
    """The share of melanomas that the reader sets; kept for the session, on every page that asks for it."""
    return widgets.share_of_lesions("Melanomas", USUAL_PREVALENCE_PERCENT, key="prevalence_percent", help_text=SOURCE)


@st.fragment
def at_a_prevalence(quality: QualityReport, prediction: Prediction) -> None:
    """Predictive values of melanoma's threshold, and the same in numbers of lesions; nothing where nothing holds."""
    if not quality.reliable:
        return
    threshold = prediction.melanoma_threshold
    with st.expander("Predictive values in your practice"):
        share = prevalence()
        known = rates(prediction.model, threshold)
        st.markdown("\n".join(f"- {sentence}" for sentence in predictive_statements(known, share)))
        st.caption(
            plain(
                f"Sensitivity {percent(known.sensitivity)}, specificity {percent(known.specificity)}: measured on "
                f"{known.measured_on}, and taken to hold for your patients too. {SOURCE}"
            )
        )


def predictive_statements(known: Rates, share: float) -> tuple[str, ...]:
    """The two predictive values, and what becomes of a thousand lesions."""
    ill = LESIONS * share
    flagged, false_alarms = ill * known.sensitivity, (LESIONS - ill) * (1 - known.specificity)
    return (
        f"**At or above the cut-off:** melanoma in {_value(known, share, 0)} (positive predictive value).",
        f"**Below it:** no melanoma in {_value(known, share, 1)} (negative predictive value).",
        f"Of {grouped(LESIONS)} lesions, {ill:.0f} are melanomas: {flagged:.0f} are flagged, {ill - flagged:.0f} "
        "missed; "
        f"{false_alarms:.0f} {FLAGGED_TOO}.",
    )


def _value(known: Rates, share: float, place: int) -> str:
    """A predictive value, and its range: with both rates at their lower, and at their upper, ends."""
    value = predictive_values(known.sensitivity, known.specificity, share)[place]
    if math.isnan(value):
        return "none, as no lesion falls on this side"
    if known.least is None or known.most is None:
        return percent(value)
    ends = [predictive_values(*end, share)[place] for end in (known.least, known.most)]
    low, high = (percent(end) if not math.isnan(end) else percent(value) for end in ends)
    return interval(percent(value), low, high)
