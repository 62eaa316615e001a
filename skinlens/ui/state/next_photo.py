"""Preselection for the next new photo: a patient, and a lesion of that patient or a place for a new one."""

from dataclasses import dataclass

import streamlit as st

from skinlens.records import BodyPosition
from skinlens.ui.components.bodymap.regions import Region
from skinlens.ui.state import session


@dataclass(frozen=True)
class NextPhoto:
    """Patient and lesion that the save form of the next photo begins with; both can be changed there."""

    patient_id: int
    lesion_id: int | None = None
    position: BodyPosition | None = None
    """Of a new lesion, on the body map."""
    region: Region | None = None
    """Its body site and side."""
    proposed: bool = False
    """Whether nobody asked for it: the patient of the case that was open. What the photo's own file says goes first."""

    @property
    def of_new_lesion(self) -> bool:
        return self.position is not None


def begin(what: NextPhoto) -> None:
    """Set the preselection; a stored case that is open is closed, an unsaved photo stays open."""
    opened = session.current()
    if opened is not None and opened.case is not None:
        session.close()
    st.session_state[session.NEXT_PHOTO] = what


def asked() -> NextPhoto | None:
    """Current preselection; it lasts until a case is saved or opened."""
    preselection: NextPhoto | None = st.session_state.get(session.NEXT_PHOTO)
    return preselection


def propose(patient_id: int) -> None:
    """Have the photo that is taken now be proposed for the patient of the case that is open."""
    st.session_state[session.NEXT_PHOTO] = NextPhoto(patient_id, proposed=True)


def forget() -> None:
    st.session_state.pop(session.NEXT_PHOTO, None)
