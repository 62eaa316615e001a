"""Filing of the photos in the tray: whose each is, of which lesion and day, and the cases that are made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import streamlit as st

from skinlens import pipeline
from skinlens.errors import SkinLensError
from skinlens.records import Patient
from skinlens.store import CaseStore, NewLesion, NewPatient
from skinlens.ui import cache, placement, session, signing, widgets
from skinlens.ui.placement import KNOWN, NEW, NEW_LESION, NONE, Key
from skinlens.ui.tray import Tray, TrayItem
from skinlens.ui.words import plain, site

_ADDED = "tray_added"
"""Number of the patient that was stored last by filing."""


@dataclass(frozen=True)
class Whose:
    """The patient and the day of a photo, or of all of them."""

    patient: NewPatient | int | None
    """As it was typed, or the number of a stored one; None: a photo without a patient."""
    taken_on: date
    missing: tuple[str, ...] = ()
    """What is needed and not given, in words."""


@dataclass(frozen=True)
class Filing:
    """One photo that is ready to become a case, or lacks something."""

    item: TrayItem
    whose: Whose
    lesion: NewLesion | int
    label: str | None
    sign: bool


def common(known: Mapping[int, Patient]) -> Whose:
    """The fields that hold for all photos but those with a patient or day of their own.

    After photos of a new patient were filed, that one is chosen: the next photos are likely to be of the same.
    """
    added = st.session_state.pop(_ADDED, None)
    if added in known:
        st.session_state["tray_kind"], st.session_state["tray_patient"] = KNOWN, added
    return _whose(known, lambda name: f"tray_{name}", "Patient of all photos", "Date of the photos")


def row(store: CaseStore, known: Mapping[int, Patient], item: TrayItem, everybody: Whose) -> Filing | None:
    """The fields of one photo; None until it has a body site or a lesion."""
    whose = everybody
    if st.toggle("Other patient or date", key=_of(item, "own"), persist_state="session", help="For this photo alone."):
        whose = _whose(known, lambda name: _of(item, name), "Patient of this photo", "Date of this photo")
    lesion = _lesion(store, item, whose.patient if isinstance(whose.patient, int) else None)
    left, right = st.columns(2)
    with left:
        label = widgets.choose_diagnosis("Your diagnosis", _of(item, "label"))
    sign = right.checkbox(
        "Sign", key=_of(item, "sign"), persist_state="session", help="Marks your diagnosis as final when it is filed."
    )
    return None if lesion is None else Filing(item, whose, lesion, label, sign)


def _of(item: TrayItem, name: str) -> str:
    return f"tray_{name}-{item.token}"


def _whose(known: Mapping[int, Patient], key: Key, title: str, day_title: str) -> Whose:
    kinds = [NEW, KNOWN, NONE] if known else [NEW, NONE]
    first = KNOWN if session.last_patient() in known else NEW
    kind = st.segmented_control(title, kinds, default=first, required=True, key=key("kind"), persist_state="session")
    patient: NewPatient | int | None = None
    missing: tuple[str, ...] = ()
    if kind == NEW:
        patient, missing = placement.new_patient(key, tuple(known.values()))
    elif kind == KNOWN:
        patient = placement.known_patient(key, dict(known), session.last_patient())
        missing = () if patient is not None else ("the patient",)
    taken_on = st.date_input(
        day_title, max_value="today", format="YYYY-MM-DD", key=key("date"), persist_state="session"
    )
    return Whose(patient, taken_on, missing)


def _lesion(store: CaseStore, item: TrayItem, patient_id: int | None) -> NewLesion | int | None:
    """A lesion of a stored patient, chosen from a list; otherwise a new one by its body site."""
    lesions = {one.id: one for one in store.lesions(patient_id)} if patient_id is not None else {}
    if lesions:
        key = _of(item, f"lesion_{patient_id}")
        if st.session_state.get(key) not in {None, NEW_LESION, *lesions}:
            del st.session_state[key]
        chosen = st.selectbox(
            "Lesion",
            [NEW_LESION, *lesions],
            format_func=lambda number: (
                "New lesion" if number == NEW_LESION else site(lesions[number].body_site, lesions[number].remark)
            ),
            key=key,
            persist_state="session",
            help="A lesion of this patient that has a photo already, or a new one.",
        )
        if chosen != NEW_LESION:
            return int(chosen)
    typed = placement.lesion_fields(lambda name: _of(item, name))
    return typed if typed.body_site.strip() else None


# ------------------------------------------------------------------------------------------------------------ filing


def button(store: CaseStore, tray: Tray, ready: Sequence[Filing], without: int) -> None:
    """Files what is ready; ``without``: how many photos have neither a body site nor a lesion."""
    signer = signing.choose(store, draft=True) if any(one.sign for one in ready) and store.settings().signers else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            f"File {len(ready)} {'photo' if len(ready) == 1 else 'photos'}",
            type="primary",
            key="tray_file",
            disabled=not ready,
        )
        if any(item.state == "filed" for item in tray.items) and st.button("Clear the filed rows", key="tray_clear"):
            tray.take_out_filed()
            st.rerun()
    if without:
        st.caption(f"{without} without a body site: {'it stays' if without == 1 else 'they stay'} in the list.")
    if not pressed:
        return
    if problem := _problem(store, ready, signer):
        st.error(plain(problem))
    elif _file(store, tray, ready, signer):
        session.say(f"{len(ready)} {'photo' if len(ready) == 1 else 'photos'} filed.")
        st.rerun()


def _problem(store: CaseStore, ready: Sequence[Filing], signer: str) -> str:
    missing = list(dict.fromkeys(words for one in ready for words in one.whose.missing))
    if missing:
        return f"Nothing is filed yet. Still needed: {' and '.join(missing)}."
    if twice := _spelled_differently(ready):
        names = " and ".join(twice)
        return f"Nothing is filed yet. {names}: if this is one patient, give the same ID and data in each row."
    signs = [one for one in ready if one.sign]
    if any(one.label is None for one in signs):
        return "Nothing is filed yet. To sign a photo, give your diagnosis in its row."
    return (signing.missing(store, signer) or signing.refused(signer)) if signs else ""


def _spelled_differently(ready: Sequence[Filing]) -> list[str]:
    """New patients whose IDs differ in capitals and blanks alone, or whose data differ; empty where there are none."""
    typed = list(dict.fromkeys(one.whose.patient for one in ready if isinstance(one.whose.patient, NewPatient)))
    names = [one.pseudonym for one in typed]
    return [name for name in names if sum(placement.alike(name, other) for other in names) > 1]


def _file(store: CaseStore, tray: Tray, ready: Sequence[Filing], signer: str) -> bool:
    """One after another; whether all are cases now. What could not be filed keeps what was typed."""
    bar = st.progress(0.0, "Filing …")
    added: dict[NewPatient, int] = {}
    for filed, one in enumerate(ready, 1):
        try:
            _file_one(store, tray, one, signer, added)
        except SkinLensError as error:  # the others may do
            st.error(plain(f"{one.item.name}: {error}"))
            return False
        bar.progress(filed / len(ready), f"{filed} of {len(ready)} filed")
    signing.remember(signer)
    return True


def _file_one(store: CaseStore, tray: Tray, one: Filing, signer: str, added: dict[NewPatient, int]) -> None:
    """``added``: the new patients so far, with their numbers; a second photo of one is of the same patient."""
    typed = one.whose.patient
    patient = added.get(typed, typed) if isinstance(typed, NewPatient) else typed
    case = pipeline.save(
        store,
        pipeline.analyse(one.item.data, cache.classifier()),
        (),
        patient=patient,
        lesion=one.lesion,
        taken_on=one.whose.taken_on,
        clinician_label=one.label,
    )
    tray.filed(one.item, case.visit.id)  # it is a case now, whatever becomes of the signature
    session.work_on(case)
    if isinstance(typed, NewPatient) and case.patient is not None:
        added[typed] = st.session_state[_ADDED] = case.patient.id
    if one.sign:
        store.annotate(
            case.visit.id,
            clinician_label=one.label,
            clinician_diagnosis="",
            notes="",
            status="signed",
            expected_version=case.visit.version,
            signer=signer,
        )
