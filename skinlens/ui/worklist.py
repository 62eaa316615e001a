"""The worklist: many photos at once, each in its row with its result, filed together or one by one."""

from datetime import date
from typing import Any, cast

import streamlit as st

from skinlens import pipeline
from skinlens.errors import SkinLensError
from skinlens.labels import BY_CODE, CODES
from skinlens.pipeline import Analysis
from skinlens.quantities import percent
from skinlens.records import Prediction, QualityReport
from skinlens.store import CaseStore, NewLesion, NewPatient
from skinlens.ui import cache, placement, session, suggestions, tabs, widgets
from skinlens.ui.placement import KNOWN, NEW, NONE
from skinlens.ui.tray import Tray, TrayItem
from skinlens.ui.words import BODY_SITES, plain
from skinlens.wording import UNRELIABLE_BRIEFLY, verdict_line

THUMBNAIL_PX = 320
ORDERS = ("As they came", "Melanoma first")
POLL_S = 1.0
"""While photos are read."""


def new_tray() -> Tray:
    """One that reads with the installed model."""
    return Tray(
        lambda data: pipeline.analyse(data, cache.classifier()),
        lambda analysis: cache.jpeg(cache.reduced(analysis.photo, THUMBNAIL_PX)),
    )


def page(store: CaseStore) -> None:
    """The drop field, what holds for all photos, their rows, and the button that files them."""
    tray = session.tray(new_tray)
    _drop(tray)
    if not tray.items and not tray.discarded:
        st.markdown(
            "Drop all photos of a visit here. Each gets its row: its quality, whether melanoma is flagged, the most "
            "probable classes. Give each a body site, and file them together. Nothing is stored before that."
        )
        return
    suggestions.offer(list(dict.fromkeys((*BODY_SITES, *store.body_sites()))))
    busy = tray.busy
    st.fragment(_list, run_every=POLL_S if busy else None)(store, tray, busy)


def _drop(tray: Tray) -> None:
    round_ = st.session_state.setdefault("tray_uploads", 0)
    files = st.file_uploader(
        "Photos of lesions: JPEG, PNG, WebP, TIFF, BMP or HEIC",
        key=f"tray-{round_}",
        accept_multiple_files=True,
        help="At most 25 MB each. The files' names and their hidden data (place, camera, owner) are not stored.",
    )
    if not files:
        return
    cache.classifier()  # without a model nothing is taken in
    tray.add([(file.name, file.getvalue()) for file in files])
    for file in files:
        tabs.forget_upload(file.file_id)
    st.session_state["tray_uploads"] += 1
    st.rerun()


def _list(store: CaseStore, tray: Tray, was_busy: bool) -> None:
    if was_busy and not tray.busy:
        st.rerun()  # once more as a whole page, which asks no more
    try:
        _rows(store, tray)
    except SkinLensError as error:  # the page's own sentence is out of reach: this part is drawn by itself
        st.error(plain(error))


def _rows(store: CaseStore, tray: Tray) -> None:
    items = tray.items
    _progress(items)
    with st.container(border=True):
        patient, missing = _patient(store)
        taken_on = st.date_input(
            "Date of the photos", max_value="today", format="YYYY-MM-DD", key="tray_date", persist_state="session"
        )
    order = st.segmented_control(
        "Order", ORDERS, default=ORDERS[0], required=True, key="tray_order", persist_state="session"
    )
    shown = sorted(items, key=lambda item: -item.melanoma_prob) if order == ORDERS[1] else list(items)
    figures = cache.settings().cutoff_shown
    for item in shown:
        with st.container(border=True):
            _row(store, tray, item, figures)
    for item in tray.discarded:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(plain(f"Discarded: {item.name}"))
            if st.button("Undo", key=f"undo-{item.token}"):
                tray.put_back(item)
                st.rerun()
    _file_all(store, tray, shown, patient, missing, taken_on)


