"""Reference check of the open case: agreement of its maps with the published libraries on the float network.

On request: it takes a minute. It says more of SkinLens than of the case, so it stands among the figures of the model.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from skinlens.checks.contract import Check, Subject
from skinlens.checks.reference import ReferenceCheck, difference
from skinlens.checks.registry import CHECKS
from skinlens.explain import METHODS, overlay
from skinlens.imaging.preprocess import heatmap_to_photo
from skinlens.inference.classifier import Classifier
from skinlens.inference.release import weights_directory
from skinlens.labels import CODES
from skinlens.records import CheckResult, Explanation, Heatmap, Progress
from skinlens.ui.components import live, widgets
from skinlens.ui.components.text import plain
from skinlens.ui.state import cache, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks, maps
from skinlens.wording.naming import case_title
from skinlens.wording.verdict import top_change

PICTURE_PX = 480
"""Long side of a picture of the differences."""
LEGEND = "Orange: hotter here than in the library's map. Purple: hotter in the library's. Gray: the same."
NO_CASE = "Open a case, and have its maps made under “Why?”. Here they are then made again with those libraries."
NO_MAPS = "There is no map of this case yet that could be compared. Have the maps made under “Why?”."


def of_open_case() -> None:
    """The check of the case that is open, while the session lasts; where none is open, the way to it."""
    check, opened = CHECKS[ReferenceCheck.kind], session.current()
    st.header(check.title, help=check.help)
    if opened is None:
        st.markdown(NO_CASE)
        return
    session.queue().look()
    maps.load(opened)
    of = "of the new photo" if opened.case is None else f"of {case_title(opened.case)}"
    st.caption(plain(f"Maps {of}. {check.question}"))
    live.draw(opened, partial(_section, check, opened, session.classifier_of(opened)), live.busy)


def _section(check: Check, opened: OpenCase, classifier: Classifier | None) -> None:
    assert isinstance(check, ReferenceCheck)
    results = checks.known(check, opened)
    able = [explanation for explanation in checks.checkable_maps(opened, classifier) if explanation not in _held()]
    if not results and not able:
        st.markdown(NO_MAPS)
    if results:
        _show(check, opened, results)
    if able and classifier is not None:
        subject = Subject(classifier, opened.analysis.photo, tuple(able))
        hint = _missing(opened, able) if results else check.hint
        checks.ask(check, opened, _computing(check, subject), hint)


def _missing(opened: OpenCase, able: Sequence[Explanation]) -> str:
    """Why one may ask again: for maps that were not checked yet, or for the pictures of those that were."""
    if new := [explanation for explanation in able if checks.of_map(opened, ReferenceCheck.kind, explanation) is None]:
        return checks.missing(new)
    return "The pictures of the differences are not kept with the case. Made again, they can be seen."


def _held() -> dict[Explanation, bytes]:
    """Pictures of the differences, for the open case; forgotten with it, as all keys of that beginning are."""
    pictures: dict[Explanation, bytes] = st.session_state.setdefault("case_references", {})
    return pictures


def _computing(check: ReferenceCheck, subject: Subject) -> checks.Compute:
    held = _held()  # here, since a worker has no session

    def compute(progress: Progress) -> Sequence[CheckResult]:
        results, library = check.recompute(weights_directory(), subject, progress)
        held.update(
            {
                explanation: _picture(subject, explanation, heatmap)
                for explanation, heatmap in zip(subject.maps, library, strict=True)
            }
        )
        return results

    return compute


def _show(check: Check, opened: OpenCase, results: Sequence[CheckResult]) -> None:
    widgets.table(check.columns, check.rows(results))
    drawn = {
        explanation: picture
        for explanation in checks.shown_maps(opened)
        if (picture := _held().get(explanation)) is not None
    }
    if drawn:
        for column, (explained, picture) in zip(st.columns(len(METHODS), gap="medium"), drawn.items(), strict=False):
            title = METHODS[explained.method].title
            column.image(picture, width="stretch", caption=title, alt=f"Differences of the {title} maps. {LEGEND}")
        st.caption(LEGEND)
    if about := opened.checks_of(check.kind, "", ""):
        figures = about[-1].figures
        top = top_change(*(max(CODES, key=figures[probs].__getitem__) for probs in ("float_probs", "int8_probs")))
        st.markdown(plain(f"{check.summary(about[-1])} {top}"))
    checks.provenance(results)


def _picture(subject: Subject, explanation: Explanation, library: Heatmap) -> bytes:
    small = cache.reduced(subject.photo, PICTURE_PX)
    height, width = small.shape[:2]
    apart, spec = difference(explanation.heatmap, library), subject.classifier.engine.spec
    hotter, colder = (heatmap_to_photo(np.maximum(part, 0), height, width, spec) for part in (apart, -apart))
    return cache.jpeg(overlay.difference(small, hotter - colder))
