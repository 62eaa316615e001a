"""The lesions of a patient: the body map and, beside it, the list that does all that the map does."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from skinlens.followup.trend import melanoma_trend
from skinlens.followup.wording import trend_words
from skinlens.formatting import counted, percent
from skinlens.records import Lesion, Patient, Visit
from skinlens.store import CaseStore
from skinlens.ui.components import allowed, bodymap, confirmation, widgets
from skinlens.ui.components.bodymap import Pin, Verdict, place_words
from skinlens.ui.components.bodymap.regions import region_of
from skinlens.ui.patients import editing, placing
from skinlens.ui.state import address, next_photo, session
from skinlens.ui.state.next_photo import NextPhoto
from skinlens.wording.maps import latest_photo
from skinlens.wording.naming import STATUSES, diagnosis_name, site
from skinlens.wording.quality import UNRELIABLE_BRIEFLY
from skinlens.wording.verdict import other_finding, side_of_cutoff

PAGE_SIZE = 15
"""Lesions that are listed at once: a longer list is turned in pages, and follows the lesion that is chosen."""


@dataclass(frozen=True)
class Shown:
    """A lesion as the map and the list show it."""

    number: int
    """Within the patient, from 1."""
    lesion: Lesion
    visits: tuple[Visit, ...]
    """The oldest first."""

    @property
    def latest(self) -> Visit | None:
        return self.visits[-1] if self.visits else None

    @property
    def decided(self) -> Visit | None:
        """The latest visit that is signed: what holds of the lesion until another one is."""
        return next((visit for visit in reversed(self.visits) if visit.status != "draft"), None)

    @property
    def draft(self) -> Visit | None:
        """The latest visit where it is not signed."""
        return self.latest if self.latest is not None and self.latest.status == "draft" else None

    @property
    def where(self) -> str:
        return site(self.lesion.body_site, self.lesion.remark)

    @property
    def verdict(self) -> Verdict:
        """Verdict of the signed visit, or of the latest; a later draft that is flagged is never hidden by it."""
        shown = [visit for visit in (self.decided, self.draft) if visit is not None]
        if not shown:
            return "none"
        if any(visit.quality.reliable and visit.prediction.above_melanoma_threshold for visit in shown):
            return "above"
        return "below" if shown[0].quality.reliable else "unreliable"

    @property
    def unsigned(self) -> bool:
        return any(visit.status == "draft" for visit in self.visits)

    @property
    def state(self) -> tuple[str, ...]:
        """The signed diagnosis and verdict, then the latest draft with its own, a line each."""
        return tuple(_line(visit) for visit in (self.decided, self.draft) if visit) or ("No photo yet",)

    @property
    def pin(self) -> Pin:
        lesion = self.lesion
        region = region_of(lesion.body_site, lesion.remark)
        words = f"{self.where}. {' '.join(self.state)}"
        return Pin(lesion.id, self.number, words, lesion.position, region, self.verdict, self.unsigned)


def _line(visit: Visit) -> str:
    """Status and date, the clinician's diagnosis, and the model's verdict on one visit."""
    said = f"{UNRELIABLE_BRIEFLY}."
    if visit.quality.reliable:
        prediction = visit.prediction
        above = prediction.above_melanoma_threshold
        said = f"{side_of_cutoff(above=above)} ({percent(prediction.melanoma_prob)})."
        if other := other_finding(prediction.top.code, above=above):
            said = f"{other}. {said}"
    status = "Not signed" if visit.status == "draft" else STATUSES[visit.status]
    diagnosis = diagnosis_name(visit.clinician_label) if visit.clinician_label else "no diagnosis yet"
    return f"{status}, {visit.taken_on}: {diagnosis}. Model: {said}"


def shown(lesions: Sequence[Lesion], visits: Mapping[int, tuple[Visit, ...]]) -> tuple[Shown, ...]:
    """Numbered in the order in which they were added."""
    return tuple(Shown(number, lesion, visits.get(lesion.id, ())) for number, lesion in enumerate(lesions, 1))


def section(store: CaseStore, patient: Patient, rows: Sequence[Shown]) -> None:
    """Map and list."""
    by_id = {row.lesion.id: row.lesion for row in rows}
    chosen = address.number("lesion")
    chosen = chosen if chosen in by_id else None
    left, right = st.columns([6, 7], gap="large")
    with left, st.container(key="patient_map"):
        st.header("Body map")
        with st.container(key="map_says"):
            placing.says(store, patient, by_id, {row.lesion.id: row.number for row in rows})
        bodymap.show(
            bodymap.Shown(
                [row.pin for row in rows],
                chosen=chosen,
                placing=placing.asked(),
                spot=placing.new_spot(patient),
            ),
            key=str(patient.id),
            on_choose=lambda number: address.step(lesion=str(number)),
            on_spot=lambda spot: placing.spotted(store, patient, by_id, spot),
        )
    with right:
        _list(store, patient, rows, chosen)


def _list(store: CaseStore, patient: Patient, rows: Sequence[Shown], chosen: int | None) -> None:
    st.header(f"Lesions ({len(rows)})")
    off = sum(row.lesion.position is None for row in rows)
    if not rows:
        st.markdown("No lesion of this patient is stored. Add a photo, or choose the place on the map.")
    elif off:
        st.caption(f"{off} of {len(rows)} not placed on the map." if off < len(rows) else "None is placed on the map.")
    sheets = math.ceil(len(rows) / PAGE_SIZE)
    sheet = _sheet(patient, rows, chosen, sheets)
    drawn = rows[(sheet - 1) * PAGE_SIZE : sheet * PAGE_SIZE]
    pictures = store.thumbnails([row.latest.id for row in drawn if row.latest])
    for row in drawn:
        with st.container(border=True, key=f"lesion_row_{row.lesion.id}"):
            picture = pictures.get(row.latest.id, b"") if row.latest else b""
            _told(row, picture, is_chosen=row.lesion.id == chosen)
            _actions(patient, row, is_chosen=row.lesion.id == chosen)
            if row.lesion.id == chosen:
                _of_chosen(store, row)
            confirmation.show(editing.place("lesion", row.lesion.id))
    if sheets > 1:
        widgets.pages(_sheet_key(patient), sheets, sheet)


def _sheet(patient: Patient, rows: Sequence[Shown], chosen: int | None, sheets: int) -> int:
    """The part of a long list that is drawn, from 1: the one that was turned to, or that of a lesion just chosen."""
    key, followed = _sheet_key(patient), f"{_sheet_key(patient)}_followed"
    if chosen is not None and st.session_state.get(followed) != chosen:
        place = next(place for place, row in enumerate(rows) if row.lesion.id == chosen)
        st.session_state[key] = place // PAGE_SIZE + 1
    st.session_state[followed] = chosen
    return max(1, min(int(st.session_state.get(key, 1)), sheets))


def _sheet_key(patient: Patient) -> str:
    return f"lesions_sheet_{patient.id}"


def _told(row: Shown, picture: bytes, *, is_chosen: bool) -> None:
    """Number, photo, site, verdict, course and place."""
    alt = latest_photo(row.number, row.where)
    photo = widgets.thumbnail(picture, alt) if picture else ""
    sign = f"{row.number}?" if row.verdict == "unreliable" else f"{row.number}"
    look = f"sl-pin sl-{row.verdict}{' sl-unsigned' * row.unsigned}{' sl-chosen' * is_chosen}"
    course = f"{place_words(row.lesion.position)}."
    if row.latest:
        count = f"{counted(len(row.visits), 'visit')}, last on {row.latest.taken_on}."
        trend = f" {trend_words(melanoma_trend(row.visits))}" if len(row.visits) > 1 else ""
        course = f"{count}{trend} {course}"
    st.html(
        f'<div class="sl-lesion">{photo}<div><span class="{look}">{sign}</span> <b>{escape(row.where)}</b>'
        f"{''.join(f'<p>{escape(line)}</p>' for line in row.state)}<p>{escape(course)}</p></div></div>"
    )


def _actions(patient: Patient, row: Shown, *, is_chosen: bool) -> None:
    number = row.lesion.id
    with st.container(horizontal=True):
        st.button(
            f"✓ Lesion {row.number}" if is_chosen else f"Choose lesion {row.number}",
            key=f"lesion_choose_{number}",
            type="primary" if is_chosen else "secondary",
            on_click=address.step,
            kwargs={"lesion": None if is_chosen else str(number)},
        )
        if st.button(f"Add photo of lesion {row.number}", key=f"lesion_photo_{number}", **allowed.button("file")):
            next_photo.begin(NextPhoto(patient.id, number))
            session.to_visit()
        if row.latest is None:
            return
        _open_case(row.latest.id)
        if len(row.visits) < 2:
            return
        if st.button(f"Compare visits of lesion {row.number}", key=f"patient_compare-{number}"):
            session.show_case(row.latest.id)
            session.turn_to(session.COMPARE)
            session.to_visit()
        with st.popover("Earlier visits", key=f"patient_earlier-{number}"):
            for visit in reversed(row.visits):
                if visit.id != row.latest.id:
                    _open_case(visit.id, f", {visit.taken_on}")


def _open_case(visit_id: int, day: str = "") -> None:
    if st.button(f"Open case {visit_id}{day}", key=f"patient_case-{visit_id}"):
        session.to_case(visit_id)


def _of_chosen(store: CaseStore, row: Shown) -> None:
    """What there is to do with the chosen lesion."""
    lesion = row.lesion
    if editing.is_open("lesion", lesion.id):
        editing.lesion(store, lesion)
        return
    with st.container(horizontal=True):
        st.button(
            "Move on the map" if lesion.position else "Place on the map",
            key="lesion_place",
            icon=":material/add_location:",
            on_click=placing.begin,
            args=(lesion,),
            **allowed.button("file"),
        )
        if lesion.position:
            st.button(
                "Take off the map", key="lesion_off", on_click=placing.put, args=(store, lesion, None),
                **allowed.button("file"),
            )  # fmt: skip
        st.button(
            "Edit lesion", key="lesion_edit", icon=":material/edit:", on_click=editing.begin, args=(lesion,),
            **allowed.button("move"),
        )  # fmt: skip
