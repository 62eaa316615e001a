"""Size of the lesion: the scale of the photo as the clinician gives it, and the diameter by the outline."""

import streamlit as st

from skinlens.clinical import FIELD_WIDTH_MM, ClinicalRecord
from skinlens.followup import measures
from skinlens.quantities import Unit, length
from skinlens.store import CaseStore
from skinlens.ui import cache, clinical_fields, outline, widgets
from skinlens.ui.numbers import shown
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain


def fields(store: CaseStore, opened: OpenCase, read: ClinicalRecord) -> None:
    case = opened.case
    assert case is not None
    key, (least, most) = clinical_fields.key(opened, "field_width"), FIELD_WIDTH_MM
    entered = widgets.number(
        "Width of the skin in the photo, mm",
        least,
        most,
        read.field_width_mm,
        unit="mm",
        key=key,
        placeholder="not known",
        help_text="From the left edge of the photo to the right one: as the maker of the dermatoscope gives its field "
        "of view, or as a ruler in the photo shows. Sizes are then in millimeters, here and in the comparison of "
        "visits.",
    )
    width = entered.value
    settings = cache.settings()
    usual = settings.field_width_mm
    if usual is not None and width is None and not entered.problem:
        st.button(
            f"Use {usual:g} mm",
            key=clinical_fields.key(opened, "usual_width"),
            on_click=st.session_state.__setitem__,
            args=(key, shown(usual)),
            help="The field of view of your dermatoscope, from the settings. It holds for photos that are not cropped.",
        )
    st.markdown(plain(diameter_words(opened, width, settings.unit)))
    if clinical_fields.save_button(opened, "size"):
        if entered.problem:
            st.error("Nothing is saved yet. Correct the width.")
            return
        clinical_fields.save(
            opened,
            "size",
            lambda version: store.record_scale(case.visit.id, width, expected_version=version),
            "Size saved." if width else "The size is not known now.",
        )


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
