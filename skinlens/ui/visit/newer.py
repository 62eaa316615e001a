"""Results of later models on a stored case, on request: beside its stored result, which stays."""

import streamlit as st

from skinlens.clock import local_day
from skinlens.store import CaseStore
from skinlens.ui.components.text import plain
from skinlens.wording.drift import newer_model_says
from skinlens.wording.quality import UNRELIABLE


def section(store: CaseStore, visit_id: int) -> None:
    """A switch where later models have scored the case; their results once it is on."""
    found = store.rescored(visit_id)
    if not found or not st.toggle("Newer model", key=f"newer_{visit_id}"):
        return
    for one in found:
        said = newer_model_says(one.model.version, one.label, one.melanoma_prob, flagged=one.flagged)
        st.markdown(plain(said if one.reliable else UNRELIABLE))
        st.caption(plain(f"{one.model.name} {one.model.version}, {local_day(one.made_at)}. The stored result stays."))
