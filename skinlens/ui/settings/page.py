"""The page of the settings: what was saved is confirmed beside its button."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from skinlens.errors import InvalidEntry, SkinLensError
from skinlens.explain import METHODS
from skinlens.formatting import UNIT_WORDS, Unit, entered_length, percent
from skinlens.settings import Overlay, Settings
from skinlens.store import CaseStore
from skinlens.store.settings import NAMES
from skinlens.ui.components import allowed, confirmation, widgets
from skinlens.ui.components.text import plain
from skinlens.ui.forms import field_width
from skinlens.ui.settings import audit_log, backup, devices, signers
from skinlens.ui.state import cache
from skinlens.wording.verdict import side_of_cutoff

CLINIC, DISPLAY = "clinic", "display"
CLINIC_FIELDS = ("clinic_name", "clinic_address", "clinic_phone", "dicom_uid_root")
WIDTH = "field_width_mm"
DISPLAY_FIELDS = ("impression_first", "cutoff_shown", "overlay", "unit", WIDTH)
OVERLAYS: dict[Overlay, str] = {"none": "No map", **{method: info.title for method, info in METHODS.items()}}
UNITS: dict[Unit, str] = {"mm": "Millimeters", "inch": "Inches"}
EXAMPLE_CUTOFF = 0.1
"""In the sample of a first line where no model is installed."""
LOOK_S = 2.0
"""Seconds between two looks at the appearance that the browser shows."""
_READ = "settings_read"
_FILL = "settings_fill"


def page(store: CaseStore) -> None:
    """Two columns of sections, on a narrow screen one below the other; then the audit log, which needs the width."""
    _begin(store)
    locked = allowed.fields("settings")
    left, right = st.columns(2, gap="large")
    with left:
        _clinic(store, locked=locked)
        signers.section(store, locked=locked)
    with right:
        _display(store, locked=locked)
        _theme()
        devices.section()
        backup.section(store)
    audit_log.section(store)


def _key(field: str) -> str:
    return f"settings_{field}"


def _begin(store: CaseStore) -> None:
    """Have the fields show what is stored when the page is opened, and a section's own once it was saved."""
    stored = store.settings()
    if _key(CLINIC_FIELDS[0]) not in st.session_state:  # the page was not drawn in the run before
        st.session_state[_READ] = stored
        st.session_state[_FILL] = (*CLINIC_FIELDS, *DISPLAY_FIELDS)
        backup.begin(store)
    for field in st.session_state.pop(_FILL, ()):
        value = getattr(stored, field)
        st.session_state[_key(field)] = field_width.text(value, stored.unit) if field == WIDTH else value


# ---------------------------------------------------------------------------------------------------------- sections


def _clinic(store: CaseStore, *, locked: bool) -> None:
    st.header("Clinic")
    with st.form("settings_clinic"):
        st.text_input("Name", key=_key("clinic_name"), max_chars=80, autocomplete="off", disabled=locked)
        st.text_area("Address (optional)", key=_key("clinic_address"), height=90, max_chars=300, disabled=locked)
        st.text_input("Phone (optional)", key=_key("clinic_phone"), max_chars=80, autocomplete="off", disabled=locked)
        st.text_input(
            "Root of DICOM identifiers (optional)", key=_key("dicom_uid_root"), max_chars=80, disabled=locked,
            help="Of what `skinlens dicom export` and `send` write. 2.25 needs no registration; enter your clinic's "
            "own if it has one.",
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="center"):
            saved = st.form_submit_button("Save clinic", type="primary", **allowed.button("settings"))
            confirmation.show(CLINIC)
    read: Settings = st.session_state[_READ]
    widgets.unprintable({NAMES[field]: getattr(read, field) for field in CLINIC_FIELDS})
    if saved:
        _save(store, CLINIC, CLINIC_FIELDS)


def _first_line(*, figures: bool) -> str:
    """A sample of a result's first line, with the installed model's cut-off."""
    said = side_of_cutoff(above=True)
    if not figures:
        return f"Words alone: “{said}”"
    model = cache.installed()
    value = model.melanoma_threshold.value if model else EXAMPLE_CUTOFF
    return f"With probability and cut-off: “{said} ({percent(min(1.0, 2 * value))}; cut-off {percent(value)})”"


