"""Size of the lesion: the scale of the photo as the clinician gives it, and the diameter by the outline."""

from typing import cast

import streamlit as st

from skinlens.clinical import FIELD_WIDTH_MM, ClinicalRecord
from skinlens.followup import measures
from skinlens.quantities import UNIT_WORDS, Unit, entered_length, from_mm, length, to_mm
from skinlens.ui import cache, clinical_fields, outline
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain


def fields(opened: OpenCase, read: ClinicalRecord) -> float | None:
    """The field of view as it is entered, in millimeters; None: not known."""
    settings = cache.settings()
    unit = settings.unit
    key = clinical_fields.key(opened, "field_width" if unit == "mm" else f"field_width_{unit}")
    least, most = (from_mm(limit, unit) for limit in FIELD_WIDTH_MM)
    st.session_state.setdefault(key, None if read.field_width_mm is None else from_mm(read.field_width_mm, unit))
    entered = st.number_input(
        f"Field of view, {UNIT_WORDS[unit]}",
        least,
        most,
        step=0.1 if unit == "mm" else 0.01,
        format="%.1f" if unit == "mm" else "%.2f",
        key=key,
        persist_state="session",
        placeholder="not known",
        help="Width of the skin that the photo shows, from its left edge to its right one: as the maker of the "
        "dermatoscope gives it, or as a ruler in the photo shows. Lengths are then known, here and in the comparison "
        "of visits.",
    )
    typed = cast(float | None, entered)  # empty, whatever its type says: the session has its first value
    width = None if typed is None else to_mm(typed, unit)
    usual = settings.field_width_mm
    if usual is not None and width is None:
        st.button(
            f"Use {entered_length(usual, unit)}",
            key=clinical_fields.key(opened, "usual_width"),
            on_click=st.session_state.__setitem__,
            args=(key, from_mm(usual, unit)),
            help="The field of view of your dermatoscope, from the settings. It holds for photos that are not cropped.",
        )
    st.markdown(plain(diameter_words(opened, width, unit)))
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
