"""Early-exit predictions of the two branches beside the final one, each with its map."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from skinlens.checks.early_exits import KIND, TITLES, depth_maps, early_exits, reads
from skinlens.explain.overlay import LEGEND, blend
from skinlens.imaging.preprocess import InputSpec, heat_to_photo
from skinlens.inference.classifier import Classifier
from skinlens.labels import CODES
from skinlens.records import CheckResult, Photo, Progress, Target
from skinlens.ui import cache, checks, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import name, percent, plain

PICTURE_PX = 480
"""Long side of a picture: these maps are coarse, the last of the deep branch has six places across."""
HELP = """
The network has two branches, and each can give an answer by itself, an early one. The final answer is made from both,
so the three do not follow one upon the other. If the deep branch by itself says something else than the final answer,
that answer is less often right.

The pictures are Grad-CAM maps of each answer, for the class that is chosen above. Each is drawn from 0, none, to 1, its
own most: their colors tell where, not how much.
"""


def section(opened: OpenCase, classifier: Classifier | None) -> None:
    found = opened.checks_of(KIND)
    if not found and classifier is None:
        return
    st.subheader("Answers of the two branches", help=HELP)
    if not found and classifier is not None:
        if opened.case is not None:  # looking at a stored case must not change it
            photo = opened.analysis.photo
            checks.ask(
                opened,
                (KIND, ""),
                "Ask the network's early answers",
                "Cancel the early answers",
                lambda progress: _compute(classifier, photo, progress),
            )
            return
        opened.keep_checks(_compute(classifier, opened.analysis.photo))
        found = opened.checks_of(KIND)
    _show(opened, found[-1], classifier)


def _compute(classifier: Classifier, photo: Photo, progress: Progress | None = None) -> Sequence[CheckResult]:
    made = early_exits(classifier, photo).to_check()
    if progress:
        progress(1.0)
    return [made]


def _show(opened: OpenCase, check: CheckResult, classifier: Classifier | None) -> None:
    answers = check.figures["answers"]
    st.markdown(plain(check.figures["verdict"]))
    drawn: Sequence[tuple[bytes, bool]] = ()
    size_px = (classifier.engine.spec if classifier else InputSpec()).size_px
    if classifier is not None and check.model == classifier.engine.stamp:
        photo, target = opened.analysis.photo, opened.target
        drawn = _pictures(photo.sha256, classifier.engine.stamp.sha256, target, photo, classifier)
    for place, column in enumerate(st.columns(len(answers), gap="medium")):
        with column:
            _answer(answers[place], opened.target, drawn[place] if drawn else None)
            st.caption(reads(answers[place]["stage"], size_px))
    with st.expander("All probabilities of the three answers"):
        _table(answers)
        if not check.figures["calibrated"]:
            st.caption("The probabilities of the early answers are not calibrated in this release.")
    checks.provenance([check])


def _answer(answer: Mapping[str, Any], target: Target, drawn: tuple[bytes, bool] | None) -> None:
    title = TITLES[answer["stage"]]
    top = answer["top"]
    st.markdown(f"**{title}**: {plain(name(top))}, {plain(percent(answer['probs'][top]))}")
    if drawn:
        picture, empty = drawn
        st.image(picture, width="stretch", alt=f"{title}: Grad-CAM map for {target.words} over the photo. {LEGEND}.")
        if empty:
            st.caption(plain(f"No part of the photo speaks for {target.words} here."))
    if answer["balanced_accuracy"] is not None:
        right = percent(answer["balanced_accuracy"])
        st.caption(plain(f"By itself right on {right} of the validation photos, all classes counted alike."))


def _table(answers: Sequence[Mapping[str, Any]]) -> None:
    order = sorted(CODES, key=lambda code: -answers[-1]["probs"][code])
    widgets.table(
        ("Class", *(TITLES[answer["stage"]] for answer in answers)),
        [(name(code), *(percent(answer["probs"][code]) for answer in answers)) for code in order],
    )


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
    found = depth_maps(_classifier, _photo, target)
    return [
        (cache.jpeg(blend(small, heat_to_photo(one.heat, height, width, spec))), not one.heat.any()) for one in found
    ]
