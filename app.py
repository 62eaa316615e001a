"""The app's router: page settings, and the one place where the pages are listed."""

import streamlit as st

from skinlens.ui import frame

st.set_page_config(page_title="SkinLens", page_icon=frame.MARK, layout="wide")
pages = [
    st.Page("pages/analyse.py", title="Analyse", default=True),
    st.Page("pages/explain.py", title="Explain"),
    st.Page("pages/history.py", title="History"),
    st.Page("pages/report.py", title="Report"),
    st.Page("pages/model.py", title="Model"),
]
frame.run(st.navigation(pages, position="top"), pages)
