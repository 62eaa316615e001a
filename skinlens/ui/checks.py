"""A check on its page: asked for with a button, seen on its way, cancelled, kept with the case; and its origin."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from skinlens.clock import local_day
from skinlens.explain import METHODS
from skinlens.formatting import duration
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation, Photo, Progress
from skinlens.ui import session
from skinlens.ui.jobs import Job, Key
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain

Compute = Callable[[Progress], Sequence[CheckResult]]


def shown_maps(opened: OpenCase) -> list[Explanation]:
    """The maps of the page, in the order of the methods."""
    return [made for method in METHODS if (made := opened.map_of(method, session.map_params(method))) is not None]


def checkable_maps(opened: OpenCase, classifier: Classifier | None) -> list[Explanation]:
    """Those that the installed model made and that point somewhere: no others can be put to the test today."""
    if classifier is None:
        return []
    return [one for one in shown_maps(opened) if one.heat.any() and one.model == classifier.engine.stamp]


def of_map(opened: OpenCase, kind: str, explanation: Explanation) -> CheckResult | None:
    """The latest check of that kind of this very map: the same settings, and by the model that made it."""
    found = [
        check
        for check in opened.checks_of(kind, explanation.label, explanation.method)
        if check.settings.get("map") == dict(explanation.params) and check.model == explanation.model
    ]
    return found[-1] if found else None


def missing(able: Sequence[Explanation]) -> str:
    """For ``ask``, where some maps of the page were checked and these not yet."""
    return plain(f"Not checked yet: {', '.join(METHODS[one.method].title for one in able)}.")


class Asking(NamedTuple):
    """Words of a check that maps are put to."""

    title: str
    help: str
    button: str
    cancel: str
    hint: Callable[[str], str]
    """From the target's words: what it answers, and how long it takes."""


def section_of_maps(
    opened: OpenCase,
    kind: str,
    classifier: Classifier | None,
    check: Callable[[Classifier, Photo, Explanation, Progress], CheckResult],
    asking: Asking,
    table: Callable[[Sequence[CheckResult], str], None],
) -> None:
    """A check that each map of the page can be put to: what was found, and the button for maps not checked yet."""
    shown = shown_maps(opened)
    found = {one: made for one in shown if (made := of_map(opened, kind, one)) is not None}
    able = [one for one in checkable_maps(opened, classifier) if one not in found]
    if not found and not able:
        return
    target = shown[0].target
    st.subheader(asking.title, help=asking.help)
    if found:
        table(list(found.values()), target.words)
    if able and classifier is not None:
        compute = of_maps(check, opened, classifier, able)
        hint = missing(able) if found else asking.hint(target.words)
        ask(opened, (kind, target.code), asking.button, asking.cancel, compute, hint=hint)


def of_maps(
    check: Callable[[Classifier, Photo, Explanation, Progress], CheckResult],
    opened: OpenCase,
    classifier: Classifier,
    maps: Sequence[Explanation],
) -> Compute:
    """The check of these maps of the open photo, for ``ask`` and for the desk."""
    return each([partial(check, classifier, opened.analysis.photo, one) for one in maps])


def ask(opened: OpenCase, key: Key, button: str, cancel: str, compute: Compute, *, hint: str = "") -> None:
    """The button, or while the check runs its progress and the way to stop it. What it finds is kept with the case.

    Args:
        key: The kind of check and what it is about, e.g. ``opened.target.code``: one check at a time of each.
        button: What is asked for, e.g. "Check the maps against the model".
        cancel: In the place of the button while it runs, e.g. "Cancel the check against the model".
        compute: Runs in the background; tells its progress and returns all that is to be kept.
        hint: A sentence before the button: what it answers, and how long it takes.
    """
    job = session.desk().job(key)
    if job and job.active:
        st.progress(job.fraction, session.desk().standing(job, "Running …"))
        st.button(cancel, key=f"cancel_{key}", on_click=job.cancel, disabled=job.stop.is_set())
        return
    if job and job.problem:
        st.warning(plain(job.problem))
    elif job and job.state == "cancelled":
        st.caption("Cancelled. Nothing of it was saved.")
    elif hint:
        st.markdown(hint)
    st.button(button, key=f"ask_{key}", on_click=lambda: session.desk().submit(Job(key, compute, opened.keep_checks)))


def each(checks: Sequence[Callable[[Progress], CheckResult]]) -> Compute:
    """Several checks after one another as one: ``Compute`` for ``ask``, each with an equal share of the progress."""

    def compute(progress: Progress) -> Sequence[CheckResult]:
        done: list[CheckResult] = []
        for place, check in enumerate(checks):
            done.append(check(lambda part, place=place: progress((place + part) / len(checks))))  # type: ignore[misc]
        return done

    return compute


def provenance(checks: Sequence[CheckResult]) -> None:
    """When it was found, by which model, and how long it took; said once for checks that belong together."""
    latest = max(checks, key=lambda one: one.created_at)
    took = duration(sum(one.duration_ms for one in checks))
    st.caption(plain(f"Checked on {local_day(latest.created_at)} with model {latest.model.version}, in {took}."))