def _progress(items: tuple[TrayItem, ...]) -> None:
    done = sum(item.state not in {"waiting", "reading"} for item in items)
    if done < len(items):
        st.progress(done / len(items), f"{done} of {len(items)} photos read")
    else:
        read = sum(item.state == "read" for item in items)
        st.markdown(f"**{read} {'photo' if read == 1 else 'photos'} to file**")


def _patient(store: CaseStore) -> tuple[NewPatient | int | None, tuple[str, ...]]:
    """Whose photos these are, and what is still needed of that."""
    known = {one.id: one for one in store.patients()}
    kinds = [NEW, KNOWN, NONE] if known else [NEW, NONE]
    first = KNOWN if session.last_patient() in known else NEW
    kind = st.segmented_control(
        "Patient of all photos", kinds, default=first, required=True, key=_key("kind"), persist_state="session"
    )
    if kind == NONE:
        return None, ()
    if kind == NEW:
        return placement.new_patient(_key, tuple(known.values()))
    chosen = placement.known_patient(_key, known, session.last_patient())
    return chosen, () if chosen is not None else ("the patient",)


def _key(name: str) -> str:
    return f"tray_{name}"


# -------------------------------------------------------------------------------------------------------------- rows


def _row(store: CaseStore, tray: Tray, item: TrayItem, figures: bool) -> None:
    picture, words, fields, actions = st.columns([2, 4, 5, 2], gap="medium")
    with picture:
        if item.thumbnail:
            st.html(widgets.thumbnail(item.thumbnail, f"Photo {position(tray, item)} of the worklist"))
    with words:
        st.markdown("  \n".join(lines(item, figures=figures)))
    if item.state == "read":
        known = store.cases_with_photo(item.photo_sha256)
        with words:
            if known:
                st.caption(plain(f"This very photo is stored already, as case {known[0].visit_id}."))
        with fields:
            _fields(item)
    with actions:
        _actions(tray, item)


def position(tray: Tray, item: TrayItem) -> int:
    """Its place among all rows, from 1."""
    return tray.items.index(item) + 1


def lines(item: TrayItem, *, figures: bool = True) -> tuple[str, ...]:
    """What a row says, in Markdown."""
    if item.state == "waiting":
        return (plain(item.name), "Waiting")
    if item.state == "reading":
        return (plain(item.name), "Reading …")
    if item.state == "refused":
        return (f"**{plain(item.name)}**", plain(item.problem))
    quality, prediction = item.quality, item.prediction
    assert quality is not None
    assert prediction is not None
    said = (f"**{plain(verdict(quality, prediction, figures=figures))}**", *map(plain, _classes(quality, prediction)))
    return (*said, f"Filed as case {item.visit_id}") if item.state == "filed" else said


def verdict(quality: QualityReport, prediction: Prediction, *, figures: bool = True) -> str:
    """The first line of a result: unreliable, or on which side of the melanoma cut-off it lies."""
    if not quality.reliable:
        return f"{UNRELIABLE_BRIEFLY}: unlike the photos that the model learned from"
    return verdict_line(prediction, figures=figures).removesuffix(".")


def _classes(quality: QualityReport, prediction: Prediction) -> tuple[str, ...]:
    checks = f"Photo quality: {len(quality.failed)} of {len(quality.checks)} checks not met" if quality.failed else ""
    if not quality.reliable:
        return (checks,) if checks else ()
    ranked = sorted(CODES, key=lambda code: -prediction.prob(code))[: widgets.TOP]
    classes = " · ".join(f"{BY_CODE[code].name} {percent(prediction.prob(code))}" for code in ranked)
    return (classes, checks) if checks else (classes,)


