"""The report of the open case: its pages as they will be printed, and the file to take away."""

import streamlit as st

from skinlens.exchange import fhir
from skinlens.formatting import counted, megabytes
from skinlens.store import CaseStore
from skinlens.ui.components import allowed, unsaved_entries, widgets
from skinlens.ui.state import cache
from skinlens.ui.state.open_case import OpenCase

FHIR = (
    "For a clinic's records: a FHIR R4 Bundle with the report, the model's result and the model. The patient by "
    "pseudonym, the photo by its hash alone."
)
PAGE_PX = 900
"""Wide enough to read every line; a narrower window shrinks the page."""
ANNEX = "report_annex"
"""Key of the choice; kept for the session."""


def report(store: CaseStore, opened: OpenCase) -> None:
    """Download button and the choice of the annex first, then every page."""
    case = opened.case
    assert case is not None
    unsaved_entries.notice(opened, "report")
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    button = row.container(width="content", horizontal=True)
    annex = row.toggle("With annex (maps, tests, technical details)", key=ANNEX, persist_state="session")
    data, problems, pages = cache.report(store.home, case.visit.id, _version(store, opened), annex, cache.settings())
    widgets.problems(f"{problem} The report was made without it." for problem in problems)
    button.download_button(
        "Download the PDF",
        lambda: _handed_out(store, case.visit.id, data),
        file_name=file_name(case.visit.id, annex=annex),
        mime="application/pdf",
        type="primary",
        on_click="ignore",
    )
    number = case.visit.id
    button.download_button(
        "Download as FHIR",
        lambda: _as_fhir(store, number),
        file_name=f"skinlens-case-{number:04d}-fhir.json",
        mime="application/fhir+json",
        on_click="ignore",
        **allowed.button("export", FHIR),
    )
    st.caption(f"{counted(len(pages), 'page')}, {megabytes(len(data))}. The file name contains no patient ID.")
    if annex and not opened.maps:
        st.info("No map was made for this case yet. Make them under “Why?”, and they are printed here.")
    for number, page in enumerate(pages, 1):
        words = f"Page {number} of {len(pages)}"
        with st.container(border=True, width=PAGE_PX):
            st.image(page, width="stretch", caption=words, alt=f"{words} of the report on case {case.visit.id}")


def _handed_out(store: CaseStore, visit_id: int, data: bytes) -> bytes:
    """Noted in the audit log when it is taken, not when it is shown. Where it cannot be noted, opening the case said
    so.
    """
    store.note_export("visit", visit_id, "printed")
    return data


def _as_fhir(store: CaseStore, visit_id: int) -> str:
    record = store.load(visit_id, with_maps=False)
    store.note_export("visit", visit_id)
    return fhir.to_json(fhir.bundle(record))


def file_name(visit_id: int, *, annex: bool) -> str:
    """Name of a downloaded report: it says which case, and whether the annex is in it, and nothing of the patient."""
    return f"skinlens-case-{visit_id:04d}-report{'-with-annex' if annex else ''}.pdf"


def _version(store: CaseStore, opened: OpenCase) -> str:
    """Another whenever something that is printed has changed: of the case, or of the visit before, that it is
    compared with.
    """
    case = opened.case
    assert case is not None
    made = sorted(f"{explanation.method} {explanation.label} {explanation.created_at}" for explanation in opened.maps)
    made += sorted(f"{check.identity} {check.created_at}" for check in opened.checks)
    made += sorted(f"{outline.made_by} {outline.created_at}" for outline in opened.outlines)
    before = store.visit_before(case.visit)
    if before is not None:
        made += [str(before.id), before.updated_at, *(outline.created_at for outline in store.outlines(before.id))]
    return " | ".join((case.visit.updated_at, str(case.patient), str(case.lesion), *made))
