"""Size of the lesion: the scale of the photo as the clinician gives it, and the diameter by the outline."""

from typing import cast

import streamlit as st

from skinlens.clinical import FIELD_WIDTH_MM, ClinicalRecord
from skinlens.followup import measures
from skinlens.quantities import Unit, length
from skinlens.ui import cache, clinical_fields, outline
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain


def fields(opened: OpenCase, read: ClinicalRecord) -> float | None:
    """The field of view in millimeters as it is entered; None: not known."""
    key, (least, most) = clinical_fields.key(opened, "field_width"), FIELD_WIDTH_MM
    st.session_state.setdefault(key, read.field_width_mm)
    entered = st.number_input(
        "Field of view, mm",
        least,
        most,
        step=0.1,
        format="%.1f",
        key=key,
        persist_state="session",
        placeholder="not known",
        help="Width of the skin that the photo shows, from its left edge to its right one: as the maker of the "
        "dermatoscope gives it, or as a ruler in the photo shows. Sizes are then in millimeters, here and in the "
        "comparison of visits.",
    )
    width = cast(float | None, entered)  # empty, whatever its type says: the session has its first value
    settings = cache.settings()
    usual = settings.field_width_mm
    if usual is not None and width is None:
        st.button(
            f"Use {usual:g} mm",
            key=clinical_fields.key(opened, "usual_width"),
            on_click=st.session_state.__setitem__,
            args=(key, usual),
            help="The field of view of your dermatoscope, from the settings. It holds for photos that are not cropped.",
        )
    st.markdown(plain(diameter_words(opened, width, settings.unit)))
    return width


def diameter_words(opened: OpenCase, field_width_mm: float | None, unit: Unit) -> str:
    """How large the lesion is by its outline, or what is missing to say it."""
    line, photo = outline.current(opened), opened.analysis.photo
    if line is None or photo.placeholder:
        return "Without an outline the lesion cannot be measured. Draw one under “Why?”."
    pixels = measures.largest_diameter_px(line, photo)
    by = "your outline" if line.made_by == "clinician" else "the model's outline: check it under “Why?”"
    if field_width_mm is None:
        return f"Largest diameter: {pixels:.0f} px of {photo.width_px} px across the photo, by {by}."
    return f"Largest diameter: {length(pixels * field_width_mm / photo.width_px, unit)}, by {by}."
