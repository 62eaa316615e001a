"""Drift on the page about the model: what a later release says of the stored cases, by body site and camera."""

import streamlit as st

from skinlens.clock import local_day
from skinlens.drift import drift
from skinlens.formatting import grouped
from skinlens.report import drift as drift_report
from skinlens.store import CaseStore
from skinlens.store.rescores import RescoredRelease
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.wording import drift as words

SHOWN = 50
"""Changed cases on the page; the PDF has more."""


def section(store: CaseStore) -> None:
    """The releases that scored the stored cases again, and what changed by the chosen one."""
    releases = store.rescored_releases()
    if not releases:
        st.markdown(
            "No other release has scored the stored cases yet. After an update of the model, the command "
            "“skinlens rescore” does so, beside the stored results."
        )
        return
    chosen = releases[0]
    if len(releases) > 1:
        chosen = st.selectbox("Release", releases, format_func=_named, key="drift_release")
    comparison = drift(store.rescored_pairs(chosen.release_sha256))
    st.caption(plain(_named(chosen)))
    for sentence in (*words.summary(comparison), words.STORED_STAYS):
        st.markdown(plain(sentence))
    st.header("By body site")
    widgets.wide_table("By body site", words.HEADINGS, list(map(words.group_row, comparison.by_site)))
    st.header("By camera")
    st.caption(words.CAMERA_NOTE)
    widgets.wide_table("By camera", words.HEADINGS, list(map(words.group_row, comparison.by_camera)))
    st.header("Cases that changed")
    if not comparison.changed:
        st.markdown("None.")
    else:
        rows = list(map(words.case_row, comparison.changed[:SHOWN]))
        widgets.wide_table("Cases that changed", words.CASE_HEADINGS, rows)
    st.download_button(
        "Download as PDF",
        lambda: drift_report.render(
            drift_report.compose(comparison, chosen.model, chosen.release_sha256, chosen.made_at)
        ),
        "skinlens-drift.pdf",
        "application/pdf",
        key="drift_pdf",
        on_click=store.note_drift_export,
    )


def _named(release: RescoredRelease) -> str:
    return (
        f"{release.model.name} {release.model.version} ({release.release_sha256[:12]}), {grouped(release.cases)} "
        "cases, "
        f"{local_day(release.made_at)}"
    )
