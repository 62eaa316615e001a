"""Worklist: photos that wait to be filed, each in its row with its result, and the stored visits below."""

import streamlit as st

from skinlens.ui import cache, frame, stored_visits, worklist

frame.title("Worklist")
store = cache.store()
worklist.page(store)
st.divider()
st.header("Visits")
stored_visits.section(store)
