"""Patient and lesion of the next new photo: a patient, and one of the lesions, or a place where there is none yet."""

from dataclasses import dataclass

import streamlit as st

from skinlens.records import BodyPosition
from skinlens.ui.components.bodymap.regions import Region
from skinlens.ui.state import session


@dataclass(frozen=True)
class NextPhoto:
    """Chosen beforehand where a new photo is to be saved; all of it can be changed there."""

    patient_id: int
    lesion_id: int | None = None
    position: BodyPosition | None = None
    """Of a new lesion, on the body map."""
    region: Region | None = None
    """Its body site and side."""

    @property
    def of_new_lesion(self) -> bool:
        return self.position is not None


def begin(what: NextPhoto) -> None:
    """Have the next new photo begin with this; a stored case is closed, an unsaved photo stays open."""
    opened = session.current()
    if opened is not None and opened.case is not None:
        session.close()
    st.session_state[session.NEXT_PHOTO] = what


def asked() -> NextPhoto | None:
    """Patient and lesion that were asked for; until a case is saved or opened."""
    found: NextPhoto | None = st.session_state.get(session.NEXT_PHOTO)
    return found


def forget() -> None:
    st.session_state.pop(session.NEXT_PHOTO, None)
