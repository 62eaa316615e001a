"""Map settings and case filters: settings of the maps, filters of the worklist."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from skinlens.explain import METHODS
from skinlens.explain.methods import Parameter
from skinlens.inference.classifier import Classifier
from skinlens.labels import CODES, DIAGNOSES
from skinlens.records import Method
from skinlens.store import CaseQuery, CaseStore
from skinlens.ui.components import widgets
from skinlens.ui.components.widgets import Entered
from skinlens.ui.forms.numbers import Expected
from skinlens.ui.state import address, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.wording.naming import STATUSES, diagnosis_name, name

PAGE_SIZE = 12

# ----------------------------------------------------------------------------------------------- settings of the maps


def map_settings(opened: OpenCase, classifier: Classifier) -> None:
    """A form made of what each method can be asked; sent off, it has the maps made with these settings."""
    able = [method for method, info in METHODS.items() if info.parameters]
    with st.expander("Settings of the maps"), st.form("map_settings", border=False):
        asked = {}
        for column, method in zip(st.columns(len(able), gap="large"), able, strict=True):
            with column:
                st.markdown(f"**{METHODS[method].title}**")
                asked[method] = {
                    parameter.name: _parameter(method, parameter) for parameter in METHODS[method].parameters
                }
        unread = any(
            isinstance(value, Entered) and value.problem for values in asked.values() for value in values.values()
        )
        if st.form_submit_button("Make the maps with these settings") and not unread:
            for method, values in asked.items():
                defaults = METHODS[method].defaults
                given: dict[str, Any] = {
                    key: value.whole if isinstance(value, Entered) else value for key, value in values.items()
                }
                session.set_map_params(method, {key: value for key, value in given.items() if value != defaults[key]})
            session.request_maps(opened, classifier, tuple(able))
            st.rerun()


def _parameter(method: Method, parameter: Parameter) -> Any:
    key = f"case_set_{method}_{parameter.name}"
    if parameter.kind == "choice":
        return st.selectbox(
            parameter.title,
            parameter.choices,
            index=parameter.choices.index(str(parameter.default)),
            help=parameter.help,
            key=key,
            persist_state="session",
        )
    return widgets.number(
        parameter.title,
        Expected(parameter.low, parameter.high, whole=True),
        None if parameter.default is None else int(parameter.default),
        placeholder="from the photo",
        help_text=parameter.help,
        key=key,
    )


# ---------------------------------------------------------------------------------------------------------- filters

_SORTS: dict[str, dict[str, Any]] = {
    "Newest first": {"sort": "date", "descending": True},
    "Oldest first": {"sort": "date", "descending": False},
    "Highest melanoma probability": {"sort": "melanoma", "descending": True},
    "Patient": {"sort": "patient", "descending": False},
    "Most probable class": {"sort": "top", "descending": False},
}
ANY = "any"


def filters(store: CaseStore) -> CaseQuery:
    """Filters of the list of visits, but for the chips and the page."""
    text, order, more = st.columns([5, 3, 2], vertical_alignment="bottom")
    orders = list(_SORTS)
    address.seed("q", "")
    address.seed("order", orders[0], orders)
    words = text.text_input("Search", key="q", placeholder="Words in patient ID, site, your diagnosis, notes")
    sort = order.selectbox("Order", orders, key="order")
    address.note("q", words)
    address.note("order", sort)
    query: dict[str, Any] = {"text": words, **_SORTS[sort]}
    with more.popover("More filters", width="stretch"):
        query |= _more_filters(store)
    return CaseQuery(**query, limit=PAGE_SIZE)


def _more_filters(store: CaseStore) -> dict[str, Any]:
    """The folded fields, as fields of ``CaseQuery``."""
    first, second, third = st.columns(3)
    patient = first.text_input("Patient ID", key="find_patient", persist_state="session")
    with second:
        site = _any_of("Body site", store.body_sites(), str, key="find_site")
    with third:
        status = _any_of("Status", list(STATUSES), STATUSES.__getitem__, key="find_status")
    with first:
        top = _any_of("Most probable class", CODES, name, key="find_top")
    with second:
        prob_of = _any_of("Probability of", CODES, name, key="find_of", placeholder="no class")
    with third:
        share = Expected(0, 100, "%")
        least = widgets.number("is at least, %", share, 0, disabled=prob_of is None, key="find_least")
    with first:
        diagnosis = _any_of("Your diagnosis", list(DIAGNOSES), diagnosis_name, key="find_said")
    since = second.date_input("Photo taken from", None, format="YYYY-MM-DD", key="find_from", persist_state="session")
    until = third.date_input("until", None, format="YYYY-MM-DD", key="find_until", persist_state="session")
    return {
        "patient": patient,
        "body_site": site,
        "status": status,
        "top_label": top,
        "prob_of": prob_of,
        "min_prob": (least.value or 0.0) / 100,
        "clinician_label": diagnosis,
        "taken_from": since.isoformat() if since else None,
        "taken_until": until.isoformat() if until else None,
    }


def _any_of(
    label: str, options: Sequence[str], words: Callable[[Any], str], *, key: str, placeholder: str = ANY
) -> str | None:
    """A field for one of the options, by its words; it begins with none of them, which asks for any."""
    return st.selectbox(
        label, options, index=None, placeholder=placeholder, format_func=words, key=key, persist_state="session"
    )
