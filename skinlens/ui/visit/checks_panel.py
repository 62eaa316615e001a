"""Checks panel below the maps: one line that is computed by itself, and behind it each check in a section."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from skinlens.checks.contract import Check, Comparison, OfMaps
from skinlens.checks.registry import CHECKS
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation
from skinlens.ui.components import live
from skinlens.ui.components.text import plain
from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import artifacts, checks, early_exits, maps, outline

Section = Callable[[Check, OpenCase, Classifier | None], None]
SECTIONS: Mapping[str, Section] = {
    "focus": outline.section,
    "artefacts": artifacts.section,
    "depth": early_exits.section,
}
"""Kind → what draws a check that needs more than a sentence and a table; all others are ``checks.section``."""
QUICK = frozenset({"grad_cam", "score_cam"})
"""Maps that are there soon; the checks of maps that begin by themselves are of these."""
ASKED = "checks_asked"
"""In the session: visit and class whose checks were asked for."""
UNKNOWN = "not checked yet"
COMPUTING = "computing …"
NO_PLACE = "no quick map points to a place"


def begin(opened: OpenCase, classifier: Classifier | None) -> None:
    """Begin the checks of the line once the maps are there: for a photo that was new in this tab by themselves, for
    another stored one where they were asked for.
    """
    if classifier is not None and _follow(opened):
        _check(opened, classifier)


def _follow(opened: OpenCase) -> bool:
    """Whether the checks follow by themselves once the maps are there."""
    return opened.case is None or opened.saved_here or st.session_state.get(ASKED) == _subject(opened)


def follow(opened: OpenCase) -> None:
    """Have the checks follow the maps of a stored case, which were asked for."""
    st.session_state[ASKED] = _subject(opened)


def _subject(opened: OpenCase) -> tuple[int | None, str]:
    return None if opened.case is None else opened.case.visit.id, opened.target.code


def _check_now(opened: OpenCase, classifier: Classifier) -> None:
    """The maps that are missing, then the checks; what was cancelled or failed is asked for again."""
    follow(opened)
    session.request_maps(opened, classifier)
    _check(opened, classifier, again=True)


def _of_line() -> Iterator[Check]:
    return (check for check in CHECKS.values() if check.in_line)


def _check(opened: OpenCase, classifier: Classifier, *, again: bool = False) -> None:
    """Ask for what is missing of the quick maps; for what was cancelled or failed only ``again``. A map that found no
    evidence cannot be put to the test, and keeps nothing else waiting.
    """
    if len([explanation for explanation in checks.shown_maps(opened) if explanation.method in QUICK]) < len(QUICK):
        return  # the maps first
    for check in _of_line():
        subject = checks.unchecked(check, opened, classifier)
        job = session.queue().job(checks.key(check, opened))
        if subject is None or (job is not None and (job.active or not again)):
            continue
        quick = replace(subject, maps=tuple(explanation for explanation in subject.maps if explanation.method in QUICK))
        if quick.maps or not isinstance(check, OfMaps):
            checks.submit(check, opened, partial(check.compute, quick))


def line(opened: OpenCase, classifier: Classifier | None) -> None:
    """Claims of the checks with a part in it, in one line, as far as it is known."""
    shown = checks.shown_maps(opened)
    results = {check.kind: checks.known(check, opened) for check in _of_line() if not isinstance(check, Comparison)}
    said = words(shown, results, waits(opened, classifier))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Can these maps be trusted?** {plain(said)}", width="content")
        able = opened.case is not None and shown and UNKNOWN in said and not live.busy()
        if able and classifier is not None and st.button("Check now"):
            _check_now(opened, classifier)
            st.rerun()  # the whole page: the row of maps, another part of it, has to look again too


def waits(opened: OpenCase, classifier: Classifier | None) -> frozenset[str]:
    """Names of what the line waits for: "maps", and the kinds of checks that run, or follow by themselves once the
    maps are there.
    """
    queue = session.queue()
    jobs = {
        check.kind: queue.job(checks.key(check, opened)) for check in _of_line() if not isinstance(check, Comparison)
    }
    running = {kind for kind, job in jobs.items() if job is not None and job.active}
    if maps.waits(opened):
        running.add("maps")
        if classifier is not None and _follow(opened):
            running |= {kind for kind, job in jobs.items() if job is None}
    return frozenset(running)


def words(
    shown: Sequence[Explanation],
    results: Mapping[str, Sequence[CheckResult]],
    waits: frozenset[str] = frozenset(),
) -> str:
    """The line. Each part judges only once all that it is about is there: all maps where they are compared, the
    results of the maps that are quick to make, the result of the photo.
    """
    return " · ".join(_said(check, shown, results.get(check.kind, ()), waits) for check in _of_line())


def _said(check: Check, shown: Sequence[Explanation], results: Sequence[CheckResult], waits: frozenset[str]) -> str:
    if check.kind in waits or ("maps" in waits and isinstance(check, Comparison | OfMaps)):
        return f"{check.title}: {COMPUTING}"
    if isinstance(check, Comparison) and len(shown) == len(METHODS):
        try:
            results = [check.of(shown)]
        except SkinLensError:
            return f"{check.title}: these maps cannot be compared"
    if isinstance(check, OfMaps):
        quick = [explanation for explanation in shown if explanation.method in QUICK]
        able = {explanation.method for explanation in quick if np.ptp(explanation.heatmap) > 0}
        if len(quick) == len(QUICK) and not able:
            return f"{check.title}: {NO_PLACE}"
        if able - {result.method for result in results}:
            results = ()
    return check.claim(results) if results else f"{check.title}: {UNKNOWN}"


def below(opened: OpenCase, classifier: Classifier | None) -> None:
    """Draw the checks below the row of maps. While work is in progress it looks again by itself."""
    live.draw(opened, partial(_below, opened, classifier), live.busy)


def _below(opened: OpenCase, classifier: Classifier | None) -> None:
    with st.container(key="trust"):  # its key keeps it from fading at each look: see frame.css
        for row in rows():
            places = st.columns(len(row), gap="large") if len(row) > 1 else [st.container()]
            for place, check in zip(places, row, strict=True):
                with place:
                    SECTIONS.get(check.kind, checks.section)(check, opened, classifier)
    for check in CHECKS.values():
        if check.of_model:
            st.page_link("pages/performance.py", label=check.title, query_params={"topic": "Maps"})


def rows() -> list[list[Check]]:
    """The checks of a case in their order, two that are not wide side by side."""
    placed: list[list[Check]] = []
    for check in CHECKS.values():
        if check.of_model:
            continue
        if placed and len(placed[-1]) == 1 and not check.wide and not placed[-1][0].wide:
            placed[-1].append(check)
        else:
            placed.append([check])
    return placed
