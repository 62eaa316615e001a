"""Lesions on the body map: placed, moved, taken off, each with a way back; and the place of a lesion to be added."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from skinlens.errors import Conflict, SkinLensError
from skinlens.records import BodyPosition, Lesion, Patient
from skinlens.store import CaseStore, NewLesion
from skinlens.ui.components import allowed
from skinlens.ui.components.bodymap import Region, Spot
from skinlens.ui.components.bodymap.regions import VIEWS, region_of
from skinlens.ui.components.text import plain
from skinlens.ui.forms import sites
from skinlens.ui.state import address, next_photo, session
from skinlens.ui.state.draft_cache import new_token
from skinlens.ui.state.next_photo import NextPhoto
from skinlens.wording.naming import site

_DONE, _BEGIN, _NEW, _PROBLEM = "map_done", "map_begin", "map_new", "map_problem"


@dataclass(frozen=True)
class Done:
    """Last change on the map, with its undo."""

    lesion_id: int
    before: BodyPosition | None
    version: int
    """Of the lesion after it."""
    region: Region | None = None


def begin(lesion: Lesion) -> None:
    """Have the map ask where this lesion is."""
    _forget()
    address.step(lesion=str(lesion.id))
    st.session_state[_BEGIN] = (lesion.id, new_token())


def asked() -> tuple[int, str] | None:
    """Lesion to be placed, with a token of this request; returned once, then cleared."""
    request: tuple[int, str] | None = st.session_state.pop(_BEGIN, None)
    return request


def new_spot(patient: Patient) -> BodyPosition | None:
    """Position at which a new lesion of this patient is about to be added."""
    patient_spot: tuple[int, Spot] | None = st.session_state.get(_NEW)
    return patient_spot[1].position if patient_spot and patient_spot[0] == patient.id else None


def spotted(store: CaseStore, patient: Patient, lesions: Mapping[int, Lesion], spot: Spot) -> None:
    """Handle a click on the map: an existing lesion is placed at once; a new one has to be confirmed."""
    _forget()
    if spot.lesion_id is None:
        st.session_state[_NEW] = (patient.id, spot)
    else:
        put(store, lesions[spot.lesion_id], spot.position, spot.region)
        address.step(lesion=str(spot.lesion_id))


def put(store: CaseStore, lesion: Lesion, position: BodyPosition | None, region: Region | None = None) -> None:
    """Store the lesion's place, or with None take it off the map; a refusal is shown beside the map."""
    _forget()
    try:
        changed = store.place_lesion(lesion.id, position, expected_version=lesion.version)
    except Conflict:
        st.session_state[_PROBLEM] = (
            "The lesion was placed in another window meanwhile. Nothing was overwritten: the map shows where it is "
            "now. Move it again if that is wrong."
        )
    except SkinLensError as error:
        st.session_state[_PROBLEM] = str(error)
    else:
        st.session_state[_DONE] = Done(lesion.id, lesion.position, changed.version, region)


def says(store: CaseStore, patient: Patient, lesions: Mapping[int, Lesion], numbers: Mapping[int, int]) -> None:
    """Draw the message beside the map: a problem, the last change with its undo, or the next step."""
    if problem := st.session_state.pop(_PROBLEM, ""):
        st.error(plain(problem))
    done: Done | None = st.session_state.get(_DONE)
    new: tuple[int, Spot] | None = st.session_state.get(_NEW)
    if done is not None and done.lesion_id in lesions:
        _done(store, lesions[done.lesion_id], numbers[done.lesion_id], done)
    elif new is not None and new[0] == patient.id:
        _new(patient, new[1])
    elif _BEGIN not in st.session_state:  # while the map asks where a lesion is, it says so itself
        st.caption("Choose a pin for its lesion, or a place on the figure for a new lesion there.")


def _done(store: CaseStore, lesion: Lesion, number: int, done: Done) -> None:
    if lesion.version != done.version:  # changed since, here or in another window
        _forget()
        return
    where = VIEWS[lesion.position.view].lower() if lesion.position else ""
    placed = done.region.words if done.region else where
    verb = "placed" if done.before is None else "moved"
    words = f"Lesion {number} {verb}: {placed} ({where})." if where else f"Lesion {number} is off the map."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(plain(f"Saved. {words}"), width="stretch")
        st.button("Undo", key="map_undo", on_click=_undo, args=(store, lesion, done))
    named = region_of(lesion.body_site, lesion.remark)
    if done.region is None or named is None or named.site == done.region.site:
        return
    st.caption(plain(f"Its body site says {site(lesion.body_site, lesion.remark)}."))
    st.button(
        f"Change the body site to {done.region.words}",
        key="map_site",
        on_click=_change_site,
        args=(store, lesion, done.region),
    )


def _undo(store: CaseStore, lesion: Lesion, done: Done) -> None:
    put(store, lesion, done.before)
    if _PROBLEM not in st.session_state:
        _forget()


def _change_site(store: CaseStore, lesion: Lesion, region: Region) -> None:
    _forget()
    try:
        choice = sites.on_map(lesion.position, region) if lesion.position else None
        wanted = sites.chosen(choice) if choice else NewLesion(region.site, region.side or lesion.remark)
        store.edit_lesion(lesion.id, *wanted, expected_version=lesion.version)
    except SkinLensError as error:
        st.session_state[_PROBLEM] = str(error)


def _new(patient: Patient, spot: Spot) -> None:
    where = spot.region.words if spot.region else VIEWS[spot.position.view].lower()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**New lesion: {plain(where)}**", width="content")
        if st.button("Add its first photo", type="primary", key="map_add", **allowed.button("file")):
            next_photo.begin(NextPhoto(patient.id, position=spot.position, region=spot.region))
            _forget()
            session.to_visit()
        st.button("Discard", key="map_discard", on_click=_forget)


def _forget() -> None:
    for key in (_DONE, _NEW, _PROBLEM):
        st.session_state.pop(key, None)
