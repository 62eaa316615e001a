"""The report of the open case: its pages as they will be printed, and the file to take away."""

import streamlit as st

from skinlens.ui import cache, widgets
from skinlens.ui.open_case import OpenCase

PAGE_PX = 900
"""Wide enough to read every line; a narrower window shrinks the page."""


def report(opened: OpenCase) -> None:
    """Download button first, then every page."""
    case, home = opened.case, opened.home
    assert case is not None
    assert home is not None
    made = sorted(f"{one.method} {one.label} {one.created_at}" for one in opened.maps)
    made += sorted(f"{one.identity} {one.created_at}" for one in opened.checks)
    made += sorted(f"{one.made_by} {one.created_at}" for one in opened.outlines)
    version = " | ".join((case.visit.updated_at, str(case.patient), str(case.lesion), *made))
    data, problems, pages = cache.report(home, case.visit.id, version)
    widgets.problems(f"{problem} The report was made without it." for problem in problems)
    left, right = st.columns([2, 3], vertical_alignment="center")
    left.download_button(
        "Download the PDF",
        data,
        file_name=f"skinlens-case-{case.visit.id:04d}.pdf",
        mime="application/pdf",
        type="primary",
        on_click="ignore",
    )
    right.caption(f"{len(pages)} pages, {len(data) / 1e6:.1f} MB. The file name contains no patient ID.")
    if not opened.maps:
        st.info("No map was made for this case yet. Make them under “Why?”, and they are printed here.")
    for number, page in enumerate(pages, 1):
        words = f"Page {number} of {len(pages)}"
        with st.container(border=True, width=PAGE_PX):
            st.image(page, width="stretch", caption=words, alt=f"{words} of the report on case {case.visit.id}")
