"""The worklist: many photos at once, each in its row with its result, filed together or one by one."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from weakref import ref

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens import pipeline
from skinlens.case_record import Analysis
from skinlens.errors import SkinLensError
from skinlens.formatting import counted, percent
from skinlens.imaging import intake
from skinlens.imaging.intake.sniffing import ACCEPTED, MAX_BYTES
from skinlens.labels import BY_CODE, CODES
from skinlens.records import Patient, Prediction, QualityReport
from skinlens.store import CaseRow, CaseStore
from skinlens.ui.components import allowed, widgets
from skinlens.ui.components.text import plain
from skinlens.ui.settings import backup
from skinlens.ui.state import cache, session, tabs
from skinlens.ui.visit import outline
from skinlens.ui.visit.save_form import SHOW
from skinlens.ui.worklist import filing, received, tray_drafts, tray_filing, tray_map
from skinlens.ui.worklist.filing import Run, numbered
from skinlens.ui.worklist.tray import Tray, TrayItem
from skinlens.wording.naming import impression_words
from skinlens.wording.quality import UNRELIABLE_BRIEFLY, photo_quality
from skinlens.wording.verdict import verdict_line

THUMBNAIL_PX = 320
HIDDEN = "Result: after your impression"
ORDERS = ("As they came", "Melanoma first")
MOST_LINKS = 3
"""To patients whose photos were filed."""
POLL_S = 1.0
"""Interval of the looks while photos are read."""


def new_tray() -> Tray:
    """One that reads with the installed model."""
    return Tray(
        lambda data: pipeline.analyze(data, cache.classifier()),
        lambda analysis: cache.jpeg(cache.reduced(analysis.photo, THUMBNAIL_PX)),
        lambda analysis: outline.proposed(cache.classifier(), analysis.photo),
        intake.read_patient,
    )


def page(store: CaseStore) -> None:
    """The drop field, what holds for all photos, their rows, and the button that files them."""
    if not allowed.or_why("file"):
        return
    tray = session.tray(new_tray)
    tray_drafts.put_back(tray)
    received.take_in(store, tray)
    _interrupted(store)
    _drop(tray)
    if words := backup.overdue(store):
        st.caption(plain(words))
    if not tray.items and not tray.discarded and tray.run is None:
        st.markdown(
            "Add all photos of a visit here. Each gets a row with its quality and, after your impression, the result: "
            "whether melanoma is flagged, and the most probable classes. Give each a body site, and file them "
            "together. Nothing is stored before that."
        )
        return
    busy = tray.busy
    st.fragment(_list, run_every=POLL_S if busy else None)(store, tray, busy)


def _drop(tray: Tray) -> None:
    round_ = st.session_state.setdefault("tray_uploads", 0)
    field = st.container(key="tray_drop")
    files = field.file_uploader(
        f"Photos of lesions: {ACCEPTED}; at most {MAX_BYTES // 2**20} MB each",
        key=f"tray-{round_}",
        accept_multiple_files=True,  # none is turned away in the browser: there its name goes with the next drawing
        help="The files' names and their hidden data (place, camera, owner) are not stored.",
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
    known = {patient.id: patient for patient in store.patients()}
    received.propose_for_dropped(store, items)
    if tray.run is not None:
        tray_filing.take_over(store, tray.run, known)
    if tray.run is not None and not tray.run.active:
        _outcome(store, tray, tray.run, known)
    if not items and not tray.discarded:
        return
    if not cache.settings().impression_first:
        for item in items:
            item.reveal()
    _progress(items)
    to_file = [item for item in items if item.state == "read"]
    top = st.container()
    everybody = None
    if to_file:
        with st.container(border=True):
            everybody = tray_filing.common(known)
        tray_map.section(tray, to_file)
    rows = []
    for item in _ordered(tray.rows):
        if item.discarded:
            _undo(tray, item)
            continue
        with st.container(border=True, key=f"tray_row_{item.token}"):
            stored = store.cases_with_photo(item.photo_sha256) if item.state == "read" else ()
            fields, actions = _row(tray, item, stored, figures=cache.settings().cutoff_shown)
            below = st.container()
            if item.state == "read" and everybody is not None:
                with fields:
                    rows.append(tray_filing.row(store, known, item, everybody, actions, below, stored))
            with actions:
                _actions(store, tray, item)
    if tray.run is not None and tray.run.active:
        with top:
            tray_filing.follow(tray.run)
    places = [top, st.container()] if len(rows) >= tray_filing.MANY else [st.container()]
    tray_drafts.take_down(tray)
    tray_filing.buttons(store, tray, rows, places)


def _ordered(items: tuple[TrayItem, ...]) -> list[TrayItem]:
    if len(items) < 2:
        return list(items)
    first = None if "tray_order" in st.session_state else ORDERS[0]  # a reload may have put it back
    hidden = [item for item in items if item.state == "read" and not item.revealed and not item.discarded]
    with st.container(horizontal=True, vertical_alignment="center"):
        order = st.segmented_control(
            "Order", ORDERS, default=first, required=True, key="tray_order", persist_state="session",
            label_visibility="collapsed",
        )  # fmt: skip
        if len(hidden) > 1:
            st.button(
                f"{SHOW} of all {len(hidden)}", key="tray_show_all", on_click=_reveal, args=tuple(map(ref, hidden)),
                help="Without an impression of yours. Each case says that its result was shown first.",
            )  # fmt: skip
    return sorted(items, key=lambda item: -item.melanoma_prob) if order == ORDERS[1] else list(items)


def _reveal(*items: ref[TrayItem]) -> None:
    """By weak references: Streamlit keeps what it calls back, also of a row that was erased."""
    for item in filter(None, (reference() for reference in items)):
        item.reveal()


def _undo(tray: Tray, item: TrayItem) -> None:
    """In the place of the row that was discarded: there the eye is."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(f"Discarded: {item.name}"), width="content")
        if st.button("Undo", key=f"undo-{item.token}"):
            tray.put_back(item)
            st.rerun()


