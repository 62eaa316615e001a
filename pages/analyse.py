"""Analyse: a photo comes in, its quality, the clinician's impression, the model's reading, the case is kept."""

import streamlit as st

from skinlens.ui import cache, certainty, frame, save_form, session, upload, widgets

frame.title("Analyse")
store = cache.store()
opened = session.current()

if opened is None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        upload.field()
        st.markdown("No photo at hand?")
        upload.example_button()
    with right, st.container(border=True):
        st.subheader("How it goes")
        widgets.steps(
            (
                "Upload a dermoscopic photo of one lesion, sharp and filling the centre.",
                "Say what you see, before the model does.",
                "Compare with the model's probabilities, and ask it for its reasons under Explain.",
                "Keep the case, sign your reading, print the report.",
            )
        )
else:
    analysis = opened.analysis
    left, right = st.columns([5, 6], gap="large")
    with left:
        widgets.photo(analysis.photo, synthetic=opened.synthetic)
        widgets.quality(analysis.quality)
        with st.expander("Analyse another photo"):
            if opened.case is None:
                st.caption(
                    "The photo that is open is not saved; another one takes its place, and checks of it that are "
                    "not finished stop."
                )
            upload.field()
            upload.example_button()
    with right:
        question = st.empty()  # it goes at once: left over below the form, it would move the form when it goes
        if opened.revealed:
            st.subheader("The model's reading")
            widgets.impression(opened.impression)
            certainty.verdict(analysis.quality, analysis.prediction)
            certainty.at_a_prevalence(analysis.quality, analysis.prediction)
            widgets.model_line(opened)
            if opened.case is None:
                st.page_link("pages/explain.py", label="See what spoke for it")
                st.divider()
                save_form.save(store, opened, here="pages/analyse.py")
            else:
                widgets.saved(opened.case, here="pages/analyse.py")
        else:
            with question.container():
                save_form.impression(opened)
