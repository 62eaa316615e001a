"""Model: what it is, its measured figures, its limits and its versions."""

import streamlit as st

from skinlens.ui import cache, card, frame, sanity

frame.title("Model")
release = cache.manifest()

card.what_it_is(release)
st.header("How well it does")
card.how_well()
st.header("The threshold for melanoma")
card.threshold(release)
st.header("Limits")
card.limits()
st.header("Quick and exact form")
card.parity(release)
st.header("How far the maps can be trusted")
sanity.section()
st.header("Versions")
card.versions(release)
