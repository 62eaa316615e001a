"""Performance: seven figures and the limits first; what stands behind them in parts of their own."""

from collections.abc import Callable, Mapping

import streamlit as st

from skinlens.ui.performance import drift, evaluation, explanations, overview, practice, reference
from skinlens.ui.shell import frame
from skinlens.ui.state import address, cache

TOPIC = "topic"
"""Key, and name in the address, of the part that is shown."""


def page() -> None:
    """One part at a time: the others are not computed."""
    frame.title("Performance")
    cache.classifier()  # without a model there is nothing to say
    address.parts(TOPIC, TOPICS)


def _overview() -> None:
    release = cache.manifest()
    overview.how_well()
    st.header("On photos of other clinics")
    overview.elsewhere()
    st.header("What it cannot do, and for whom it was not tried")
    overview.limits()
    st.header("What it is")
    overview.what_it_is(release)


def _errors() -> None:
    overview.per_class()
    st.header("Selective prediction: if it answered only where it is sure")
    evaluation.selective_prediction()
    st.header("Out-of-distribution images")
    evaluation.foreign()


def _cutoff() -> None:
    overview.threshold(cache.manifest())
    evaluation.thresholds()


def _calibration() -> None:
    evaluation.probabilities()
    st.header("Lists of classes that cannot be ruled out")
    evaluation.sets()


def _maps() -> None:
    explanations.section()
    reference.of_open_case()


def _practice() -> None:
    st.header("You, the model and histology")
    practice.outcomes(cache.store())
    st.header("Time and cost")
    practice.calculator(cache.store())


def _drift() -> None:
    drift.section(cache.store())


def _versions() -> None:
    release = cache.manifest()
    overview.versions(release)
    st.header("Quantization parity (int8 and float)")
    overview.parity(release)


TOPICS: Mapping[str, Callable[[], None]] = {
    "Overview": _overview,
    "Errors": _errors,
    "Cut-off": _cutoff,
    "Calibration": _calibration,
    "Subgroups": evaluation.subgroups,
    "Maps": _maps,
    "Your practice": _practice,
    "Drift": _drift,
    "Versions": _versions,
}
