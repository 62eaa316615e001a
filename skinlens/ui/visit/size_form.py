"""Size of the lesion: the scale of the photo as the clinician gives it, and the diameter by the outline."""

import streamlit as st

from skinlens.clinical import FIELD_WIDTH_MM, ClinicalRecord
from skinlens.followup import measures
from skinlens.formatting import UNIT_WORDS, Unit, entered_length, length
from skinlens.ui.components import widgets
from skinlens.ui.components.text import plain
from skinlens.ui.forms import field_width
from skinlens.ui.state import cache
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import clinical_fields


def fields(opened: OpenCase, read: ClinicalRecord) -> tuple[float | None, str]:
    """The field of view in millimeters (None: not known), and why it cannot be saved like this (empty where it can)."""
    settings = cache.settings()
    unit, usual = settings.unit, settings.field_width_mm
    key = clinical_fields.key(opened, "field_width" if unit == "mm" else f"field_width_{unit}")
    st.session_state.setdefault(key, field_width.text(read.field_width_mm, unit))
    entered = widgets.number(
        f"Field of view, {UNIT_WORDS[unit]}",
        field_width.expected(unit),
        key=key,
        placeholder="not known",
        help_text="Width of the skin that the photo shows, from its left edge to its right one: as the maker of the "
        "dermatoscope gives it, or as a ruler in the photo shows. Lengths are then known, here and in the comparison "
        "of visits.",
    )
    width = field_width.in_mm(entered.value, unit, read.field_width_mm, usual)
    of_file = opened.analysis.photo.field_width_mm
    if of_file is not None and FIELD_WIDTH_MM[0] <= of_file <= FIELD_WIDTH_MM[1]:
        offered: float | None = of_file
        source = " from the file"
        why = "The photo's file (DICOM) has a scale. It holds as far as the camera was calibrated."
    else:
        offered, source = usual, ""
        why = "The field of view of your dermatoscope, from the settings. It holds for photos that are not cropped."
    if offered is not None and width is None and not entered.problem:
        st.button(
            f"Use {entered_length(offered, unit)}{source}",
            key=clinical_fields.key(opened, "file_width" if source else "usual_width"),
            on_click=st.session_state.__setitem__,
            args=(key, field_width.text(offered, unit)),
            help=why,
        )
    st.markdown(plain(diameter_words(opened, width, unit)))
    return width, "Correct the field of view." if entered.problem else ""


def diameter_words(opened: OpenCase, field_width_mm: float | None, unit: Unit) -> str:
    """Largest diameter by the outline, or what is missing to say it."""
    line, photo = opened.outline, opened.analysis.photo
    if line is None or photo.placeholder:
        return "Without an outline the lesion cannot be measured. Draw one under “Why?”."
    pixels = measures.largest_diameter_px(line, photo)
    by = "your outline" if line.made_by == "clinician" else "the model's outline: check it under “Why?”"
    if field_width_mm is None:
        return f"Largest diameter: {pixels:.0f} px of {photo.width_px} px across the photo, by {by}."
    return f"Largest diameter: {length(pixels * field_width_mm / photo.width_px, unit)}, by {by}."
