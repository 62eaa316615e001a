"""Results of later models on a stored case, on request: beside its stored result, which stays."""

import streamlit as st

from skinlens.clock import local_day
from skinlens.store import CaseStore
from skinlens.ui.components.text import plain
from skinlens.wording.drift import newer_model_says
from skinlens.wording.quality import UNRELIABLE


def section(store: CaseStore, visit_id: int) -> None:
    """A switch where later models have scored the case; their results once it is on."""
    results = store.rescored(visit_id)
    if not results or not st.toggle("Newer model", key=f"newer_{visit_id}"):
        return
    for result in results:
        said = newer_model_says(result.model.version, result.label, result.melanoma_prob, flagged=result.flagged)
        st.markdown(plain(said if result.reliable else UNRELIABLE))
        st.caption(
            plain(f"{result.model.name} {result.model.version}, {local_day(result.made_at)}. The stored result stays.")
        )
