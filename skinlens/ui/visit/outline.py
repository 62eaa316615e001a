"""Outline of the lesion on its page, and whether the maps look at it: the outline, its correction, and the focus of
each map.
"""

import json
from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from skinlens.checks.contract import Check, Subject
from skinlens.checks.localization import LocalizationCheck
from skinlens.clock import local_day
from skinlens.errors import Conflict, InvalidEntry, SkinLensError, WeightsError
from skinlens.inference.classifier import Classifier
from skinlens.records import Outline, Photo
from skinlens.segmentation.contour import drawn_by_clinician
from skinlens.segmentation.head import SegmentationHead, propose
from skinlens.ui.components import allowed, outliner
from skinlens.ui.components.text import plain
from skinlens.ui.state import cache, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks
from skinlens.wording.naming import capital


def section(check: Check, opened: OpenCase, classifier: Classifier | None) -> None:
    checks.heading(check)
    head, problem = _head()
    outline = opened.outline
    left, right = st.columns(2, gap="large")
    with left:
        _outline(opened, outline)
        if problem and outline is None:
            st.caption(plain(problem))
        if opened.case is not None and classifier is not None and head is not None and not opened.outlines:
            st.button("Find the outline", on_click=_asked, args=(opened, classifier, head), **allowed.button("file"))
    with right:
        _focus(check, opened, classifier)


def propose_early(opened: OpenCase, classifier: Classifier) -> None:
    """Draw the outline of a new photo by itself: criteria are suggested and maps measured by it."""
    head, _ = _head()
    if opened.case is None and head is not None:
        _propose(opened, classifier, head)


def proposed(classifier: Classifier, photo: Photo) -> Outline | None:
    """The model's outline of a photo; None where it finds no lesion, or the release draws none."""
    head, _ = _head()
    return None if head is None else propose(classifier.engine, head, photo).outline


def _head() -> tuple[SegmentationHead | None, str]:
    """What proposes an outline, or why nothing does."""
    try:
        return cache.segmentation_head(), ""
    except WeightsError as error:
        return None, f"{error} Until then you can draw it by hand."


def _asked(opened: OpenCase, classifier: Classifier, head: SegmentationHead) -> None:
    try:
        _propose(opened, classifier, head)
    except SkinLensError as error:  # raised in a callback, it would be nobody's
        st.session_state["case_outline_problem"] = str(error)


def _propose(opened: OpenCase, classifier: Classifier, head: SegmentationHead) -> None:
    """Once for a photo: it takes hundredths of a second."""
    if opened.outlines or st.session_state.get("case_without_outline"):
        return
    proposal = propose(classifier.engine, head, opened.analysis.photo).outline
    if proposal is None:
        st.session_state["case_without_outline"] = True
    else:
        with suppress(Conflict):  # another window was first; its outline is shown
            opened.keep_outlines([proposal])


def _outline(opened: OpenCase, outline: Outline | None) -> None:
    photo, proposal = opened.analysis.photo, opened.outline_by("model")
    outliner.show(
        photo,
        outline,
        proposal,
        alt=f"Photo of the lesion, {_by(outline)}",
        key="lesion",
        mm_per_px=opened.mm_per_px,
        on_keep=None if photo.placeholder else lambda sent: _keep(opened, sent),
    )
    if problem := st.session_state.pop("case_outline_problem", ""):
        st.warning(plain(problem))
    st.caption(plain(capital(f"{_by(outline)}.")))
    if refused := st.session_state.get(opened.key("outline_refused")):
        _choose_outline(opened, refused)


def _choose_outline(opened: OpenCase, refused: Sequence[Outline]) -> None:
    """Another window was faster: its outline stands above, this window's below, and the clinician says which holds."""
    mine = refused[-1]
    st.warning("Another window changed the outline after it was opened here. It is the one above; yours is below.")
    outliner.show(
        opened.analysis.photo,
        mine,
        None,
        alt=f"Photo of the lesion, {_by(mine)}, not kept yet",
        key="refused",
        mm_per_px=opened.mm_per_px,
        on_keep=None,
    )

    def let_go(*, keep: bool) -> None:
        del st.session_state[opened.key("outline_refused")]
        if keep:
            _put(opened, refused)

    with st.container(horizontal=True):
        st.button("Keep the one above", on_click=let_go, kwargs={"keep": False})
        st.button("Keep mine", type="primary", on_click=let_go, kwargs={"keep": True})


def _by(outline: Outline | None) -> str:
    if outline is None:
        return "no outline yet"
    if outline.made_by == "model":
        return f"outline by the model, version {outline.model.version}"
    return f"outline by the clinician, {local_day(outline.created_at)}"


def _keep(opened: OpenCase, sent: str) -> None:
    """Take what the component sent; the focus of the maps on the page is measured again by it."""
    proposal = opened.outline_by("model")
    outlines = [proposal] if proposal else []
    try:
        if sent != outliner.PROPOSAL:
            model = proposal.model if proposal else opened.analysis.prediction.model
            outlines.append(drawn_by_clinician(points_of(sent), opened.analysis.photo, model))
    except SkinLensError as error:
        st.session_state["case_outline_problem"] = str(error)
    else:
        _put(opened, outlines)


def _put(opened: OpenCase, outlines: Sequence[Outline]) -> None:
    """Keep these, and measure the maps of the page by the last; where another window was faster, hold them."""
    try:
        opened.keep_outlines(outlines)
        if classifier := session.classifier_of(opened):
            maps = tuple(checks.checkable_maps(opened, classifier))
            subject = Subject(classifier, opened.analysis.photo, maps, outlines[-1])
            opened.keep_checks(LocalizationCheck().compute(subject))
    except Conflict:
        st.session_state[opened.key("outline_refused")] = outlines
    except SkinLensError as error:
        st.session_state["case_outline_problem"] = str(error)


def points_of(sent: str) -> list[list[float]]:
    """The points that the component sent. Raises InvalidEntry for anything else."""
    try:
        return [[float(share) for share in point] for point in json.loads(sent)]
    except (ValueError, TypeError) as problem:
        raise InvalidEntry("The outline could not be read. Draw it anew.") from problem


def _focus(check: Check, opened: OpenCase, classifier: Classifier | None) -> None:
    if opened.outline is None:
        st.markdown("Without an outline there is no telling. Draw one over the photo.")
        return
    try:
        subject = checks.at_sight(check, opened, classifier)
    except SkinLensError as error:
        st.caption(plain(error))
        return
    checks.body(check, opened, checks.known(check, opened), subject)
