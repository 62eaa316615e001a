"""Explain: the photo and its three maps side by side, for any class."""

import streamlit as st

from skinlens.ui import cache, certainty, contrast, forms, frame, maps, save_form, session, trust, widgets

frame.title("Explain")
opened = session.current()

if opened is None:
    widgets.nothing_open("The maps show which parts of a photo spoke for a class.")
elif not opened.revealed:
    widgets.not_revealed()
else:
    st.markdown("Which parts of the photo spoke for a class? The maps show what moved the model, not where disease is.")
    classifier = session.classifier_of(opened)
    widgets.problems(opened.problems)
    if not opened.analysis.quality.reliable:
        certainty.unreliable(opened.analysis.quality)
    if classifier is None:
        widgets.model_line(opened)
    maps.choose_class(opened)
    contrast.describe(opened)
    if classifier is not None:
        maps.start(opened, classifier)
    maps.row(opened, classifier)
    trust.below(opened, classifier)
    if classifier is not None:
        forms.map_settings(opened, classifier)
    if opened.case is None:
        st.divider()
        save_form.save(cache.store(), opened, here="pages/explain.py")
    else:
        widgets.saved(opened.case, here="pages/explain.py")