def _fields(item: TrayItem) -> None:
    left, right = st.columns(2)
    left.text_input(
        suggestions.BODY_SITE,
        key=_of(item, "site"),
        persist_state="session",
        placeholder="e.g. forearm",
        max_chars=80,
    )
    right.text_input(
        "Exact location (optional)",
        key=_of(item, "remark"),
        persist_state="session",
        placeholder="e.g. left, below the scapula",
    )
    with left:
        widgets.choose_diagnosis("Your diagnosis", _of(item, "label"))
    right.checkbox(
        "Sign", key=_of(item, "sign"), persist_state="session", help="Marks your diagnosis as final when it is filed."
    )


def _of(item: TrayItem, name: str) -> str:
    return f"tray_{name}-{item.token}"


def _actions(tray: Tray, item: TrayItem) -> None:
    number = position(tray, item)
    if item.state == "filed":
        if st.button("Open case", key=f"tray_case-{item.token}", width="stretch", help=f"Case {item.visit_id}"):
            assert item.visit_id is not None
            session.show_case(item.visit_id)
            session.to_visit()
        return
    if item.state == "read" and st.button(
        "Look closer", key=f"tray_open-{item.token}", width="stretch", help=f"Opens photo {number} on its own page."
    ):
        session.begin(_again(item))
        session.to_visit()
    if item.state in {"read", "refused"} and st.button(
        "Discard", key=f"tray_discard-{item.token}", width="stretch", help=f"Takes out photo {number}; can be undone."
    ):
        tray.discard(item)
        st.rerun()


def _again(item: TrayItem) -> Analysis:
    with st.spinner("Reading the photo …"):
        return pipeline.analyse(item.data, cache.classifier())


# ------------------------------------------------------------------------------------------------------------ filing


def _file_all(
    store: CaseStore,
    tray: Tray,
    items: list[TrayItem],
    patient: NewPatient | int | None,
    missing: tuple[str, ...],
    taken_on: date,
) -> None:
    ready = [item for item in items if item.state == "read" and str(_typed(item, "site") or "").strip()]
    without = sum(item.state == "read" for item in items) - len(ready)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            f"File {len(ready)} {'photo' if len(ready) == 1 else 'photos'}",
            type="primary",
            key="tray_file",
            disabled=not ready,
        )
        if any(item.state == "filed" for item in items) and st.button("Clear the filed rows", key="tray_clear"):
            tray.take_out_filed()
            st.rerun()
    if without:
        st.caption(f"{without} without a body site: {'it stays' if without == 1 else 'they stay'} in the list.")
    if not pressed:
        return
    if missing:
        st.error(plain(f"Nothing is filed yet. Still needed: {' and '.join(missing)}."))
        return
    bar = st.progress(0.0, "Filing …")
    for filed, item in enumerate(ready, 1):
        try:
            patient = _file(store, tray, item, patient, taken_on)
        except SkinLensError as error:  # the others may do; what was typed stays
            st.error(plain(f"{item.name}: {error}"))
            break
        bar.progress(filed / len(ready), f"{filed} of {len(ready)} filed")
    else:
        session.say(f"{len(ready)} {'photo' if len(ready) == 1 else 'photos'} filed.")
        st.rerun()


def _file(
    store: CaseStore, tray: Tray, item: TrayItem, patient: NewPatient | int | None, taken_on: date
) -> NewPatient | int | None:
    """Store it as the first visit of a new lesion; the patient's number for the next ones."""
    lesion = NewLesion(str(_typed(item, "site")), str(_typed(item, "remark") or ""))
    label = cast(str | None, _typed(item, "label"))
    case = pipeline.save(
        store,
        pipeline.analyse(item.data, cache.classifier()),
        (),
        patient=patient,
        lesion=lesion,
        taken_on=taken_on,
        clinician_label=label,
    )
    if _typed(item, "sign"):
        store.annotate(
            case.visit.id,
            clinician_label=label,
            clinician_diagnosis="",
            notes="",
            status="signed",
            expected_version=case.visit.version,
        )
    tray.filed(item, case.visit.id)
    session.work_on(case)
    return case.patient.id if case.patient else None


def _typed(item: TrayItem, name: str) -> Any:
    return st.session_state.get(_of(item, name))
