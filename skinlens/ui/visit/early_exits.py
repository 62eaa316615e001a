"""Early-exit predictions of the two branches beside the final one, each with its map."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from skinlens.checks.contract import Check
from skinlens.checks.early_exits import TITLES, depth_maps, reads
from skinlens.explain.overlay import blend
from skinlens.formatting import percent
from skinlens.imaging.preprocess import InputSpec, heatmap_to_photo
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Photo, Target
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.ui.state import cache, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks
from skinlens.wording.maps import nothing_for, over_photo
from skinlens.wording.naming import name
from skinlens.wording.records import target_words

PICTURE_PX = 480
"""Long side of a picture: these maps are coarse, the last of the deep branch has six places across."""


def section(check: Check, opened: OpenCase, classifier: Classifier | None) -> None:
    checks.section(check, opened, classifier, _show)


def _show(check: Check, opened: OpenCase, results: Sequence[CheckResult]) -> None:
    result = results[-1]
    answers, classifier = result.figures["answers"], session.classifier_of(opened)
    st.markdown(plain(result.figures["verdict"]))
    drawn: Sequence[tuple[bytes, bool]] = ()
    size_px = (classifier.engine.spec if classifier else InputSpec()).size_px
    if classifier is not None and result.model == classifier.engine.model_ref:
        photo, target = opened.analysis.photo, opened.target
        drawn = _pictures(photo.sha256, classifier.engine.model_ref.sha256, target, photo, classifier)
    for place, column in enumerate(st.columns(len(answers), gap="medium")):
        with column:
            _answer(answers[place], opened.target, drawn[place] if drawn else None)
            st.caption(reads(answers[place]["stage"], size_px))
    with st.expander("All probabilities of the three answers"):
        widgets.table(check.columns, check.rows(results))
        if not result.figures["calibrated"]:
            st.caption("The probabilities of the early answers are not calibrated in this release.")
    checks.provenance([result])


def _answer(answer: Mapping[str, Any], target: Target, drawn: tuple[bytes, bool] | None) -> None:
    title = TITLES[answer["stage"]]
    top = answer["top"]
    st.markdown(f"**{title}**: {plain(name(top))}, {plain(percent(answer['probs'][top]))}")
    if drawn:
        picture, empty = drawn
        st.image(picture, width="stretch", alt=f"{title}: {over_photo('Grad-CAM', target_words(target))}")
        if empty:
            st.caption(plain(nothing_for(target_words(target), " here")))
    if answer["balanced_accuracy"] is not None:
        right = percent(answer["balanced_accuracy"])
        st.caption(plain(f"By itself right on {right} of the validation photos, all classes counted alike."))


@st.cache_data(show_spinner=False, max_entries=32)
def _pictures(
    sha256: str,  # noqa: ARG001  the hashes and the target are the key
    model: str,  # noqa: ARG001
    target: Target,
    _photo: Photo,
    _classifier: Classifier,
) -> list[tuple[bytes, bool]]:
    """The photo under the map of each answer, as JPEG, and whether that map is empty.

    No picture at all where the release does not give the maps out.
    """
    small, spec = cache.reduced(_photo, PICTURE_PX), _classifier.engine.spec
    height, width = small.shape[:2]
    maps = depth_maps(_classifier, _photo, target)
    return [
        (
            cache.jpeg(blend(small, heatmap_to_photo(depth_map.heatmap, height, width, spec))),
            not depth_map.heatmap.any(),
        )
        for depth_map in maps
    ]
