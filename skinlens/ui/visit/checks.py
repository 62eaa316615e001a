"""A check on its page: what is known, the button that asks for more, its progress and cancel, and its origin."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import streamlit as st

from skinlens.checks.contract import Check, Comparison, OfMaps, Subject, outline_settings
from skinlens.clock import local_day
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.formatting import duration
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation, Progress
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.ui.state import session
from skinlens.ui.state.jobs import Job, Key
from skinlens.ui.state.open_case import OpenCase
from skinlens.wording.maps import CANCELLED

Compute = Callable[[Progress], Sequence[CheckResult]]
Show = Callable[[Check, OpenCase, Sequence[CheckResult]], None]
"""Draws results, one or more, in the place of ``table``."""


def shown_maps(opened: OpenCase) -> list[Explanation]:
    """The maps of the page, in the order of the methods."""
    return [made for method in METHODS if (made := opened.map_of(method, session.map_params(method))) is not None]


def checkable_maps(opened: OpenCase, classifier: Classifier | None) -> list[Explanation]:
    """Maps of the page that the installed model made and that show evidence: only these can be checked."""
    if classifier is None:
        return []
    return [
        explanation
        for explanation in shown_maps(opened)
        if np.ptp(explanation.heatmap) > 0 and explanation.model == classifier.engine.model_ref
    ]


def of_map(opened: OpenCase, kind: str, explanation: Explanation) -> CheckResult | None:
    """The latest check of that kind of this very map: the same settings, by the model that made it, and with the
    outline that holds now where it was made with one.
    """
    outline = outline_settings(opened.outline) if opened.outline else None
    matches = [
        check
        for check in opened.checks_of(kind, explanation.label, explanation.method)
        if check.settings.get("map") == dict(explanation.params)
        and check.settings.get("outline", outline) == outline
        and check.model == explanation.model
    ]
    return matches[-1] if matches else None


def known(check: Check, opened: OpenCase) -> Sequence[CheckResult]:
    """Results so far of the photo, or of the maps of the page. Raises SkinLensError: maps that cannot be compared."""
    shown = shown_maps(opened)
    if isinstance(check, Comparison):
        return [check.of(shown)] if len(shown) > 1 else []
    if isinstance(check, OfMaps):
        return [made for explanation in shown if (made := of_map(opened, check.kind, explanation)) is not None]
    return opened.checks_of(check.kind)[-1:]


def unchecked(check: Check, opened: OpenCase, classifier: Classifier | None) -> Subject | None:
    """Subjects that can be put to the test and were not yet."""
    if classifier is None or isinstance(check, Comparison):
        return None
    photo = opened.analysis.photo
    if not isinstance(check, OfMaps):
        done = opened.checks_of(check.kind)[-1:]
        return None if any(map(check.current, done)) else Subject(classifier, photo)
    made = {explanation: of_map(opened, check.kind, explanation) for explanation in checkable_maps(opened, classifier)}
    maps = [explanation for explanation, result in made.items() if result is None or not check.current(result)]
    return Subject(classifier, photo, tuple(maps), opened.outline) if maps else None


def section(check: Check, opened: OpenCase, classifier: Classifier | None, show: Show | None = None) -> None:
    """Heading, results and button; nothing where there is nothing to check.

    Without a classifier the case was read by another model: then only what is kept of it is shown.
    """
    try:
        subject = at_sight(check, opened, classifier)
        results = known(check, opened)
    except SkinLensError as error:
        heading(check)
        st.caption(plain(error))
        return
    if results or subject is not None:
        heading(check)
        body(check, opened, results, subject, show)


def at_sight(check: Check, opened: OpenCase, classifier: Classifier | None) -> Subject | None:
    """Subjects still unchecked once an instant check of a new photo was made; looking must not change a stored case."""
    subject = unchecked(check, opened, classifier)
    if subject is None or not check.instant or opened.case is not None:
        return subject
    opened.keep_checks(check.compute(subject))
    return None


def heading(check: Check) -> None:
    st.subheader(check.title, help=check.help)
    st.caption(check.question)


def body(
    check: Check,
    opened: OpenCase,
    results: Sequence[CheckResult],
    subject: Subject | None,
    show: Show | None = None,
) -> None:
    if results:
        (show or table)(check, opened, results)
    if subject is not None:
        hint = missing(subject.maps) if results else check.hint
        ask(check, opened, partial(check.compute, subject), hint)


def table(check: Check, opened: OpenCase, results: Sequence[CheckResult]) -> None:  # noqa: ARG001  as ``Show``
    """A sentence where it is not about each map, the table, and what is to be said of it."""
    if not isinstance(check, OfMaps):
        st.markdown(plain(check.summary(results[-1])))
    if rows := check.rows(results):
        widgets.table(check.columns, rows)
    if note := check.note(results):
        st.caption(plain(note))
    if not isinstance(check, Comparison):
        provenance(results)


def missing(able: Sequence[Explanation]) -> str:
    """Hint for ``ask`` where some maps of the page were checked and these not yet."""
    return plain(f"Not checked yet: {', '.join(METHODS[explanation.method].title for explanation in able)}.")


def key(check: Check, opened: OpenCase) -> Key:
    """Key of the job: one check of each kind runs at a time, and one for each class where it is about the maps."""
    return check.kind, opened.target.code if isinstance(check, OfMaps) else ""


def submit(check: Check, opened: OpenCase, compute: Compute) -> None:
    """Run the check in the background; its results are kept with the case."""
    session.queue().submit(Job(key(check, opened), compute, opened.keep_checks))


def ask(check: Check, opened: OpenCase, compute: Compute, hint: str) -> None:
    """The button, or while the check runs its progress and the way to stop it."""
    own, job = key(check, opened), session.queue().job(key(check, opened))
    if job and job.active:
        st.progress(job.fraction, session.queue().standing(job, "Running …"))
        st.button(f"Cancel: {check.title}", key=f"cancel_{own}", on_click=job.cancel, disabled=job.stop.is_set())
        return
    if job and job.problem:
        st.warning(plain(job.problem))
    elif job and job.state == "cancelled":
        st.caption(CANCELLED)
    elif hint:
        st.markdown(hint)
    st.button(check.button or f"Check: {check.title}", key=f"ask_{own}", on_click=submit, args=(check, opened, compute))


def provenance(checks: Sequence[CheckResult]) -> None:
    """Draw the day of the checks, their model and how long they took; said once for checks that belong together."""
    latest = max(checks, key=lambda check: check.created_at)
    took = duration(sum(check.duration_ms for check in checks))
    st.caption(plain(f"Checked on {local_day(latest.created_at)} with model {latest.model.version}, in {took}."))
