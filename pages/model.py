"""Model: what it is, its measured figures and what stands behind them, its limits and its versions."""

import streamlit as st

from skinlens.ui import ablation, cache, card, frame, measured, practice, sanity

frame.title("Model")
release = cache.manifest()

card.what_it_is(release)
st.header("How well it does")
card.how_well()
st.header("For whom it does better or worse")
measured.subgroups()
st.header("The threshold for melanoma, and others")
card.threshold(release)
measured.thresholds()
st.header("Are its probabilities right?")
measured.probabilities()
st.header("Sets of classes")
measured.sets()
st.header("If it answered only where it is surest")
measured.abstention()
st.header("Pictures of other things")
measured.foreign()
st.header("Limits")
card.limits()
st.header("What each part of the method is worth")
ablation.tables()
st.header("Quick and exact form")
card.parity(release)
st.header("How far the maps can be trusted")
sanity.section()
st.header("You, the model and histology")
practice.outcomes(cache.store())
st.header("What its use would save or cost")
practice.calculator(cache.store())
st.header("Versions")
card.versions(release)
