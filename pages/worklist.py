"""Worklist: photos that wait to be filed, each in its row with its result, and the stored visits below."""

import streamlit as st

from skinlens.ui.shell import frame
from skinlens.ui.state import cache
from skinlens.ui.worklist import page, stored_visits

frame.title("Worklist")
store = cache.store()
page.page(store)
st.divider()
st.header("Visits")
stored_visits.section(store)
