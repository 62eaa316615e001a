"""Drafts of the photos of the tray: held with them, so that a reload of the page does not lose it."""

import re
from collections.abc import Mapping

import streamlit as st

from skinlens.ui.worklist.tray import Tray

_FIELDS = re.compile(
    r"tray_(?:(?:kind|patient|pseudonym|year|sex|other|date|site|order)"
    r"|(?:own|kind|patient|pseudonym|year|sex|other|date|lesion_\d+|site|remark|pin|label|sign|again)-(?P<row>.+))"
)
"""Keys of fields; never of a button, which cannot be filled in."""
_PUT_BACK = "tray_put_back"


def put_back(tray: Tray) -> None:
    """Fill in the fields, before they are drawn, where this session has not drawn them yet."""
    token = st.session_state["tray_token"]
    if st.session_state.get(_PUT_BACK) == token:
        return
    st.session_state[_PUT_BACK] = token
    for key, value in tray.typed.items():
        st.session_state.setdefault(key, value)


def take_down(tray: Tray) -> None:
    """Note what stands in the fields once they were drawn. What was typed for a row goes with it."""
    rows = {item.token for item in tray.rows if item.state in {"read", "filing"}}
    tray.typed = {**_of(tray.typed, rows), **_of({str(key): value for key, value in st.session_state.items()}, rows)}


def forget(tray: Tray, patient_id: int, pseudonym: str) -> None:
    """A patient was erased: neither the number nor the ID stays in a field that is to be filled in again."""
    tray.typed = {
        key: value
        for key, value in tray.typed.items()
        if not (key.startswith("tray_patient") and value == patient_id)
        and not (key.startswith("tray_pseudonym") and str(value).strip() == pseudonym)
    }


def _of(values: Mapping[str, object], rows: set[str]) -> dict[str, object]:
    """Values of the fields that hold for all photos, and of the fields of these rows."""
    matches = {key: _FIELDS.fullmatch(key) for key in values}
    return {
        key: values[key] for key, match in matches.items() if match and (match["row"] is None or match["row"] in rows)
    }