def _progress(items: tuple[TrayItem, ...]) -> None:
    done = sum(item.state not in {"waiting", "reading"} for item in items)
    read = sum(item.state == "read" for item in items)
    if done < len(items):
        st.progress(done / len(items), f"{done} of {len(items)} photos read")
    elif read:
        st.markdown(f"**{counted(read, 'photo')} to file**")


# -------------------------------------------------------------------------------------------------- what was filed


def _interrupted(store: CaseStore) -> None:
    """How far a filing came that an end of the app cut short, until it was seen."""
    for token, words in filing.interrupted(store):
        with st.container(border=True):
            st.warning(plain(words))
            if st.button("Understood", key=f"tray_interrupted-{token}"):
                store.filing_is_over(token)
                st.rerun()


def _outcome(store: CaseStore, tray: Tray, run: Run, known: Mapping[int, Patient]) -> None:
    """What came of the last filing, until it is cleared or more is filed."""
    there = [number for number in run.visit_ids if store.exists(number)]
    deleted, failed = len(run.visit_ids) - len(there), run.total - len(run.visit_ids)
    with st.container(border=True):
        if run.visit_ids:
            which = f" as {numbered(there)}" if there else ""
            st.success(plain(f"{counted(len(run.visit_ids), 'photo')} filed{which}."), icon=":material/check:")
        if deleted:
            st.warning(f"{counted(deleted, 'photo')} of these {'was' if deleted == 1 else 'were'} deleted after that.")
        if failed:
            stays = "It stays in the list" if failed == 1 else "They stay in the list"
            why = " ".join(run.problems)
            st.error(
                plain(f"{failed} of {counted(run.total, 'photo')} not filed. {stays} with all that was typed. {why}")
            )
        for remark in run.remarks:
            st.warning(plain(remark))
        with st.container(horizontal=True):
            for patient_id in run.patient_ids[:MOST_LINKS]:
                if patient_id in known and st.button(
                    f"Open patient {plain(known[patient_id].pseudonym)}", key=f"tray_patient_of-{patient_id}"
                ):
                    session.to_patient(patient_id)
            if st.button("Clear the filed rows" if there else "Close", key="tray_clear"):
                tray.take_out_filed()
                tray.run = None
                st.rerun()


# -------------------------------------------------------------------------------------------------------------- rows


