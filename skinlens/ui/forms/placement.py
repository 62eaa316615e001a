"""Patient and lesion that a photo belongs to: chosen by pseudonym and by picture, never guessed."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from skinlens.formatting import counted
from skinlens.records import BodyPosition, Case, Lesion, Patient, Visit
from skinlens.store import CaseRow, CaseStore, NewLesion, NewPatient
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.ui.forms import site_form, sites
from skinlens.ui.forms.site_form import Where
from skinlens.ui.state import session
from skinlens.ui.state.next_photo import NextPhoto
from skinlens.wording.maps import latest_photo
from skinlens.wording.naming import SEXES, site

NEW, KNOWN, NONE = "New patient", "Existing patient", "No patient"
NEW_LESION = 0
CARDS = 3
"""Lesions in one row."""

Key = Callable[[str], str]
"""The key of a field: one of its own for each photo, so that nothing of one photo shows up at the next."""


@dataclass(frozen=True)
class Placement:
    """Patient and lesion chosen so far; complete where nothing is missing."""

    patient: NewPatient | int | None
    lesion: NewLesion | int | None
    missing: tuple[str, ...] = ()
    """What is needed and not given, in words."""
    position: BodyPosition | None = None
    """Of a new lesion, on the body map."""


def choose(
    store: CaseStore,
    key: Key,
    leave_out: int | None = None,
    patient: int | None = None,
    begin: NextPhoto | None = None,
) -> Placement:
    """The fields for the patient and the lesion.

    Args:
        key: Gives the key of each field.
        leave_out: A lesion that is not offered.
        patient: The one with whom the choice begins; None: a new one.
        begin: The patient and the lesion with which it begins, in the place of ``patient``.
    """
    if begin is not None:
        patient = begin.patient_id
    known = {person.id: person for person in store.patients()}
    of_whom, missing = whose(known, key, "Patient", patient, fallback=session.last_patient())
    if isinstance(of_whom, int):
        return _of_known(store, key, of_whom, leave_out, begin)
    if missing and st.session_state.get(key("kind")) == KNOWN:
        return Placement(None, None, missing)
    where = _new_lesion(key)
    return Placement(of_whom, where.lesion, (*missing, *where.missing), where.position)


# ---------------------------------------------------------------------------------------------------------- patients


def whose(
    known: Mapping[int, Patient], key: Key, title: str, first: int | None, fallback: int | None = None
) -> tuple[NewPatient | int | None, tuple[str, ...]]:
    """The fields for the patient: a new one as typed, the number of a known one, or None; and what is still needed.

    Args:
        known: All patients by number.
        key: Gives the key of each field.
        title: Of the choice between new, known and none.
        first: The one with whom the choice begins; None: a new one.
        fallback: The one that is chosen first where a known one is asked for.
    """
    kinds = [NEW, KNOWN, NONE] if known else [NEW, NONE]
    if st.session_state.get(key("kind"), NEW) not in kinds:
        del st.session_state[key("kind")]
    # A default, not a value that is set here: the browser would put that in the place of an early click. Where the
    # value was set already, for the patient that was filed last, a default beside it would be one too many.
    default = None if key("kind") in st.session_state else KNOWN if first in known else NEW
    kind = st.segmented_control(title, kinds, default=default, required=True, key=key("kind"), persist_state="session")
    if kind is None or kind == NEW:
        return new_patient(key, tuple(known.values()))
    if kind == NONE:
        return None, ()
    chosen = known_patient(key, known, first if first is not None else fallback)
    return chosen, () if chosen is not None else ("the patient",)


def known_patient(key: Key, known: Mapping[int, Patient], likely: int | None) -> int | None:
    """The field for one of the known patients; it begins with ``likely``. One that was deleted meanwhile is said."""
    name, gone = key("patient"), key("gone")
    if st.session_state.get(name) not in {None, *known}:
        del st.session_state[name]
        st.session_state[gone] = True
    numbers = list(known)
    given = name in st.session_state  # then a default beside it would be one too many
    begins = likely in numbers and gone not in st.session_state and not given
    chosen: int | None = st.selectbox(
        "Patient ID",
        numbers,
        index=numbers.index(likely) if likely is not None and begins else None,
        format_func=lambda number: known[number].pseudonym,
        placeholder="Choose the patient",
        key=name,
        persist_state="session",
    )
    if chosen is not None:
        st.session_state.pop(gone, None)
    elif gone in st.session_state:
        st.warning("The patient who was chosen here was deleted in this or in another window. Choose again.")
    return chosen


def _of_known(store: CaseStore, key: Key, chosen: int, leave_out: int | None, begin: NextPhoto | None) -> Placement:
    of_patient = store.lesions(chosen)
    lesions = {number: lesion for number, lesion in enumerate(of_patient, 1) if lesion.id != leave_out}
    mine = begin if begin is not None and begin.patient_id == chosen else None
    picked = _pick(store, key, chosen, lesions, mine) if lesions else NEW_LESION
    if picked is None:
        return Placement(chosen, None, ("the lesion",))
    if picked != NEW_LESION:
        return Placement(chosen, picked)
    if mine is not None and mine.position is not None and key("site") not in st.session_state:
        site_form.put(key, mine.position, sites.on_map(mine.position, mine.region))
    where = _new_lesion(key)
    return Placement(chosen, where.lesion, where.missing, where.position)


def new_patient(key: Key, known: Sequence[Patient]) -> tuple[NewPatient, tuple[str, ...]]:
    """The fields for a new patient; and what is still needed, also to tell a namesake apart."""
    columns = st.columns([5, 4, 4])
    with columns[1]:
        year = widgets.birth_year(key=key("year"))
    typed = NewPatient(
        columns[0].text_input(
            "Patient ID", key=key("pseudonym"), persist_state="session", placeholder="e.g. P-0147", help="Never a name."
        ),
        year.whole,
        columns[2].selectbox(
            "Sex", list(SEXES), format_func=SEXES.__getitem__, key=key("sex"), persist_state="session"
        ),
    )
    below = st.container()  # always there: what is being typed further down is lost where the fields move
    with below:
        widgets.unprintable({}, typed)
    if year.problem:
        return typed, ("a birth year that can be read, or none",)
    if not typed.pseudonym.strip():
        return typed, ("a patient ID (or choose No patient)",)
    match = namesake(typed.pseudonym, known)
    if match is None:
        return typed, ()
    exactly = _composed(typed.pseudonym) == match.pseudonym
    with below, st.container(border=True):
        st.markdown(
            f"**There is a patient {plain(match.pseudonym)} already**, {plain(described(match))}. "
            "Is this photo of the same person?"
        )
        st.button(
            f"Yes, of patient {plain(match.pseudonym)}", on_click=_use, args=(key, match.id), key=f"use-{key('')}"
        )
        if exactly:
            st.caption("If it is somebody else, type another patient ID.")
            return typed, (f"whether this is patient {match.pseudonym} or somebody else",)
        other = st.checkbox(
            f"No, {plain(typed.pseudonym.strip())} is another person", key=key("other"), persist_state="session"
        )
    return typed, () if other else (f"whether this is patient {match.pseudonym} or somebody else",)


def _use(key: Key, patient_id: int) -> None:
    st.session_state[key("kind")] = KNOWN
    st.session_state[key("patient")] = patient_id


def namesake(pseudonym: str, known: Iterable[Patient]) -> Patient | None:
    """The patient of this pseudonym, or of one that differs in capitals and blanks alone."""
    known = tuple(known)
    exact = [patient for patient in known if patient.pseudonym == _composed(pseudonym)]
    bare = [patient for patient in known if _bare(patient.pseudonym) == _bare(pseudonym)]
    return next(iter(exact + bare), None)


def same_pseudonym(first: str, second: str) -> bool:
    """Whether two pseudonyms differ in capitals and blanks at most."""
    return _bare(first) == _bare(second)


def described(patient: Patient) -> str:
    """Further data of a stored patient."""
    sex = "sex not recorded" if patient.sex == "unknown" else SEXES[patient.sex]
    born = f"born in {patient.birth_year}" if patient.birth_year else "birth year not recorded"
    return f"{sex}, {born}{' or before' * patient.birth_year_is_upper_bound}"


def _composed(pseudonym: str) -> str:
    return unicodedata.normalize("NFC", pseudonym).strip()


def _bare(pseudonym: str) -> str:
    return "".join(unicodedata.normalize("NFKC", pseudonym).casefold().split())


# ----------------------------------------------------------------------------------------------------------- lesions


def _pick(
    store: CaseStore, key: Key, patient_id: int, lesions: Mapping[int, Lesion], begin: NextPhoto | None
) -> int | None:
    """The lesion that was chosen by its picture, ``NEW_LESION``, or None: nothing is chosen beforehand, but what
    was asked for at that lesion. ``lesions``: by their numbers within the patient, from 1, as on the patient's page.
    """
    name = key(f"lesion_{patient_id}")
    stored = {lesion.id for lesion in lesions.values()}
    if begin is not None and name not in st.session_state:
        st.session_state[name] = NEW_LESION if begin.of_new_lesion else begin.lesion_id
    picked: int | None = st.session_state.get(name)
    if picked not in {*stored, NEW_LESION}:
        picked = st.session_state[name] = None
    st.markdown("Which lesion is it?")
    visits = {lesion.id: store.visits_of_lesion(lesion.id) for lesion in lesions.values()}
    pictures = store.thumbnails([lesion_visits[-1].id for lesion_visits in visits.values() if lesion_visits])
    cards: list[tuple[int, Lesion | None]] = [*lesions.items(), (NEW_LESION, None)]
    for start in range(0, len(cards), CARDS):
        for column, (number, lesion) in zip(st.columns(CARDS), cards[start : start + CARDS], strict=False):
            stored_id = lesion.id if lesion else NEW_LESION
            with column, st.container(border=True):
                if lesion:
                    st.html(_card(number, lesion, visits[lesion.id], pictures))
                else:
                    st.html('<div class="sl-card">None of these: a lesion that has no photo here yet.</div>')
                what = f"lesion {number}" if lesion else "a new lesion"
                st.button(
                    f"✓ {what.capitalize()}" if picked == stored_id else f"Choose {what}",
                    key=f"pick_{stored_id}-{name}",
                    type="primary" if picked == stored_id else "secondary",
                    width="stretch",
                    on_click=st.session_state.__setitem__,
                    args=(name, stored_id),
                )
    return picked


def _card(number: int, lesion: Lesion, visits: Sequence[Visit], pictures: dict[int, bytes]) -> str:
    picture = pictures.get(visits[-1].id, b"") if visits else b""
    where = site(lesion.body_site, lesion.remark)
    photos = counted(len(visits), "photo")
    latest = f", the latest of {visits[-1].taken_on}" if visits else ""
    return (
        f"{widgets.thumbnail(picture, latest_photo(number, where))}"
        f'<div class="sl-card"><b>{escape(where)}</b><br>{photos}{latest}</div>'
    )


def _new_lesion(key: Key) -> Where:
    where = site_form.fields(key, st.columns(2))
    site_form.on_map(key)
    return where


def put_on_map(store: CaseStore, case: Case, chosen: Placement) -> None:
    """Mark a new lesion that was just saved at the place that was given. Raises Conflict, StoreError."""
    if chosen.position is not None and isinstance(chosen.lesion, NewLesion) and case.lesion.position is None:
        store.place_lesion(case.lesion.id, chosen.position, expected_version=case.lesion.version)


# ---------------------------------------------------------------------------------------------------- the same photo


def same_photo(cases: Sequence[CaseRow], placement: Placement) -> str:
    """Warning where this very photo is stored already; ``cases`` are those that hold it, at least one."""
    same_lesion = [row for row in cases if row.lesion_id == placement.lesion]
    others = [row for row in cases if row.patient_id != placement.patient]
    named = ", ".join(
        f"case {row.visit_id} ({row.pseudonym or 'no patient'}, {site(row.body_site, row.remark)})" for row in cases
    )
    if same_lesion and not placement.missing:
        return f"This very photo is a visit of this lesion already: {named}. A visit needs a photo of its own."
    if placement.missing or (placement.patient is None and len(others) < len(cases)):
        return f"This very photo is stored already: {named}."
    if others:
        return f"This very photo is stored for somebody else: {named}. A photo can be of one person only."
    return f"This very photo is stored for another lesion of this patient: {named}."
