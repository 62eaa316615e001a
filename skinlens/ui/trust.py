"""What the maps on the page are worth: how far they agree, and whether the model follows them better than chance."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from skinlens import pipeline
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.explain.faithfulness import RANDOM_MAPS, Faithfulness
from skinlens.predict import Classifier
from skinlens.records import Explanation, Progress
from skinlens.ui import session, widgets
from skinlens.ui.jobs import Job
from skinlens.ui.maps import POLL_S
from skinlens.ui.session import OpenCase
from skinlens.ui.words import name, percent, plain

Checks = dict[Explanation, Faithfulness]

CHECK = "check"
"""What a check is called at the desk, in the place of a method."""
AGREEMENT_HELP = """
**Same order of heat**: rank correlation of all pixels. 1 is the same order from cold to hot, 0 unrelated, -1 reversed.

**Hottest fifth shared**: of the area that either map has in its hottest fifth, how much both have. 100 % is the same
area, about 11 % is chance, 0 % is apart. From a third on they count as the same area: each then shares half of its own.

**Centres apart**: between the centres of the hottest areas, in % of the picture's diagonal. 0 % is the same centre.

Agreement does not make a map right. Grad-CAM and Score-CAM read the same inner patterns of the network, so they agree
more easily with each other than with LIME.
"""
CHECK_HELP = f"""
The hottest parts of a map are blurred first, or become sharp first, step by step, and the model is asked at each step.
If the map shows what moves the model, the probability falls early in the one case and rises early in the other.

The same is done with {RANDOM_MAPS} random maps that are as rough, on the same photo. **Better than chance** is a map
that does better than their mean by more than twice their standard deviation. It is a low bar: the place matters to the
model; whether it matters to the diagnosis is another question.

A blurred photo is mostly read as a melanocytic nevus, the commonest class. For that class the probability moves little,
and the check tells less.
"""


def below(opened: OpenCase, classifier: Classifier | None) -> None:
    """Below the row of maps. Nothing of it is stored; while work is in progress it looks again by itself."""
    busy = session.desk().busy
    st.fragment(_below, run_every=POLL_S if busy else None)(opened, classifier, busy)


def _below(opened: OpenCase, classifier: Classifier | None, was_busy: bool) -> None:
    shown = [made for method in METHODS if (made := opened.map_of(method, session.map_params(method))) is not None]
    with st.container(key="trust"):  # its key keeps it from fading at each look: see frame.css
        left, right = st.columns(2, gap="large")
    with left:
        if len(shown) > 1:
            _agreement(shown)
    with right:
        if shown and classifier is not None:
            _faithfulness(opened, classifier, shown)
    if session.desk().busy != was_busy:
        st.rerun()  # of the whole page: it decides whether to look again


def _agreement(shown: Sequence[Explanation]) -> None:
    st.subheader("Do the maps agree?", help=AGREEMENT_HELP)
    try:
        found = pipeline.agree(shown)
    except SkinLensError as error:
        st.caption(plain(error))
        return
    st.markdown(plain(found.verdict))
    if found.pairs:
        widgets.table(
            ("Maps", "Same order of heat", "Hottest fifth shared", "Centres apart"),
            [
                (
                    f"{METHODS[pair.first].title} and {METHODS[pair.second].title}",
                    f"{pair.spearman:.2f}",
                    f"{100 * pair.hottest_iou:.0f} %",
                    f"{pair.centre_distance_percent:.0f} %",
                )
                for pair in found.pairs
            ],
        )


def _faithfulness(opened: OpenCase, classifier: Classifier, shown: Sequence[Explanation]) -> None:
    st.subheader("Does the model follow them?", help=CHECK_HELP)
    checks = _checks()
    checked = [checks[one] for one in shown if one in checks]
    if checked:
        _table(checked, opened.label)
    able = [one for one in shown if one not in checks and one.heat.any() and one.model == classifier.engine.stamp]
    job = session.desk().job((CHECK, opened.label))
    if job and job.active:
        st.progress(job.fraction, "Stopping …" if job.stop.is_set() else "The maps are being checked …")
        st.button("Cancel the check", on_click=job.cancel, disabled=job.stop.is_set())
    elif able:
        if job and job.problem:
            st.warning(plain(job.problem))
        elif not checked:
            st.markdown(
                f"Does the probability of {name(opened.label)} change with what a map calls hot? It takes seconds."
            )
        st.button("Check the maps against the model", on_click=_submit, args=(opened, classifier, able, checks))


def _table(checked: Sequence[Faithfulness], label: str) -> None:
    widgets.table(
        ("Map", "Hottest blurred first", "Hottest sharp first", "Result"),
        [
            (
                METHODS[one.method].title,
                f"{percent(one.deletion)} (chance {percent(one.random_deletion_mean)})",
                f"{percent(one.insertion)} (chance {percent(one.random_insertion_mean)})",
                "better than chance" if one.better_than_chance else "not clearly better than chance",
            )
            for one in checked
        ],
    )
    st.caption(
        f"Mean probability of {plain(name(label))} along the way. Blurred first: lower is better. "
        f"Sharp first: higher is better. Clearly better: by more than twice the standard deviation of the "
        f"{RANDOM_MAPS} random maps."
    )


def _checks() -> Checks:
    """What was found for the maps of the open case; forgotten with it, as all keys of that beginning are."""
    found: Checks = st.session_state.setdefault("case_checks", {})
    return found


def _submit(opened: OpenCase, classifier: Classifier, maps: Sequence[Explanation], checks: Checks) -> None:
    photo = opened.analysis.photo

    def compute(progress: Progress) -> Checks:
        done: Checks = {}
        for place, one in enumerate(maps):
            part = partial(_tell, progress, place, len(maps))
            done[one] = pipeline.faithfulness(classifier, photo, one, progress=part)
        return done

    session.desk().submit(Job((CHECK, opened.label), compute, checks.update))


def _tell(progress: Progress, done: int, count: int, part: float) -> None:
    progress((done + part) / count)
