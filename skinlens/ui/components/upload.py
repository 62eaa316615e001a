"""Photo upload: the upload field and the drawn example. Trouble is a sentence; the open case stays."""

from dataclasses import replace
from typing import NoReturn

import streamlit as st

from skinlens import pipeline
from skinlens.errors import SkinLensError, UnreadableImage
from skinlens.imaging import intake
from skinlens.imaging.intake.sniffing import ACCEPTED, MAX_BYTES
from skinlens.ui.components.text import plain
from skinlens.ui.forms import proposals
from skinlens.ui.state import cache, next_photo, session, tabs
from skinlens.wording.maps import EXAMPLE_NOTE
from skinlens.wording.naming import PATIENT_UNREADABLE

_TAKEN = "upload_just_taken"


def field(patient: int | None = None) -> None:
    """The upload field; a photo that is read becomes the open case, and the field is empty again.

    ``patient``: whose photo it is proposed to be; None: as it was asked for beforehand, if it was.
    """
    round_ = st.session_state.setdefault("uploads", 0)
    file = st.file_uploader(
        f"Photo of one lesion: {ACCEPTED}",
        key=f"upload-{round_}",
        max_upload_size=MAX_BYTES // 2**20,
        help="At most 25 MB. The file's name and its hidden data (place, camera, owner) are not stored.",
    )
    if file is None:
        return
    classifier = cache.classifier()
    try:
        with st.spinner("Reading the photo …"):
            analysis = pipeline.analyze(file.getvalue(), classifier)
    except UnreadableImage as error:
        st.error(plain(error))
        return
    if patient is not None:
        next_photo.propose(patient)
    session.begin(analysis)
    _propose(file.getvalue())
    # Last: a run that is cut short before leaves the file in its field, to be read again.
    st.session_state["uploads"] += 1
    tabs.forget_upload(file.file_id)
    _show()


def _propose(data: bytes) -> None:
    """Fill in what a DICOM file says of its patient; a patient or a lesion that was chosen beforehand stays."""
    opened = session.current()
    assert opened is not None  # it was just begun
    try:
        fields = intake.read_patient(data)
    except SkinLensError:
        opened.remark = PATIENT_UNREADABLE
        return
    if fields is None:
        return
    store = cache.store()
    proposal = proposals.named(fields, store)
    beforehand = next_photo.asked()
    if beforehand is not None and beforehand.proposed and proposal.pseudonym:
        next_photo.forget()
    elif beforehand is not None:
        proposal = replace(proposal, pseudonym="", body_site="")
    opened.remark = proposals.sentence(proposal)
    opened.typed = {**opened.typed, **proposals.values(proposal, opened.key, "taken_on", store.patients())}


def example_button() -> None:
    """The drawn lesion, for a look around without a photo."""
    if st.button("Try the example", help=EXAMPLE_NOTE):
        with st.spinner("Drawing the example …"):
            analysis = pipeline.example(cache.classifier())
        session.begin(analysis)
        _show()


def _show() -> NoReturn:
    """Turn to the page of the photo that was just taken."""
    st.session_state[_TAKEN] = True
    session.to_visit()


def just_taken() -> bool:
    """Whether the last run of a page took a new photo; true once."""
    return bool(st.session_state.pop(_TAKEN, False))
