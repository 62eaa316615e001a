"""The fields of the photos in the tray: whose each is, of which lesion and day; and the buttons that file them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from weakref import ref

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens import pipeline
from skinlens.formatting import counted
from skinlens.labels import DIAGNOSES
from skinlens.records import Patient
from skinlens.store import CaseRow, CaseStore, NewPatient
from skinlens.ui.components import allowed, widgets
from skinlens.ui.forms import placement, refusal, signing, site_form, sites
from skinlens.ui.forms.placement import KNOWN, NEW_LESION
from skinlens.ui.forms.site_form import Where
from skinlens.ui.state import cache, session
from skinlens.ui.worklist.filing import Filing, Run
from skinlens.ui.worklist.tray import Tray, TrayItem
from skinlens.wording.naming import diagnosis_name, in_sentence, site

_ADDED = "tray_added"
"""Number of the patient that was stored last by filing."""
_SITE_OF_ALL = "tray_site"
MANY = 4
"""Number of photos from which on the button stands above them as well."""


@dataclass(frozen=True)
class Whose:
    """The patient and the day of a photo, or of all of them."""

    patient: NewPatient | int | None
    """As it was typed, or the number of a stored one; None: a photo without a patient."""
    taken_on: date
    missing: tuple[str, ...] = ()
    """What is needed and not given, in words."""
    site: str | None = None
    """Of every photo that has none of its own: one of ``sites.CHOICES``."""


@dataclass(frozen=True)
class Ready:
    """A photo to be filed as a case; ready once nothing is ``missing``."""

    filing: Filing
    missing: tuple[str, ...]


def common(known: Mapping[int, Patient]) -> Whose:
    """The fields that hold for all photos but those with a patient, a day or a site of their own.

    After photos of a new patient were filed, that one is chosen: the next photos are likely to be of the same.
    """
    added = st.session_state.pop(_ADDED, None)
    if added in known:
        st.session_state["tray_kind"], st.session_state["tray_patient"] = KNOWN, added
    return _whose(known, "tray_{}".format, "Patient of all photos", "Date of the photos", with_site=True)


def row(
    store: CaseStore,
    known: Mapping[int, Patient],
    item: TrayItem,
    everybody: Whose,
    beside: DeltaGenerator,
    below: DeltaGenerator,
    stored: Sequence[CaseRow],
) -> Ready | str:
    """The fields of one photo; until it can be filed, words on why not. ``stored``: the cases that hold it already.

    ``beside`` is the place for what is ticked, ``below`` the one for the fields that few photos need.
    """
    whose, own = everybody, item.key("own")
    if st.session_state.get(own):
        with below:
            whose = _whose(known, item.key, "Patient of this photo", "Date of this photo")
    lesion, where = _lesion(store, item, whose.patient if isinstance(whose.patient, int) else None, everybody.site)
    with beside:
        _as_impression(item)
        sign = item.revealed and st.checkbox(
            "Sign", key=item.key("sign"), persist_state="session",
            width="content", **allowed.button("sign", "Marks your diagnosis as final when it is filed."),
        )  # fmt: skip
        st.checkbox(
            "Other patient or date", key=own, persist_state="session", help="For this photo alone.", width="content"
        )
        again = _meant_again(item, stored)
    label = st.session_state.get(item.key("label"))
    if lesion is None and not where.lesion.body_site:
        return "without a body site"
    if not again:
        return "stored already"
    filing = Filing(
        item,
        whose.patient,
        where.lesion if lesion is None else lesion,
        whose.taken_on,
        label,
        sign,
        where.position if lesion is None else None,
    )
    return Ready(filing, (*whose.missing, *(where.missing if lesion is None else ())))


def _whose(
    known: Mapping[int, Patient], key: placement.Key, title: str, day_title: str, *, with_site: bool = False
) -> Whose:
    patient, missing = placement.whose(known, key, title, session.last_patient())
    columns = st.columns([1, 2]) if with_site else [st.container()]
    taken_on = widgets.day_of_photo(columns[0], day_title, key("date"))
    if not with_site:
        return Whose(patient, taken_on, missing)
    of_all = columns[1].selectbox(
        "Body site and side of all photos (optional)",
        sites.CHOICES[:-1],
        index=None,
        placeholder="Each photo has its own",
        key=_SITE_OF_ALL,
        persist_state="session",
        help="Holds for each photo below that has no body site of its own.",
    )
    return Whose(patient, taken_on, missing, of_all)


def _lesion(store: CaseStore, item: TrayItem, patient_id: int | None, of_all: str | None) -> tuple[int | None, Where]:
    """A lesion of a stored patient, chosen from a list; otherwise a new one by its body site. And the diagnosis."""
    lesions = {lesion.id: lesion for lesion in store.lesions(patient_id)} if patient_id is not None else {}
    columns = list(st.columns(4 if lesions else 3, gap="small"))
    with columns.pop():
        if item.revealed:
            widgets.choose_diagnosis("Your diagnosis", item.key("label"), "Your diagnosis", compact=True)
        else:
            widgets.choose_impression(item.key("impression"), on_change=_revealed, args=(ref(item),), compact=True)
    if lesions:
        key = item.key(f"lesion_{patient_id}")
        if st.session_state.get(key) not in {None, NEW_LESION, *lesions}:
            del st.session_state[key]
        chosen = columns.pop(0).selectbox(
            "Lesion",
            [NEW_LESION, *lesions],
            format_func=lambda number: (
                "New lesion" if number == NEW_LESION else site(lesions[number].body_site, lesions[number].remark)
            ),
            key=key,
            persist_state="session",
            label_visibility="collapsed",
        )
        if chosen != NEW_LESION:
            return int(chosen), Where(sites.chosen(None))
    return None, site_form.fields(item.key, columns, compact=True, for_all=of_all)


def _revealed(row: ref[TrayItem]) -> None:
    """An impression was chosen: the result is shown. The diagnosis, which is given after it, begins with nothing."""
    item = row()
    said = st.session_state.get(item.key("impression")) if item else None
    if item is not None and said is not None:
        item.reveal(said)


def _as_impression(item: TrayItem) -> None:
    """Button that makes the impression the diagnosis too, where there is one and no diagnosis yet."""
    key, said = item.key("label"), item.impression
    if item.revealed and said in DIAGNOSES and st.session_state.get(key) is None:
        st.button(
            f"Use {in_sentence(diagnosis_name(said))} as my diagnosis", key=item.key("as_impression"),
            on_click=st.session_state.__setitem__, args=(key, said),
        )  # fmt: skip


def _meant_again(item: TrayItem, stored: Sequence[CaseRow]) -> bool:
    """Whether a photo may be filed: one that is a case already only where that is said to be meant."""
    if not stored:
        return True
    return st.checkbox(
        f"File it again: it is case {stored[0].visit_id} already", key=item.key("again"), persist_state="session",
        width="content",
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ filing


def buttons(store: CaseStore, tray: Tray, rows: Sequence[Ready | str], places: Sequence[DeltaGenerator]) -> None:
    """File what is ready of the rows, from any of the ``places``."""
    ready = [row for row in rows if isinstance(row, Ready)]
    waiting = Counter(row for row in rows if isinstance(row, str))
    with places[-1]:
        signs = any(photo.filing.sign for photo in ready) and store.settings().signers
        signer = signing.choose(store, draft=True) if signs else ""
    pressed, troubles = False, []
    for number, place in enumerate(places):
        with place, refusal.beside(f"tray_{number}") as trouble:
            troubles.append(trouble)
            pressed |= _button(len(ready), waiting, "tray_file" if place is places[-1] else f"tray_file_{number}")
    asked = "file" if pressed else None
    if not refusal.mended(*troubles, key="tray", pressed=asked, problem=lambda _: _problem(store, ready, signer)):
        return
    Run(store, tray, [photo.filing for photo in ready], signer, lambda data: pipeline.analyze(data, cache.classifier()))
    session.to_top()  # where its progress and its outcome are
    st.rerun()


def _button(ready: int, waiting: Counter[str], key: str) -> bool:
    if not ready and not waiting:
        return False
    those = ", ".join(f"{number} {why}" for why, number in waiting.items())
    waits = f"{those}: {'it stays' if waiting.total() == 1 else 'they stay'} in the list."
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = bool(ready) and st.button(f"File {counted(ready, 'photo')}", type="primary", key=key)
        if waiting:
            st.caption(waits, width="content")
    return pressed


def _problem(store: CaseStore, ready: Sequence[Ready], signer: str) -> str:
    missing = list(dict.fromkeys(words for photo in ready for words in photo.missing))
    if missing:
        return f"Nothing is filed yet. Still needed: {' and '.join(missing)}."
    if twice := _spelled_differently(ready):
        names = " and ".join(twice)
        return f"Nothing is filed yet. {names}: if this is one patient, give the same ID and data in each row."
    signs = [photo.filing for photo in ready if photo.filing.sign]
    if any(filing.label is None for filing in signs):
        return "Nothing is filed yet. To sign a photo, give your diagnosis in its row."
    return (signing.missing(store, signer) or signing.refused(signer)) if signs else ""


def _spelled_differently(ready: Sequence[Ready]) -> list[str]:
    """New patients whose IDs differ in capitals and blanks alone, or whose data differ; empty where there are none."""
    patients = (photo.filing.patient for photo in ready)
    names = [patient.pseudonym for patient in dict.fromkeys(patients) if isinstance(patient, NewPatient)]
    return [name for name in names if sum(placement.same_pseudonym(name, other) for other in names) > 1]


def follow(run: Run) -> None:
    """Show how far a filing is until it is at its end; then draw the list anew."""
    bar = st.progress(0.0, "Filing …")
    while not run.wait(0.1):
        bar.progress(run.done / run.total, f"{run.done} of {counted(run.total, 'photo')} filed")
    st.rerun()


def take_over(store: CaseStore, run: Run, known: Mapping[int, Patient]) -> None:
    """Set, once after each filing, the fields for all photos, and the patient worked on, by what was filed."""
    if run.active or run.seen:
        return
    run.seen = True
    if run.visit_ids:
        signing.remember(run.signer)
        last = max(run.visit_ids)
        if store.exists(last):
            session.work_on(store.case(last))
    if run.added in known:
        st.session_state[_ADDED] = run.added
        for name in ("pseudonym", "year", "sex", "other"):
            st.session_state.pop(f"tray_{name}", None)
