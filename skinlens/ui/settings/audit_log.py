"""The audit log of the whole store on the page of the settings: filters, pages, verification, a CSV to take away."""

from dataclasses import replace

import streamlit as st

from skinlens.clock import local_second
from skinlens.csv_table import csv_table
from skinlens.errors import SkinLensError
from skinlens.formatting import counted, grouped
from skinlens.labels import DISCLAIMER
from skinlens.store import CaseStore
from skinlens.store.audit_log import AuditEntry, AuditPage, AuditQuery
from skinlens.ui.components import allowed, logged_names, widgets
from skinlens.ui.components.logged_names import Names
from skinlens.ui.components.text import plain
from skinlens.wording import audit

ANYBODY, ANYTHING = "Anybody", "Anything"
_PAGE = "audit_page"
MODEL_SIGNS = 12
"""Of a model's hash, as elsewhere on the screen."""


@st.fragment
def section(store: CaseStore) -> None:
    """Section as a fragment: a filter reruns it alone, not the other sections."""
    st.header("Audit log")
    st.caption(
        "Who did what and when. Each entry is chained to the one before; what was typed into a case is not in it."
    )
    if not allowed.or_why("audit"):
        return
    try:
        query = _filters(store)
        page = store.audit_page(query)
        objects = {(entry.kind, entry.object_number) for entry in page.entries if entry.object_number is not None}
        _entries(page, logged_names.names(store, objects))
        with st.container(horizontal=True, vertical_alignment="center"):
            asked = st.button("Verify the log", key="audit_verify")
            st.download_button(
                "Download as CSV",
                lambda: handed_out(store, query),
                file_name="skinlens-audit-log.csv",
                mime="text/csv",
                on_click="ignore",
                help="All entries that the filters leave in.",
            )
        if asked:
            _verify(store)
    except SkinLensError as error:  # the page's own sentence is out of reach: this part is drawn by itself
        st.error(plain(error))


def _filters(store: CaseStore) -> AuditQuery:
    actors, done = store.audit_choices()
    words = {audit.done(kind, action): (kind, action) for kind, action in done}
    who, what, since, until = st.columns(4)
    actor = who.selectbox("Who", [ANYBODY, *actors], key="audit_who")
    action = what.selectbox("What", [ANYTHING, *sorted(words)], key="audit_what")
    first = since.date_input("From", None, format="YYYY-MM-DD", key="audit_from")
    last = until.date_input("Until", None, format="YYYY-MM-DD", key="audit_until")
    query = AuditQuery("" if actor == ANYBODY else actor, words.get(action), first, last)
    if st.session_state.get("audit_asked") != query:  # another question begins on its first page
        st.session_state["audit_asked"] = query
        st.session_state[_PAGE] = 1
    return replace(query, page=int(st.session_state[_PAGE]))


def _entries(page: AuditPage, names: Names) -> None:
    if not page.total:
        st.markdown("No entry matches. Take a filter out.")
        return
    st.markdown(f"**{counted(page.total, 'entry', 'entries')}**, the newest first")
    widgets.wide_table(
        "Audit log", ("No.", "Time", "Who", "What", "Object", "Model"), (_cells(entry, names) for entry in page.entries)
    )
    if page.pages > 1:
        widgets.pages(_PAGE, page.pages, page.page)


def _cells(entry: AuditEntry, names: Names) -> tuple[str, ...]:
    name = names.get((entry.kind, entry.object_number or 0), "")
    return (
        grouped(entry.number),
        local_second(entry.at),
        entry.actor,
        audit.done(entry.kind, entry.action),
        audit.object_words(entry.kind, entry.object_number, name),
        f"{entry.model_sha256[:MODEL_SIGNS]}…" if entry.model_sha256 else "",
    )


def _verify(store: CaseStore) -> None:
    check = store.verify_audit()
    if not check.problems:
        st.success(
            f"{grouped(check.entries)} entries verified: none was changed, removed or inserted.",
            icon=":material/check:",
        )
        st.caption(
            f"Last entry: {check.head}. Write it down, or keep backups out of reach of this computer's users: only "
            "that reveals a log rewritten as a whole."
        )
        return
    lines = "\n".join(f"- {plain(problem)}" for problem in check.problems)
    st.error(f"**The audit log is not as it was written.** Keep the whole folder as it is.\n\n{lines}")


def handed_out(store: CaseStore, query: AuditQuery) -> bytes:
    """The entries as CSV, the oldest first; that they are handed out is an entry as well."""
    entries = store.audit_entries(query)
    store.note_log_export(len(entries))
    return audit_csv(entries)


def audit_csv(entries: tuple[AuditEntry, ...]) -> bytes:
    """The entries as a table, with the hashes; the disclaimer is its last line."""
    header = ("number", "time_utc", "who", "what", "kind", "object", "model_sha256", "previous_sha256", "sha256")
    rows: list[tuple[object, ...]] = [
        (
            entry.number,
            entry.at,
            entry.actor,
            audit.done(entry.kind, entry.action),
            entry.kind,
            entry.object_number,
            entry.model_sha256,
            entry.previous,
            entry.hash,
        )
        for entry in entries
    ]
    return csv_table(header, [*rows, (DISCLAIMER,)])
