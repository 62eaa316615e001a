"""The course of one lesion: two visits in one frame, their change in numbers, and melanoma's probability over all."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from skinlens.case_record import CaseRecord
from skinlens.errors import CaseNotFound, InvalidEntry, SkinLensError, StoreError
from skinlens.followup.change import SeenLesion, compare, scale_conflict
from skinlens.followup.registration import Registration, aligned_picture, register
from skinlens.followup.trend import MelanomaTrend, TrendPoint, melanoma_trend, over_views, with_views
from skinlens.followup.wording import alignment_words, change_words, conflict_words, trend_words, visit_days
from skinlens.formatting import percent
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.classifier import Classifier
from skinlens.records import Photo
from skinlens.store import CaseStore
from skinlens.ui.components import viewer
from skinlens.ui.components.figures import STATIC, calm
from skinlens.ui.components.text import plain
from skinlens.ui.components.theme import BLUE, GRAY
from skinlens.ui.components.viewer import Panel
from skinlens.ui.state import cache
from skinlens.wording.naming import capital

LEAST_POINTS = 2
"""Visits from which a chart says more than its sentence."""
DAY_MS = 24 * 60 * 60 * 1000
FEW_DAYS = 6
"""Up to so many days from the first visit to the last, each has its own mark on the axis."""
MOST_SPREAD = 24
"""Latest visits whose views are compared: about a seventh of a second for each, once."""
OVER_VIEWS = (
    "Bars: lowest to highest probability of the same photo when rotated and mirrored (eight views). Where the bars of "
    "two visits overlap, the difference is within that variation."
)


@dataclass(frozen=True, eq=False)
class Overlaid:
    """Overlay of two photos, the later one in the frame of the earlier."""

    registration: Registration
    later: Photo | None
    """Of the earlier photo's size; black where the later does not reach. None: the photos could not be aligned."""


def trend(store: CaseStore, lesion_id: int) -> None:
    """The melanoma probability over all visits, in a sentence and, from two visits on, as a chart."""
    course = melanoma_trend(store.visits_of_lesion(lesion_id))
    st.markdown(plain(trend_words(course)))
    if len(course.points) < LEAST_POINTS:
        return
    model = cache.installed()
    if model is not None and course.model == model.engine.model_ref:
        course = with_views(course, _over_views(store, model, course))
    st.plotly_chart(chart(course), config=STATIC, key="course", alt=trend_words(course))
    if any(point.over_views for point in course.line):
        st.caption(OVER_VIEWS)


def _over_views(store: CaseStore, classifier: Classifier, course: MelanomaTrend) -> dict[int, tuple[float, float]]:
    """Range over the views, for each of the latest visits that can be compared and whose photo can be read."""
    ranges = {}
    with st.spinner("Computing how far the views lie apart …", show_time=True):
        for point in course.line[-MOST_SPREAD:]:
            with suppress(StoreError, CaseNotFound):  # the page names the photo that is missing
                key = f"{store.home} {point.visit_id} {classifier.engine.model_ref.sha256}"
                ranges[point.visit_id] = _range_of(key, store, classifier, point.visit_id)
    return ranges


@st.cache_data(show_spinner=False, max_entries=512)  # an erasure empties it
def _range_of(
    key: str,  # noqa: ARG001  the key
    _store: CaseStore,
    _classifier: Classifier,
    _visit_id: int,
) -> tuple[float, float]:
    return over_views(_classifier, _store.photo(_visit_id))


def chart(course: MelanomaTrend) -> go.Figure:
    """Visits that can be compared are joined; others stand apart, hollow. The cut-off is dashed over the whole width.

    Photos of one day are no course: they stand beside each other by their case numbers, not joined.
    """
    figure = go.Figure()
    line, points = course.line, course.points
    names = visit_days((point.visit_id, point.taken_on) for point in points)
    one_day = len({point.taken_on for point in points}) == 1

    def add(some: Sequence[TrendPoint], **look: Any) -> None:
        figure.add_scatter(
            x=[f"Case {point.visit_id}" if one_day else point.taken_on for point in some],
            y=[100 * point.prob for point in some],
            text=[
                "" if one_day or names[point.visit_id] == point.taken_on else f"case {point.visit_id}" for point in some
            ],
            textposition="middle right",
            customdata=[f"{point.taken_on}, case {point.visit_id}" for point in some],
            **look,
        )

    add(
        line,
        mode="markers" if len({point.taken_on for point in line}) < LEAST_POINTS else "lines+markers+text",
        line={"color": BLUE},
        marker={"size": 10, "color": BLUE},
        error_y=_bars(line),
        hovertemplate="%{customdata}: %{y:.1f} %<extra></extra>",
        name="read by the same model",
    )
    if apart := [point for point in points if not point.comparable]:
        add(
            apart,
            mode="markers+text",
            marker={"size": 10, "symbol": "circle-open", "color": GRAY},
            hovertemplate="%{customdata}: %{y:.1f} %, not comparable<extra></extra>",
            name="not comparable",
        )
    tops = [point.over_views[1] if point.over_views else point.prob for point in points]
    if line:
        cutoff = line[-1].threshold
        tops.append(cutoff)
        figure.add_hline(
            100 * cutoff,
            line={"dash": "dash", "color": GRAY},
            showlegend=True,
            name=f"cut-off {percent(cutoff)}",
        )
    if one_day:
        figure.update_xaxes(type="category", title=points[0].taken_on, fixedrange=True)
    else:
        figure.update_xaxes(type="date", tickformat="%Y-%m-%d", fixedrange=True)
        if _span(points) <= FEW_DAYS:  # otherwise the axis is divided into hours
            figure.update_xaxes(dtick=DAY_MS, tick0=points[0].taken_on)
    figure.update_yaxes(title="melanoma, %", range=[0, 115 * max(tops)])
    return calm(figure, 260)


