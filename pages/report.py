"""Report: the open case as it will be printed, and its PDF."""

import streamlit as st

from skinlens.ui import session, sheets, widgets

st.title("Report")
opened = session.current()

if opened is None:
    widgets.nothing_open("A report is made of a stored case.")
elif opened.case is None:
    widgets.not_saved()
else:
    widgets.model_line(opened)
    sheets.report(opened)
