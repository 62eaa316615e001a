"""Performance: seven figures and the limits first; what stands behind them in parts of their own."""

from collections.abc import Callable, Mapping

import streamlit as st

from skinlens.ui.performance import card, measured, practice, sanity
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
    card.how_well()
    st.header("On photos of other clinics")
    card.elsewhere()
    st.header("What it cannot do, and for whom it was not tried")
    card.limits()
    st.header("What it is")
    card.what_it_is(release)


def _errors() -> None:
    card.per_class()
    st.header("If it answered only where it is surest")
    measured.selective_prediction()
    st.header("Pictures of other things")
    measured.foreign()


def _cutoff() -> None:
    card.threshold(cache.manifest())
    measured.thresholds()


def _calibration() -> None:
    measured.probabilities()
    st.header("Lists of classes that cannot be ruled out")
    measured.sets()


def _maps() -> None:
    sanity.section()


def _practice() -> None:
    st.header("You, the model and histology")
    practice.outcomes(cache.store())
    st.header("Time and cost")
    practice.calculator(cache.store())


def _versions() -> None:
    release = cache.manifest()
    card.versions(release)
    st.header("Reduced to 8 bits")
    card.parity(release)


TOPICS: Mapping[str, Callable[[], None]] = {
    "Overview": _overview,
    "Errors": _errors,
    "Cut-off": _cutoff,
    "Calibration": _calibration,
    "Subgroups": measured.subgroups,
    "Maps": _maps,
    "Your practice": _practice,
    "Versions": _versions,
}