def _span(points: Sequence[TrendPoint]) -> int:
    """Days from the first visit to the last."""
    first, last = (date.fromisoformat(point.taken_on) for point in (points[0], points[-1]))
    return (last - first).days


def _bars(line: Sequence[TrendPoint]) -> dict[str, object]:
    """Error bars from the lowest to the highest probability over the views; none where they are not computed."""
    ranges = [point.over_views or (point.prob, point.prob) for point in line]
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * max(high - point.prob, 0) for point, (_, high) in zip(line, ranges, strict=True)],
        "arrayminus": [100 * max(point.prob - low, 0) for point, (low, _) in zip(line, ranges, strict=True)],
        "visible": any(point.over_views for point in line),
    }


@st.fragment
def change(store: CaseStore, before: CaseRecord, after: CaseRecord) -> None:
    """Draw both photos in one frame, and what changed between them; a sentence where the photos cannot be aligned."""
    try:
        if not all(store.exists(record.visit.id) for record in (before, after)):
            st.rerun()  # erased in another window: the whole page no longer shows it
        overlaid = _overlaid(store, before, after)
        scales = before.mm_per_px, after.mm_per_px
        if conflict := scale_conflict((before.photo, after.photo), scales, overlaid.registration):
            st.warning(plain(conflict_words(conflict, cache.settings().unit)), icon=":material/straighten:")
        picture, figures = st.columns([3, 2], gap="large")
        with picture:
            st.caption(plain(_sentence(alignment_words(overlaid.registration))))
            if overlaid.registration.aligned:
                _laid_over(overlaid, before, after)
        with figures:
            one_day = before.visit.taken_on == after.visit.taken_on
            st.markdown("**What differs**" if one_day else "**What changed**")
            _in_numbers(before, after, overlaid.registration)
    except SkinLensError as error:  # the page's own sentence is out of reach: this part is drawn by itself
        st.error(plain(error))


def _in_numbers(before: CaseRecord, after: CaseRecord, registration: Registration) -> None:
    try:
        comparison = compare(SeenLesion.of(before), SeenLesion.of(after), registration)
    except InvalidEntry as error:
        st.caption(plain(error))
    else:
        said = change_words(replace(comparison, scale_conflict=None), cache.settings().unit)  # the warning is above
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in said))


def _sentence(words: str) -> str:
    """With a capital and a full stop: a refusal comes as the rest of a sentence."""
    return capital(words).rstrip(".") + "."


def _overlaid(store: CaseStore, before: CaseRecord, after: CaseRecord) -> Overlaid:
    """Found once for each pair."""
    key = f"{store.home} {before.visit.id} {after.visit.id} {before.photo.sha256} {after.photo.sha256}"
    with st.spinner("Aligning the photos …"):
        return _cached(key, before, after)


@st.cache_data(show_spinner=False, max_entries=2)  # an erasure empties it; a photo of 12 megapixels takes 36 MB
def _cached(
    key: str,  # noqa: ARG001  the key
    _before: CaseRecord,
    _after: CaseRecord,
) -> Overlaid:
    before, after = _before.photo, _after.photo
    registration = register(before, after, _before.outline, _after.outline)
    if not registration.aligned:
        return Overlaid(registration, None)
    placed = aligned_picture(registration, before, after)[0]
    return Overlaid(registration, replace(after, pixels=placed, sha256=f"{after.sha256} in {before.sha256}", notes=()))


def _laid_over(overlaid: Overlaid, before: CaseRecord, after: CaseRecord) -> None:
    """The pair in the viewer: swiped, blended or in turn, with one zoom."""
    aligned, mm_per_px = overlaid.later, before.mm_per_px
    assert aligned is not None
    first, last = visit_days((record.visit.id, record.visit.taken_on) for record in (before, after)).values()
    alt = f"Photo of {last}, aligned with that of {first}"
    pair = (
        Panel("before", first, "", (), f"Photo of {first}"),
        Panel("after", last, "", (), alt, photo=aligned, mm_per_px=mm_per_px),
    )
    viewer.show(
        viewer.Row(before.photo, pair, InputSpec(), mm_per_px=mm_per_px),
        viewer.Layout(columns=2, overlaid=True),
        key="overlaid",
    )
    viewer.load(before.photo, aligned, key="overlaid")
