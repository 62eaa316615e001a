"""What the maps on the page are worth: one line that is computed by itself, and behind it each check in a section."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from skinlens.checks import artifacts as artefact_check
from skinlens.checks import robustness as stability_check
from skinlens.checks.agreement import Agreement, agree
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation
from skinlens.ui import (
    agreement,
    artifacts,
    checks,
    early_exits,
    faithfulness,
    live,
    outline,
    reference,
    robustness,
    session,
)
from skinlens.ui.jobs import SHORT, Job
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain

Section = Callable[[OpenCase, Classifier | None], None]
"""Draws a heading, what was found so far, and the button that asks for more; nothing where there is nothing to check.
Without a classifier the case was read by another model: then only what is kept of it is shown."""

ROWS: tuple[tuple[Section, ...], ...] = (
    (agreement.section, faithfulness.section),
    (outline.section,),
    (robustness.section, artifacts.section),
    (early_exits.section,),
    (reference.section,),
)
"""Sections in one row stand side by side on a wide screen."""


def line(opened: OpenCase, classifier: Classifier | None) -> None:
    """Do the maps agree, do they hold still, does hair or ink sway the answer: in one line, as far as it is known.

    For a new photo the checks begin by themselves once the maps are there; for a stored one at the press of a button.
    """
    if classifier is not None and opened.case is None:
        _check(opened, classifier)
    live.draw(opened, partial(_line, opened, classifier), live.busy)


def _check(opened: OpenCase, classifier: Classifier) -> None:
    """Ask for what is missing; what was cancelled or failed is not asked for again."""
    desk = session.desk()
    able = [one for one in checks.checkable_maps(opened, classifier) if one.method in SHORT]
    if len(able) < len(SHORT):
        return  # the maps first
    unchecked = [one for one in able if checks.of_map(opened, stability_check.KIND, one) is None]
    key = (stability_check.KIND, opened.target.code)
    if unchecked and desk.job(key) is None:
        desk.submit(Job(key, robustness.compute(opened, classifier, unchecked), opened.keep_checks))
    key = (artefact_check.KIND, "")
    if not opened.checks_of(artefact_check.KIND) and desk.job(key) is None:
        desk.submit(Job(key, artifacts.compute(opened, classifier), opened.keep_checks))


def _line(opened: OpenCase, classifier: Classifier | None) -> None:
    shown = checks.shown_maps(opened)
    said = words(shown, opened.checks_of(artefact_check.KIND), [
        check for one in shown if (check := checks.of_map(opened, stability_check.KIND, one)) is not None
    ], waits=waits(opened, classifier))  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Can these maps be trusted?** {plain(said)}", width="content")
        if opened.case is not None and classifier is not None and shown and UNKNOWN in said and not live.busy():
            st.button("Check now", on_click=_check, args=(opened, classifier))


UNKNOWN = "not checked yet"
COMPUTING = "computing …"


def waits(opened: OpenCase, classifier: Classifier | None) -> frozenset[str]:
    """What the line waits for: "maps", and the kinds of checks that run, or follow by themselves once the maps are
    there.
    """
    desk, target = session.desk(), opened.target.code
    keys = {stability_check.KIND: target, artefact_check.KIND: ""}
    running = {kind for kind, about in keys.items() if (job := desk.job((kind, about))) is not None and job.active}
    if any((job := desk.job((method, target))) is not None and job.active for method in METHODS):
        running.add("maps")
        if opened.case is None and classifier is not None:
            running |= {kind for kind, about in keys.items() if desk.job((kind, about)) is None}
    return frozenset(running)


def words(
    shown: list[Explanation],
    artefact: tuple[CheckResult, ...],
    steady: list[CheckResult],
    waits: frozenset[str] = frozenset(),
) -> str:
    """The line: agreement, stability, sensitivity to artifacts. Each part judges only once all that it is about is
    there: the three maps; the stability of the maps that are quick to make; the drawn artifacts.
    """
    agreement = f"Agreement: {COMPUTING}" if "maps" in waits else _agreement(shown)
    pending = {"maps", stability_check.KIND} & waits
    stable = f"Stability: {COMPUTING}" if pending else _stability(shown, steady)
    sway = f"Artifact sensitivity: {COMPUTING}" if artefact_check.KIND in waits else _sway(artefact)
    return f"{agreement} · {stable} · {sway}"


def _agreement(shown: list[Explanation]) -> str:
    if len(shown) < len(METHODS):
        return f"Agreement: {UNKNOWN}"
    try:
        found: Agreement = agree(shown)
    except SkinLensError:
        return "Agreement: these maps cannot be compared"
    if not found.pairs:
        return "Agreement: there is nothing to compare"
    if all(pair.same_area for pair in found.pairs):
        return "The maps agree"
    return "The maps agree in part" if any(pair.overlaps for pair in found.pairs) else "The maps disagree"


def _stability(shown: list[Explanation], steady: list[CheckResult]) -> str:
    """Of the maps that were checked, by name where these are not all; those that take long need not be among them."""
    checked = [check.method for check in steady]
    telling = [one for one in shown if one.heat.any()]
    wanted = [one.method for one in telling if one.method in SHORT]
    if not steady or any(method not in checked for method in wanted):
        return f"Stability: {UNKNOWN}"
    least = min(check.figures["least_shared"] for check in steady)
    named = [METHODS[method].title for method in METHODS if method in checked]
    who = "The maps" if len(named) == len(METHODS) else " and ".join(named)
    verb = "holds" if len(named) == 1 else "hold"
    moves = "moves" if len(named) == 1 else "move"
    result = {
        "steady": f"{who} {verb} still when the photo is turned or lit a little otherwise",
        "moves in part": f"{who} {moves} in part when the photo is turned or lit a little otherwise",
    }
    other = f"{who} {moves} elsewhere when the photo is turned or lit otherwise"
    return result.get(stability_check.verdict(least), other)


def _sway(artefact: tuple[CheckResult, ...]) -> str:
    if not artefact:
        return f"Artifact sensitivity: {UNKNOWN}"
    over = artefact_check.over_the_cutoff(artefact[-1])
    if over:
        return f"Melanoma crosses the cut-off with drawn {', '.join(over)}"
    return "Drawn hair, ink or ruler does not move melanoma across the cut-off"


def below(opened: OpenCase, classifier: Classifier | None) -> None:
    """Below the row of maps. While work is in progress it looks again by itself."""
    live.draw(opened, partial(_below, opened, classifier), live.busy)


def _below(opened: OpenCase, classifier: Classifier | None) -> None:
    with st.container(key="trust"):  # its key keeps it from fading at each look: see frame.css
        for row in ROWS:
            places = st.columns(len(row), gap="large") if len(row) > 1 else [st.container()]
            for place, section in zip(places, row, strict=True):
                with place:
                    section(opened, classifier)
