"""Report: the open case as it will be printed, and its PDF."""

import streamlit as st

from skinlens.ui import cache, frame, save_form, session, sheets, widgets

frame.title("Report")
opened = session.current()

if opened is None:
    widgets.nothing_open("A report is made of a stored case.")
elif not opened.revealed:
    widgets.not_revealed()
elif opened.case is None:
    st.markdown("A report belongs to a stored case. Keep the open photo as one first, without a patient if you like.")
    save_form.save(cache.store(), opened, here="pages/report.py")
else:
    widgets.model_line(opened)
    sheets.report(opened)