def _row(tray: Tray, item: TrayItem, stored: Sequence[CaseRow], figures: bool) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Picture and result of a file, and the case that holds it already; the places for its fields and its buttons."""
    wide = item.state in {"filed", "refused"}  # it has one button, and no fields
    picture, words, right = st.columns([2, 17, 4] if wide else [2, 6, 15], gap="small")
    with picture:
        if item.thumbnail:
            st.html(widgets.thumbnail(item.thumbnail, f"Photo {position(tray, item)} of the worklist"))
    first, *others = lines(item, figures=figures)
    with words, st.container(gap="xxsmall"):
        st.markdown(first)
        if others:
            with (
                st.container(key=f"tray_rest_{item.token}") if item.state == "read" and item.revealed else nullcontext()
            ):
                st.markdown("  \n".join(others))
    if item.state == "read":
        with words:
            if item.received or item.remark:
                st.caption(plain(f"{item.name}. {item.remark}".strip() if item.received else item.remark))
            if item.not_filed:
                st.error(plain(f"Not filed. {item.not_filed}"))
            if stored:
                st.caption(plain(f"This very photo is stored already, as case {stored[0].visit_id}."))
            if twin := _twin(tray, item):
                st.caption(f"The same photo as number {position(tray, twin)} of this list.")
    with right:
        return st.container(), st.container(horizontal=True, vertical_alignment="center")


def _twin(tray: Tray, item: TrayItem) -> TrayItem | None:
    """An earlier row with the same photo."""
    earlier = tray.items[: tray.items.index(item)]
    return next((row for row in earlier if row.photo_sha256 == item.photo_sha256), None)


def position(tray: Tray, item: TrayItem) -> int:
    """Place of a row among all, from 1."""
    return tray.items.index(item) + 1


def lines(item: TrayItem, *, figures: bool = True) -> tuple[str, ...]:
    """Lines of a row, in Markdown."""
    if item.state == "waiting":
        return (plain(item.name), "Waiting")
    if item.state == "reading":
        return (plain(item.name), "Reading …")
    if item.state == "filing":
        return (plain(item.name), "Filing …")
    if item.state == "refused":
        return (f"**{plain(item.name)}**", plain(item.problem))
    quality, prediction = item.quality, item.prediction
    assert quality is not None
    assert prediction is not None
    if item.state == "read" and not item.revealed:
        return (HIDDEN, f":small[{plain(photo_quality(quality))}]")
    classes = (f":small[{plain(words)}]" for words in _classes(quality, prediction))
    own = f"Your impression: {impression_words(item.impression, item.result_first)}"
    said = (f"**{plain(verdict(quality, prediction, figures=figures))}**", *classes, f":small[{plain(own)}]")
    return (*said, f"Filed as case {item.visit_id}") if item.state == "filed" else said


def verdict(quality: QualityReport, prediction: Prediction, *, figures: bool = True) -> str:
    """The first line of a result: unreliable, or on which side of the melanoma cut-off it lies."""
    if not quality.reliable:
        return f"{UNRELIABLE_BRIEFLY}: unfamiliar image"
    return verdict_line(prediction, figures=figures).removesuffix(".")


def _classes(quality: QualityReport, prediction: Prediction) -> tuple[str, ...]:
    checks = photo_quality(quality) if quality.failed else ""
    if not quality.reliable:
        return (checks,) if checks else ()
    ranked = sorted(CODES, key=lambda code: -prediction.prob(code))[: widgets.TOP]
    classes = " · ".join(f"{BY_CODE[code].name} {percent(prediction.prob(code))}" for code in ranked)
    return (classes, checks) if checks else (classes,)


def _actions(store: CaseStore, tray: Tray, item: TrayItem) -> None:
    number = position(tray, item)
    if item.state == "filed":
        if st.button("Open case", key=f"tray_case-{item.token}", help=f"Case {item.visit_id}"):
            assert item.visit_id is not None
            session.to_case(item.visit_id)
        return
    if item.state == "read" and not item.revealed:
        st.button(
            SHOW, key=f"tray_show-{item.token}", on_click=_reveal, args=(ref(item),),
            help=f"Of photo {number}, without an impression of yours. The case says so.",
        )  # fmt: skip
    if item.state == "read":
        st.checkbox("More", key=item.key("more"), width="content")  # on a telephone: see frame.css
    if item.state == "read" and st.button(
        "Open photo", key=f"tray_open-{item.token}", help=f"Opens photo {number} on its own page."
    ):
        session.begin(_again(item), item)
        session.to_visit()
    if item.state in {"read", "refused"} and st.button(
        "Discard", key=f"tray_discard-{item.token}", help=f"Takes out photo {number}; can be undone."
    ):
        received.discard(store, item)
        tray.discard(item)
        st.rerun()


def _again(item: TrayItem) -> Analysis:
    with st.spinner("Reading the photo …"):
        return pipeline.analyze(item.data, cache.classifier())