def _display(store: CaseStore, *, locked: bool) -> None:
    st.header("Display")
    with st.form("settings_display"):
        st.checkbox(
            "Impression before the result, on the worklist too",
            key=_key("impression_first"),
            disabled=locked,
            help="A photo of the worklist then shows its result after you gave your impression, or pressed “Show "
            "result”. Every case says which came first.",
        )
        st.radio(
            "First line of a result",
            [True, False],
            format_func=lambda figures: plain(_first_line(figures=figures)),
            key=_key("cutoff_shown"),
            disabled=locked,
            help="On the screen. The cut-off itself comes with the model, and the report always states it.",
        )
        st.segmented_control(
            "Map over the photo when a visit is opened",
            list(OVERLAYS),
            required=True,
            format_func=OVERLAYS.__getitem__,
            key=_key("overlay"),
            disabled=locked,
            help="The keys 0 to 3 change it for the visit that is open.",
        )
        st.segmented_control(
            "Lengths in", list(UNITS), required=True, format_func=UNITS.__getitem__, key=_key("unit"), disabled=locked,
            help="Where the scale of a photo is known.",
        )  # fmt: skip
        unit = st.session_state[_READ].unit  # a unit that is chosen here holds from saving on
        widgets.number(
            f"Field of view of your dermatoscope, {UNIT_WORDS[unit]} (optional)",
            field_width.expected(unit),
            key=_key(WIDTH),
            disabled=locked,
            placeholder="not known",
            help_text="Width of what its whole photo shows, read from a ruler in a photo of it. A scale that follows "
            "from it is only suggested for a photo, never applied by itself.",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            saved = st.form_submit_button("Save display", type="primary", **allowed.button("settings"))
            confirmation.show(DISPLAY)
    if saved:
        _save(store, DISPLAY, DISPLAY_FIELDS)


def _theme() -> None:
    """Streamlit leaves the choice to the browser, and lets a program only ask what is shown."""
    st.header("Light or dark")
    _shown_now()
    st.caption("Each browser keeps its own choice, so that two screens may differ.")


@st.fragment(run_every=LOOK_S)
def _shown_now() -> None:
    """Asked again and again: the browser does not tell when another is chosen."""
    shown = st.context.theme.type
    now = f"Shown now: {shown}. " if shown else ""
    st.markdown(f"{now}To switch, open the menu ⋮ at the top right and choose System, Light or Dark.")


# ------------------------------------------------------------------------------------------------------------ saving


def _save(store: CaseStore, section: str, names: tuple[str, ...]) -> None:
    """Save what the section's fields hold; what stays unsaved stays in its fields."""
    read: Settings = st.session_state[_READ]
    typed: dict[str, Any] = {field: st.session_state[_key(field)] for field in names}
    if WIDTH in typed:
        width, unread = field_width.expected(read.unit).read(typed[WIDTH])
        if unread:
            confirmation.problem(section, InvalidEntry("Not saved. Correct the field of view."))
            st.rerun()
        typed[WIDTH] = field_width.in_mm(width, read.unit, read.field_width_mm)
    try:
        saved = store.keep_settings(replace(read, **typed), read=read)
    except InvalidEntry as error:
        confirmation.problem(section, InvalidEntry(f"Not saved. {error}"))
    except SkinLensError as error:
        confirmation.problem(section, error)
    else:
        st.session_state[_READ] = replace(read, **{field: getattr(saved.settings, field) for field in names})
        st.session_state[_FILL] = names
        confirmation.give(
            section,
            " ".join(
                ["Saved.", *(replaced(field, saved.replaced[field], saved.settings.unit) for field in saved.replaced)]
            ),
        )
    st.rerun()


def replaced(field: str, value: object, unit: Unit = "mm") -> str:
    """Value that another window had saved in a field, and is gone now."""
    worded: dict[str, Callable[[Any], str]] = {
        "cutoff_shown": lambda choice: "shown" if choice else "not shown",
        "impression_first": lambda choice: "on" if choice else "off",
        "overlay": OVERLAYS.__getitem__,
        "unit": UNITS.__getitem__,
        WIDTH: lambda width: entered_length(width, unit),
        "signers": ", ".join,
    }
    words = worded.get(field, str)(value) if value not in {None, ""} else ""
    return f"Another window had changed the {NAMES[field]} meanwhile, to “{words or 'nothing'}”; yours took its place."
