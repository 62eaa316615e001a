"""A case that was saved under the wrong lesion or patient is moved, and the trail says from where."""

import streamlit as st

from skinlens.errors import SkinLensError
from skinlens.records import Case
from skinlens.store import CaseStore
from skinlens.ui.components.text import plain
from skinlens.ui.forms import placement, refusal, signing
from skinlens.ui.state import messages, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.wording.naming import case_title


def form(store: CaseStore, opened: OpenCase, stored: Case) -> None:
    """Choose where it belongs, and move it there."""
    number = stored.visit.id
    st.markdown(
        plain(f"It is now: {case_title(stored)}. Photo, maps, readings and notes move along. ")
        + "A lesion that is left without a photo goes; the patient stays."
    )
    patient = stored.patient.id if stored.patient else None
    chosen = placement.choose(store, lambda name: opened.key(f"move_{name}"), stored.lesion.id, patient)
    missing = list(chosen.missing)
    cases = [row for row in store.cases_with_photo(stored.visit.photo_sha256) if row.visit_id != number]
    if cases and not opened.synthetic:
        st.warning(plain(placement.same_photo(cases, chosen)))
        if not st.checkbox("Move it there nevertheless", key=opened.key("move_again")):
            missing.append("whether it is to be moved there nevertheless")
    signer = ""
    if stored.visit.status != "draft":
        signer = signing.choose(store, draft=False, key=opened.key("mover"), label="Moved by")
        if signing.missing(store, signer, draft=False):
            missing.append("the name of who moves it, as it is signed")
    with refusal.beside("move") as trouble:
        pressed = "move" if st.button("Move the case", key="move_case") else None
    words = f"The case is not moved yet. Still needed: {' and '.join(missing)}." if missing else ""
    if not refusal.mended(trouble, key=opened.key("move"), pressed=pressed, problem=lambda _: words):
        return
    assert chosen.lesion is not None  # it is not missing
    try:
        moved = store.move_case(
            number,
            patient=chosen.patient,
            lesion=chosen.lesion,
            expected_version=stored.visit.version,
            signer=signer,
        )
        signing.remember(signer)
        placement.put_on_map(store, moved, chosen)
    except SkinLensError as error:
        st.error(plain(error))
        return
    session.refresh(moved)
    session.work_on(moved)
    messages.say(plain(f"Moved. It is now {case_title(moved)}."))
    st.rerun()
